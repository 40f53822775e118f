"""Settings to a ranker: what is built, and every setting that is refused."""

import dataclasses
import pathlib

import numpy as np
import pytest

from tests.training import small
from tfadrec import layers, optimizers, training
from tfadrec.core.config import RunConfig
from tfadrec.core.door import keras
from tfadrec.core.errors import InputError
from tfadrec.data.open_dataset import open_dataset
from tfadrec.layers import interaction, multitask

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def dataset():
    return open_dataset(small.world())


def build(dataset, seed=0, **sections):
    return training.build_ranker(small.config(**sections), dataset, seed)


def test_settings_reach_their_classes(dataset):
    ranker = build(
        dataset,
        ad_tower={"id_dropout": 0.4, "category": "category"},
        encoder={"hidden_units": [5, 3]},
        user_tower={"id_dropout": 0.25},
        interaction={"class": "GDCN", "num_layers": 2},
        multitask={"class": "PLE", "num_layers": 1},
        ranker={"dropout": 0.1, "tasks": ["clicked", "converted"]},
        optimizer={"learning_rate": 0.5},
    )
    assert ranker.built
    assert ranker.ad_tower.width == 4
    assert ranker.ad_tower.id_dropout == 0.4
    assert ranker.ad_tower.category == "category"
    assert isinstance(ranker.interaction, layers.GDCN)
    assert ranker.interaction.num_layers == 2
    assert isinstance(ranker.multitask, layers.PLE)
    assert (ranker.multitask.num_tasks, ranker.multitask.num_layers) == (2, 1)
    assert isinstance(ranker.user_tower.encoder, layers.DIN)
    assert tuple(ranker.user_tower.encoder.hidden_units) == (5, 3)
    assert ranker.user_tower.id_dropout == 0.25
    # 30 users and the unknown one; click, purchase and the unknown type.
    assert ranker.user_tower.num_users == 31
    assert ranker.user_tower.num_event_types == 3
    assert ranker.ad_tower.num_rows == 21
    [position] = ranker.get_config()["candidate"]
    assert (position["name"], position["num_codes"]) == ("position", 4)
    assert ranker.tasks == ("clicked", "converted")
    assert isinstance(ranker.optimizer, optimizers.LazyAdam)
    assert float(ranker.optimizer.learning_rate) == 0.5


def test_pieces_that_can_be_left_out(dataset):
    config = RunConfig(
        text=None,
        matching=None,
        user_tower={"use_id": False},
        encoder={"class": "LSTM"},
        optimizer={"class": "Adagrad"},
    )
    ranker = training.build_ranker(config, dataset)
    assert ranker.matching is None
    assert ranker.interaction is None
    assert ranker.multitask is None
    assert ranker.user_tower.num_users == 0
    assert isinstance(ranker.user_tower.encoder, layers.LSTM)
    assert isinstance(ranker.optimizer, keras.optimizers.Adagrad)


@pytest.mark.parametrize(
    ("section", "name"),
    [("interaction", n) for n in interaction.__all__ if n != "CTRHead"]
    + [("multitask", n) for n in multitask.__all__],
)
@pytest.mark.slow
def test_every_class_fits_in(dataset, section, name):
    """As it is by default; `test_every_layer` has small ones in each run."""
    ranker = build(dataset, **{section: {"class": name}})
    assert type(getattr(ranker, section)).__name__ == name
    inputs, _ = next(iter(dataset.batches(8)))
    assert np.isfinite(ranker(inputs)["clicked"]).all()


def test_a_seed_decides_the_first_weights(dataset):
    first, same, other = (
        [v.numpy() for v in build(dataset, seed).variables]
        for seed in (3, 3, 4)
    )
    for a, b in zip(first, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(
    ("section", "settings", "message"),
    [
        (
            "ad_tower",
            {"widht": 3},
            r"`ad_tower` \(AdTower\) takes width.*widht",
        ),
        ("ad_tower", {"catalogue": {}}, "Received: catalogue"),
        (
            "ad_tower",
            {"width": 0},
            "`ad_tower.width` must be an integer >= 1.*Received: width=0",
        ),
        ("ad_tower", {"width": "wide"}, "must be an integer >= 1.*'wide'"),
        ("ad_tower", {"width": 2.5}, "must be an integer >= 1.*2.5"),
        ("ad_tower", {1: 2}, r"`ad_tower` .* Received: 1\."),
        ("encoder", {"class": "GRUX"}, "`encoder` needs a class, one of .*DIN"),
        ("encoder", {"class": None}, "one of .*LSTM.* Received: class=None"),
        ("encoder", {"class": ["DIN"]}, "`encoder` needs a class"),
        ("encoder", {"units": 3}, r"`encoder` \(DIN\) takes hidden_units"),
        ("encoder", {"hidden_units": []}, "`encoder`: "),
        ("user_tower", {"num_users": 3}, "Received: num_users"),
        (
            "user_tower",
            {"max_length": 0},
            "`user_tower.max_length` .*max_length=0",
        ),
        ("matching", {"class": "Dot"}, "one of AttentionMatching"),
        (
            "matching",
            {"pooling": "top"},
            "`matching.pooling` must be one of mean, sum, max.*top",
        ),
        (
            "ad_tower",
            {"category": "brand"},
            r"of category\. Received: category='brand'",
        ),
        ("interaction", {"class": "CTRHead"}, "FinalMLP, .*class='CTRHead'"),
        ("interaction", {"class": "Magic"}, "`interaction` needs a class"),
        ("multitask", {"class": "ESMM"}, "one of PLE, MMoE. Received:"),
        (
            "multitask",
            {"class": "MMoE", "num_tasks": 2},
            r"`multitask` \(MMoE\) takes num_experts, .*: num_tasks\.",
        ),
        (
            "multitask",
            {"class": "MMoE", "num_experts": 0},
            "`multitask.num_experts`",
        ),
        ("ranker", {"layers": 3}, r"`ranker` \(AdRanker\) takes .*dropout"),
        ("ranker", {"tasks": []}, "`ranker`: `tasks` must name labels, each"),
        (
            "ranker",
            {"tasks": ["clicked"] * 2},
            "`tasks` must name labels, each",
        ),
        ("ranker", {"class": "X"}, "`ranker` has no choice of a class"),
        (
            "optimizer",
            {"class": "Adam", "learning_rate": -0.1},
            "`optimizer.learning_rate` must be a number > 0",
        ),
        (
            "ranker",
            {"tasks": ["sold"]},
            "labels of the dataset, of clicked, conv",
        ),
        (
            "ranker",
            {"tasks": "clicked"},
            "a list, each of it a text.*'clicked'",
        ),
        (
            "ranker",
            {"tasks": [["clicked"]]},
            r"Received: tasks=\[\['clicked'\]\]",
        ),
        ("ranker", {"dropout": 1.5}, r"in \[0, 1\).*dropout=1\.5"),
        ("ranker", {"hidden_units": ["many"]}, "each of it an integer >= 1"),
        ("optimizer", {"class": "Magic"}, "LazyAdam, Adagrad, Adam"),
        (
            "optimizer",
            {
                "class": "WarmUp",
                "learning_rate": 0.1,
                "warm_up_steps": 1,
                "total_steps": 9,
            },
            "one of CompositeOptimizer, LazyAdam, Adagrad, Adam. .*'WarmUp'",
        ),
        ("optimizer", {"accumulate_steps": 0}, "must be an integer >= 1"),
        ("optimizer", {"lr": 0.1}, r"`optimizer` \(LazyAdam\) takes learning_"),
        (
            "optimizer",
            {"learning_rate": "fast"},
            "must be a number > 0 or.*'fast'",
        ),
    ],
)
def test_bad_settings(dataset, section, settings, message):
    with pytest.raises(InputError, match=message):
        build(dataset, **{section: settings})


def test_a_conversion_without_a_click_is_refused(dataset):
    """Only where a ranker is to take it for one that follows a click."""
    labels = {k: v.copy() for k, v in dataset.impressions.labels.items()}
    rows = np.flatnonzero(labels["clicked"] == 0)[:3]
    labels["converted"][rows] = 1
    other = dataclasses.replace(
        dataset,
        impressions=dataclasses.replace(dataset.impressions, labels=labels),
    )
    with pytest.raises(InputError, match=r"Received: 3 without one\. Mend"):
        build(other, ranker={"tasks": ["clicked", "converted"]})
    assert build(other, ranker={"tasks": ["converted"]}).built


@pytest.mark.parametrize("seed", ["x", -1, 1.5])
def test_bad_seeds(dataset, seed):
    with pytest.raises(InputError, match=r"[Ss]eed"):
        build(dataset, seed)


def test_no_text_is_the_dataset_as_it_is(dataset):
    assert training.with_text(dataset, None) is dataset


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ({}, "needs model. Received: nothing"),
        ({"pooling": "cls"}, "needs model. Received: pooling"),
        (
            {"model": "minilm", "tokens": 3},
            "takes model, .*Received: tokens. Did you mean max_tokens",
        ),
    ],
)
def test_bad_text_settings(dataset, text, message):
    with pytest.raises(InputError, match=message):
        training.with_text(dataset, text)


@pytest.mark.parametrize(
    "text", [{}, {"pooling": "top"}, {"max_tokens": 1}, {"max_tokens": "a"}]
)
def test_bad_text_models(dataset, text, tmp_path):
    model = {"model": str(tmp_path / "nowhere")}
    with pytest.raises(InputError):
        training.with_text(dataset, {**model, **text})


@pytest.mark.parametrize("file", ["din_bert.yaml", "multitask.yaml"])
def test_examples_build(dataset, file):
    config = RunConfig.from_yaml((EXAMPLES / file).read_text())
    assert training.build_ranker(config, dataset).built
