"""What is said of a ranker before its first step."""

import dataclasses

import numpy as np
import pytest

from tests.training import small
from tfadrec import data, training
from tfadrec.core.feature import Feature
from tfadrec.training import without_steps


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, ""),
        ((), "begins with no levels and no slopes\n"),
        (("users", "ads"), "begins with levels of ads, users and no slopes\n"),
        (
            ("users by feature tags_2", "users by texts"),
            "begins with no levels and slopes of users by tags, users by "
            "texts\n",
        ),
    ],
)
def test_levels_and_slopes_are_told_in_the_names_of_features(
    monkeypatch, capsys, found, told
):
    monkeypatch.setattr(without_steps, "start_linear", lambda *_: found)
    log = data.open_dataset(small.world())
    ranker = training.build_ranker(small.config(), log)
    ranker.build()
    tags = Feature("tags", "ad", "categories", "tags_2")
    features = (*log.schema.features, tags)
    object.__setattr__(log.schema, "features", features)
    without_steps.start(ranker, log, progress=True)
    assert capsys.readouterr().err == told


@pytest.mark.parametrize("every", [1, 3])
def test_a_mix_is_found_on_whole_users_of_a_part(monkeypatch, every):
    log = data.open_dataset(small.world())
    ranker = training.build_ranker(small.config(fold_in={"rank": 2}), log)
    ranker.build()
    asked = []

    def mix_opinions(_, batches, labels, weights, users, better):
        asked.append((batches(), labels, users))
        assert weights is None
        assert better(labels, -labels)
        assert not better(-labels, labels)

    monkeypatch.setattr(without_steps, "mix_opinions", mix_opinions)
    monkeypatch.setattr(without_steps, "_MIXED", -(-len(log) // every))
    without_steps.mix(ranker, log, "val_auc", progress=False)
    ((batches, labels, users),) = asked
    rows = log.impressions
    kept = np.isin(rows.people, users)
    assert kept.mean() == pytest.approx(1 / every, abs=0.2)
    np.testing.assert_array_equal(labels, rows.labels["clicked"][kept])
    shown = [inputs["candidate_ads"] for inputs, *_ in batches]
    np.testing.assert_array_equal(np.concatenate(shown), rows.ads[kept])


def level_of(ranker):
    return ranker.fold_in.mix.numpy()[-1]


def built_on(log, **losses):
    ranker = training.build_ranker(
        small.config(fold_in={"rank": 2}, ranker={"losses": losses}), log
    )
    ranker.build()
    return ranker


@pytest.mark.parametrize("weight", [None, 3.0])
def test_a_level_is_where_as_many_clicks_are_predicted_as_seen(weight):
    log = data.open_dataset(small.world())
    rows = log.impressions
    counts = np.ones(len(log))
    if weight is not None:
        counts[rows.labels["clicked"] == 1] = weight
        rows = dataclasses.replace(rows, weights=counts)
        log = dataclasses.replace(log, impressions=rows)
    ranker = built_on(log)
    without_steps.set_level(ranker, log)
    assert level_of(ranker) != 0
    logits = ranker.predict(log.batches(64))["clicked"]
    predicted = counts @ (1 / (1 + np.exp(-logits.astype(float))))
    assert predicted == pytest.approx(counts @ rows.labels["clicked"], 1e-4)


def test_a_level_is_left_where_nothing_tells_it():
    log = data.open_dataset(small.world())
    clicked = log.impressions.labels["clicked"]
    few = log.select(np.append(np.flatnonzero(clicked)[:9], [0, 1, 2]))
    ranker = built_on(log)
    without_steps.set_level(ranker, few)
    assert level_of(ranker) == 0


def test_the_level_of_a_loss_that_fixes_none_is_set_once_there_is_a_mix():
    log = data.open_dataset(small.world())
    ranker = built_on(log, clicked="ranknet")
    without_steps.set_level(ranker, log)
    assert level_of(ranker) == 0
    ranker.fold_in.mix.assign([1, 1, 0, 0.5, 0, 0, 0, 0])
    without_steps.set_level(ranker, log)
    assert level_of(ranker) != 0
