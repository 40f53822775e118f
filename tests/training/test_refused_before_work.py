"""What cannot work is refused before rows are read and texts are encoded.

In 0.1.0 a typing error showed after 41 seconds of encoding.
"""

import importlib

import pytest

from tests.data import tiny_encoder
from tests.training import small
from tfadrec import training, tuning
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_encoder.write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def no_work(monkeypatch):
    """Whatever reads rows, weights or texts fails."""
    for place in (
        "tfadrec.training.run.open_dataset",
        "tfadrec.training.run.parts_with_text",
        "tfadrec.training.run.fit_members",
        "tfadrec.tuning.tune.open_dataset",
        "tfadrec.data.copy.text_vectors.vectors_and_count",
        "tfadrec.layers.text.backbone.load_weights",
    ):
        module, _, name = place.rpartition(".")
        # `tuning.tune` is a function too.
        module = importlib.import_module(module)
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("work"))


@pytest.mark.usefixtures("no_work")
@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"encoder": {"class": "DINN"}}, "Did you mean DIN"),
        ({"fit": {"epoch": 3}}, "Did you mean epochs"),
        ({"ranker": {"losses": "softmaxx"}}, "Did you mean softmax"),
        (
            {"ranker": {"losses": {"clicked": "softmaxx"}}},
            "Did you mean softmax",
        ),
        (
            {"ranker": {"losses": {"clicked": {"class": "softmaxx"}}}},
            "Did you mean softmax",
        ),
        (
            {"ranker": {"losses": {"clicked": {"binary": 1, "softmaxx": 1}}}},
            "Did you mean softmax",
        ),
        ({"ranker": {"losses": {"clicke": "softmax"}}}, "Did you mean clicked"),
        (
            {"ranker": {"losses": "softmax"}},
            r"Write `losses: \{name: softmax\}`",
        ),
        ({"ranker": {"tasks": "clicked"}}, r"Write `tasks: \[clicked\]`"),
        ({"text": {"poling": "cls"}}, "Did you mean pooling"),
        ({"text": {"dtype": "float23"}}, "`text`: .*float23"),
        ({"text": {"max_tokens": 99}}, "99"),
        (
            {"text": {"tuning": {"class": "top_layers", "k": 7}}},
            "k=7|7 of|top_layers",
        ),
        (
            {"encoder": {"class": "BST", "num_heads": 3, "hidden_units": [4]}},
            "takes num_layers, num_heads",
        ),
        ({"ranker": {"tasks": ["sold"]}}, "labels of the dataset"),
        ({"ranker": {"losses": {"clicked": "focla"}}}, "focla"),
        ({"ranker": {"losses": {"clicked": "softmax"}}}, "`by: request`"),
        ({"fit": {"monitor": "val_rmse"}}, "`monitor` must be a metric of"),
        ({"multitask": {"class": "PLE", "num_layers": 0}}, "integer >= 1"),
        (
            {
                "optimizer": {
                    "class": "CompositeOptimizer",
                    "groups": {"no_such_weight": {"class": "Adam"}},
                    "default": {"class": "Adam"},
                    "learning_rate": 1.0,
                }
            },
            "`optimizer`: .*no_such_weight",
        ),
    ],
)
def test_before_anything_is_done(model, tmp_path, sections, message):
    text = {"model": str(model), "max_tokens": 8, **sections.get("text", {})}
    config = small.config(**sections)
    if "optimizer" in sections:
        config = RunConfig(
            **{**vars(config), "optimizer": sections["optimizer"]}
        )
    config = RunConfig(**{**vars(config), "text": text})
    with pytest.raises(InputError, match=message):
        training.train(small.world(), config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("no_work")
def test_heads_that_do_not_share_out_the_width(model, tmp_path):
    """Only a ranker that is built tells: 3 heads for a width of 4."""
    config = RunConfig(
        text={"model": str(model), "max_tokens": 8},
        ad_tower={"width": 4},
        encoder={"class": "BST", "num_heads": 3},
    )
    with pytest.raises(InputError, match=r"must fit: .*num_heads=3"):
        training.train(small.world(), config, tmp_path / "run")
    space = tuning.SearchSpace(
        {
            "text": {"model": str(model)},
            "ad_tower": {"width": {"choice": [4, 8]}},
            "encoder": {"class": "BST", "num_heads": 3},
        }
    )
    with pytest.raises(InputError, match=r"must fit: .*num_heads=3"):
        tuning.tune(small.world(), tmp_path / "search", space)
    assert not (tmp_path / "search").exists()


def test_settings_that_work_reach_the_work(model, tmp_path, monkeypatch):
    """So the checks above refuse nothing that can be trained."""

    class ReachedError(Exception):
        pass

    def reached(*_):
        raise ReachedError

    monkeypatch.setattr("tfadrec.training.run.open_dataset", reached)
    config = RunConfig(
        text={
            "model": str(model),
            "max_tokens": 8,
            "tuning": {"class": "top_layers", "k": 1},
        },
        optimizer={
            "class": "CompositeOptimizer",
            "groups": {"^text/": {"class": "Adam"}},
            "default": {"class": "LazyAdam"},
        },
        multitask={"class": "MMoE"},
        ranker={"tasks": ["clicked", "converted"]},
        interaction={"class": "CIN", "hidden_units": [4]},
    )
    with pytest.raises(ReachedError):
        training.train(small.world(), config, tmp_path / "run")
