"""Days that are scored before they are learned."""

import dataclasses
import types

import numpy as np
import pytest

from tests.training import small
from tfadrec import data, evaluation, training
from tfadrec.core.errors import InputError
from tfadrec.data.sources import prepare_table
from tfadrec.runs.before import check_replay
from tfadrec.training.replay import _bounds as bounds
from tfadrec.training.replay import _Way as Way

YAML = """
ads: {file: ads.csv, ad_id: ad, title: ad}
impressions: {file: log.csv, user_id: user, ad_id: ad, timestamp: time,
              clicked: click}
"""
DAYS, A_DAY, BATCH = 3, 120, 24
WAYS = ("frozen", "updated", "retrained")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """What is clicked changes on the second day: who learns that, gains."""
    folder = tmp_path_factory.mktemp("replayed")
    random = np.random.default_rng(0)
    lines = ["user,ad,time,click"]
    for day in range(DAYS):
        for i in range(A_DAY):
            ad = random.integers(6)
            liked = ad < 3 if day < 1 else ad >= 3
            click = random.random() < (0.9 if liked else 0.1)
            time = 86_400 * day + 700 * i
            lines.append(f"u{random.integers(5)},a{ad},{time},{click:d}")
    (folder / "log.csv").write_text("\n".join(lines))
    (folder / "ads.csv").write_text(
        "\n".join(["ad", *(f"a{i}" for i in range(6))])
    )
    (folder / "table.yaml").write_text(YAML)
    prepare_table(folder / "table.yaml", folder / "data")
    return folder / "data"


CONFIG = small.config(
    fit={"epochs": 3, "batch_size": BATCH, "steps_per_epoch": None},
    optimizer={"learning_rate": 0.15},
)
SETTINGS = {"first": 1 / DAYS, "days": 1.0, "epochs": 4}


@pytest.fixture(scope="module")
def replayed(world, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "replay"
    return training.replay(world, CONFIG, out, **SETTINGS), out


def test_every_day_is_scored_and_then_learned(world, replayed):
    found, _ = replayed
    assert [s["rows"] for s in found] == [A_DAY] * (DAYS - 1)
    first = found[0]
    assert first["frozen"] == first["updated"] == first["retrained"]
    # The first day that is other than before is met badly by all of them, and
    # the next one by the frozen ranker alone.
    assert first["frozen"]["auc"] < 0.4
    last = found[-1]
    assert last["frozen"]["auc"] < 0.4
    assert last["updated"]["auc"] > 0.7
    sums = evaluation.replay_sums(found)
    for way in WAYS:
        assert sums[way]["auc"] == pytest.approx(last[way]["auc"])
    gains = [
        sums[w]["auc"] - sums["frozen"]["auc"] for w in ("updated", "retrained")
    ]
    assert sums["gain_kept"] == pytest.approx(gains[0] / gains[1])


def test_what_it_cost(replayed):
    """Four passes of 80 % of a day and of what was held out the day before."""
    found, _ = replayed
    rows = int(0.8 * A_DAY) + int(0.2 * A_DAY)
    assert found[1]["updated"]["examples"] == 4 * (rows // BATCH) * BATCH
    # Three passes over both days but for the rows held out of all of them.
    again = int(0.8 * 2 * A_DAY)
    assert found[1]["retrained"]["examples"] in (
        epochs * (again // BATCH) * BATCH for epochs in (1, 2, 3)
    )
    seconds = [found[1][way]["seconds"] for way in ("updated", "retrained")]
    assert min(seconds) > 0
    sums = evaluation.replay_sums(found)
    assert sums["cost_seconds"] == pytest.approx(seconds[0] / seconds[1])
    line = evaluation.replay_line(sums)
    assert f"and {seconds[0] / seconds[1]:.1%} of its processor time" in line


@pytest.mark.parametrize("epochs", [1, 2])
def test_what_a_training_on_all_rows_costs_as_well(epochs):
    """The epochs that were measured, and those of the training after them."""
    rows = types.SimpleNamespace
    run = types.SimpleNamespace(
        ranker=rows(optimizer=rows(iterations=epochs * 50)),
        history=[{}] * 3,
        best_epoch=epochs,
        config=rows(fit={"batch_size": 2, "refit": True}),
        train=[0] * 90,
    )
    assert Way.of(run, None).examples == 2 * (3 * 45 + epochs * 50)


@pytest.mark.slow
def test_it_goes_on_where_it_was(world, replayed):
    found, out = replayed
    runs = sorted(p.name for p in out.iterdir())
    again = training.replay(world, CONFIG, out, **SETTINGS)
    assert sorted(p.name for p in out.iterdir()) == runs
    for one, other in zip(found, again, strict=True):
        for way in WAYS:
            assert other[way] == one[way]


def test_the_table(replayed):
    found, _ = replayed
    table = evaluation.replay_table(found).splitlines()
    assert len(table) == DAYS
    assert table[1].split()[:2] == ["1970-01-02", "120"]
    line = evaluation.replay_line(evaluation.replay_sums(found))
    assert "of retraining's gain" in line


def test_a_stretch_without_rows_belongs_to_the_one_before(tmp_path):
    (tmp_path / "ads.csv").write_text("ad\na0\na1")
    rows = [
        f"u{i % 3},a{i % 2},{86_400 * day + i},{i % 3 % 2}"
        for day in (0, 1, 4)
        for i in range(40)
    ]
    (tmp_path / "log.csv").write_text("\n".join(["user,ad,time,click", *rows]))
    (tmp_path / "table.yaml").write_text(YAML)
    prepare_table(tmp_path / "table.yaml", tmp_path / "data")
    dataset = data.open_dataset(tmp_path / "data")
    assert bounds(dataset, 1.0, 1 / 3) == [
        (None, 86_400),
        (86_400, 4 * 86_400),
        (4 * 86_400, None),
    ]


@pytest.mark.parametrize("settings", [{"first": 1.0}, {"days": 0.0}])
def test_wrong_arguments(world, tmp_path, settings):
    with pytest.raises(InputError, match="`first` must be a share"):
        training.replay(world, CONFIG, tmp_path / "x", **settings)
    assert not (tmp_path / "x").exists()
    assert data.open_dataset(world)


def test_a_replay_of_several_rankers_is_refused(world, tmp_path):
    several = small.config(fit={"ensemble": 2})
    with pytest.raises(InputError, match="`fit` with ensemble=2"):
        training.replay(world, several, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_replay_of_one_that_imitates_is_refused(world, tmp_path):
    config = dataclasses.replace(CONFIG, distil="runs/a")
    with pytest.raises(InputError, match="know the days to come"):
        training.replay(world, config, tmp_path / "x")


def test_the_command_goes_on_where_it_was(world, replayed):
    """What it looks at before the work is no hindrance."""
    _, out = replayed
    check_replay(world, CONFIG, out)


def test_the_folder_of_another_replay_or_of_others_is_refused(
    world, replayed, tmp_path
):
    """Its stretches are of other lengths, or of other rows."""
    _, out = replayed
    for name, value in (
        ("days", 0.5),
        ("first", 0.7),
        ("rehearse", 0.5),
        ("rate", 0.5),
    ):
        with pytest.raises(InputError, match=f"begun with another {name}"):
            training.replay(world, CONFIG, out, **{**SETTINGS, name: value})
    (tmp_path / "thesis").write_text("years")
    with pytest.raises(InputError, match="also holds thesis"):
        training.replay(world, CONFIG, tmp_path, **SETTINGS)
