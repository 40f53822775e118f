"""What a space asks of keras-tuner, and what settings come of it."""

import dataclasses
import json

import pytest

from tests.data import rich_dataset
from tests.training import small
from tfadrec import training, tuning
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError
from tfadrec.data import open_dataset
from tfadrec.training.by_size import batch_size_for
from tfadrec.tuning import SearchSpace

SECTIONS = {
    "text": None,
    "ad_tower": {"width": {"choice": [4, 8]}},
    "encoder": {
        "class": {"choice": ["DIN", "BST"]},
        "hidden_units": {"choice": [[4], [8, 4], (80, 40)]},
        "num_heads": {"choice": [2, 4]},
        "dropout": 0.1,
    },
    "matching": {"class": {"choice": ["AttentionMatching", None]}},
    "interaction": {"class": {"choice": [None, "GDCN"]}, "num_layers": 2},
    "ranker": {"cross_layers": {"int": {"min": 0, "max": 3}}},
    "optimizer": {
        "class": "CompositeOptimizer",
        "groups": {
            "embedding": {
                "class": "Adagrad",
                "learning_rate": {"choice": [0.05, 0.1]},
            }
        },
        "default": {
            "class": "LazyAdam",
            "learning_rate": {
                "float": {"min": 1e-4, "max": 1e-2, "log": True},
            },
        },
    },
    "fit": {"decay": {"choice": [True, False]}, "epochs": 2},
}
NAMES = [
    "ad_tower.width",
    "encoder.class",
    "encoder.hidden_units",
    "encoder.num_heads",
    "matching.class",
    "interaction.class",
    "ranker.cross_layers",
    "optimizer.groups.embedding.learning_rate",
    "optimizer.default.learning_rate",
    "fit.decay",
]


def drawn(space, **values):
    """The settings at the defaults but for some values, and all values."""
    hp = tuning.HyperParameters()
    space.sample(hp)
    hp.values |= {name.replace("__", "."): v for name, v in values.items()}
    hp.ensure_active_values()
    return space.sample(hp), hp.values


def test_the_defaults_are_the_classes_own():
    """Where they are among the choices, else the first, or the lowest."""
    space = SearchSpace(SECTIONS)
    assert space.names == NAMES
    config, values = drawn(space)
    assert set(values) == set(NAMES) - {"encoder.num_heads"}
    assert config == RunConfig(
        text=None,
        ad_tower={"width": 4},
        encoder={"class": "DIN", "hidden_units": [80, 40]},
        matching={"class": "AttentionMatching"},
        interaction=None,
        ranker={"cross_layers": 1},
        optimizer={
            "class": "CompositeOptimizer",
            "groups": {
                "embedding": {"class": "Adagrad", "learning_rate": 0.05}
            },
            "default": {"class": "LazyAdam", "learning_rate": 0.001},
        },
        fit={"decay": True, "epochs": 2},
    )


def test_arguments_of_a_class_exist_only_while_it_is_chosen():
    space = SearchSpace(SECTIONS)
    config, values = drawn(
        space,
        encoder__class="BST",
        encoder__num_heads=4,
        matching__class="null",
        interaction__class="GDCN",
        fit__decay=False,
    )
    assert "encoder.hidden_units" not in values
    assert config.encoder == {"class": "BST", "num_heads": 4, "dropout": 0.1}
    assert config.matching is None
    assert config.interaction == {"class": "GDCN", "num_layers": 2}
    assert config.fit["decay"] is False
    config, values = drawn(space, encoder__hidden_units="[8, 4]")
    assert config.encoder == {"class": "DIN", "hidden_units": [8, 4]}


def test_a_given_default_comes_first():
    choice = {"choice": [2, 4, 8], "default": 4}
    space = SearchSpace({"ad_tower": {"width": choice}})
    assert drawn(space)[0].ad_tower == {"width": 4}


def test_numbers_keep_six_digits():
    """So a number that went to a worker as float32 is the same setting."""
    rate = {"float": {"min": 1e-4, "max": 1e-2}}
    space = SearchSpace({"optimizer": {"class": "Adam", "learning_rate": rate}})
    name = "optimizer__learning_rate"
    for value in (0.0012345678, 0.001234570004045963):
        config, _ = drawn(space, **{name: value})
        assert config.optimizer["learning_rate"] == 0.00123457


def test_yaml_and_python_are_the_same():
    space = SearchSpace(SECTIONS)
    again = SearchSpace.from_yaml(space.to_yaml())
    assert again.to_yaml() == space.to_yaml()
    assert drawn(again) == drawn(space)
    assert SearchSpace.from_yaml(
        "optimizer: {class: Adam, learning_rate: {choice: [1e-3, 1]}}"
    ).sections["optimizer"]["learning_rate"] == {"choice": [0.001, 1]}


def test_settings_are_those_of_a_run():
    """Every class that can be chosen is built with what was drawn for it."""
    space = SearchSpace({**SECTIONS, "ranker": {"hidden_units": [4]}})
    dataset = open_dataset(small.world())
    for encoder in ("DIN", "BST"):
        config, _ = drawn(space, encoder__class=encoder)
        assert RunConfig.from_yaml(config.to_yaml()) == config
        ranker = training.build_ranker(config, dataset)
        assert type(ranker.user_tower.encoder).__name__ == encoder


def test_the_default_space_holds_the_default_settings():
    """The first trial is at them."""
    space = SearchSpace.default()
    config, _ = drawn(space)
    dataset = open_dataset(small.world())
    plain = training.build_ranker(RunConfig(text=None), dataset)
    ranker = training.build_ranker(
        RunConfig(
            text=None,
            **{k: getattr(config, k) for k in space.sections if k != "text"},
        ),
        dataset,
    )
    assert ranker.get_config() == plain.get_config()
    # That of logs that are not small.
    assert config.fit["batch_size"] == batch_size_for(100_000)
    assert ranker.optimizer.get_config() == plain.optimizer.get_config()


def test_settings_of_features_of_all_entities(tmp_path):
    """How often a value is dropped, and the category that is looked for."""
    shares = {"choice": [0.02, 0.25]}
    parts = ("ad_tower", "user_tower", "ranker")
    sections = {part: {"feature_dropout": shares} for part in parts}
    sections["ad_tower"]["category"] = {"choice": ["brand", None]}
    space = SearchSpace.from_yaml(SearchSpace(sections).to_yaml())
    values = {f"{part}__feature_dropout": 0.25 for part in parts}
    config, _ = drawn(space, **values, ad_tower__category="brand")
    config = dataclasses.replace(config, text=None)
    ranker = training.build_ranker(config, rich_dataset.make(tmp_path))
    found = (ranker.ad_tower, ranker.user_tower, ranker)
    assert [part.feature_dropout for part in found] == [0.25] * 3
    assert ranker.ad_tower.category == "brand"


def test_ways_of_tuning_the_language_model():
    """Whole values, or a class whose settings exist while it is chosen."""
    lora = {"class": "lora", "rank": 8}
    space = SearchSpace(
        {"text": {"model": "minilm", "tuning": {"choice": ["frozen", lora]}}}
    )
    name = "text__tuning"
    assert drawn(space)[0].text["tuning"] == "frozen"
    config, _ = drawn(space, **{name: json.dumps(lora)})
    assert config.text == {"model": "minilm", "tuning": lora}
    ways = {
        "class": {"choice": ["top_layers", "lora"]},
        "k": {"choice": [1, 2]},
        "rank": {"choice": [4, 8]},
    }
    space = SearchSpace({"text": {"model": "minilm", "tuning": ways}})
    config, values = drawn(space)
    assert config.text["tuning"] == {"class": "top_layers", "k": 1}
    assert "text.tuning.rank" not in values
    config, _ = drawn(space, text__tuning__class="lora", text__tuning__rank=8)
    assert config.text["tuning"] == lora


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({}, "a space needs something to choose. Received: none"),
        ({"fit": {"epochs": 3}}, "a space needs something to choose"),
        ({"towers": {}}, "a config has the sections .*Received: 'towers'"),
        ({"fit": {"epoch": {"choice": [1]}}}, "`fit` takes .*Received: epoch."),
        (
            {"encoder": {"class": "DIN", "num_heads": {"choice": [1, 2]}}},
            r"`encoder` \(DIN\) takes hidden_units, .*Received: num_heads.",
        ),
        (
            {
                "encoder": {
                    "class": {"choice": ["DIN", "BST"]},
                    "num_hedas": {"choice": [1, 2]},
                }
            },
            r"`encoder` \(DIN, BST\) takes .*Received: num_hedas.",
        ),
        (
            {"encoder": {"class": None, "hidden_units": [4]}},
            "`encoder` takes no settings. Received: hidden_units.",
        ),
        (
            {"encoder": {"class": {"choice": ["DIN", "DUN"]}}},
            "`encoder` needs a class, one of BST, .*Received: class='DUN'.",
        ),
        (
            {"encoder": {"hidden_units": {"choice": [[4]]}}},
            "`encoder` needs a class.*Received: class=None.",
        ),
        (
            {
                "optimizer": {
                    "class": "CompositeOptimizer",
                    "groups": {"id": {"class": "Adagrad", "rate": 1}},
                }
            },
            r"`optimizer.groups.id` \(Adagrad\) takes .*Received: rate.",
        ),
        ({"text": {"pooling": {"choice": ["cls"]}}}, "`text` needs model"),
        (
            {"ad_tower": {"width": {"choice": []}}},
            "`ad_tower.width` must be a choice that can be made: it needs a",
        ),
        (
            {"ad_tower": {"width": {"int": {"min": 4}}}},
            "`ad_tower.width` must be a choice that can be made: 'max'",
        ),
        (
            {"ad_tower": {"width": {"int": {"min": 4, "max": 8, "by": 2}}}},
            "`ad_tower.width` takes min, max, step, log. Received: by.",
        ),
        (
            {"ad_tower": {"width": {"int": {"min": 4, "max": 2}}}},
            "`ad_tower.width` must be a choice that can be made",
        ),
        (
            {"ad_tower": {"width": {"choice": [4], "int": {"min": 4}}}},
            "a choice is one of .*Received",
        ),
    ],
)
def test_bad_spaces(sections, message):
    with pytest.raises(InputError, match=message) as caught:
        SearchSpace(sections)
    assert "\n" not in str(caught.value)
