"""Faults planted into a trained ranker."""

import dataclasses

import numpy as np
import pytest

from tests.training import small
from tfadrec import models, training
from tfadrec.calibration import Calibration
from tfadrec.calibration.platt import Platt
from tfadrec.calibration.task_calibration import TaskCalibration
from tfadrec.diagnosis import run_checks


@pytest.fixture
def run(tmp_path):
    """The small run, with a ranker of its own that a test may spoil."""
    return training.load_run(small.run_folder())


def found(check, run):
    return [(f.name, f.where, f.level) for f in check(run)]


CHECKS = (
    run_checks.broken_weights,
    run_checks.weights_that_do_not_train,
    run_checks.ignored_inputs,
    run_checks.saturated_logits,
    run_checks.equal_tasks,
)


def test_nothing_is_wrong_with_a_trained_ranker(run):
    for check in CHECKS:
        assert found(check, run) == []


def weight(run, part):
    """The first weight with some letters in its name."""
    return next(v for v in run.ranker.trainable_variables if part in v.name)


def test_weights_that_are_not_finite(run):
    kernel = weight(run, "kernel")
    values = kernel.numpy()
    values[0, 0] = np.nan
    kernel.assign(values)
    assert found(run_checks.broken_weights, run) == [
        ("weights_not_finite", kernel.name, "error")
    ]


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("exploding_embedding", lambda v: np.r_[v[:1] + 1e6, v[1:] + 1]),
        ("dead_embedding", np.zeros_like),
    ],
)
def test_tables(run, name, spoil):
    table = weight(run, "id/embedding")
    assert len(table.numpy()) >= 20
    table.assign(spoil(table.numpy()))
    assert found(run_checks.broken_weights, run) == [
        (name, table.name, "warning")
    ]


def test_a_head_that_is_cut_off(run):
    """With a last kernel of zeros nothing before it gets a gradient."""
    head = [v for v in run.ranker.trainable_variables if "head" in v.name]
    kernels = [v for v in head if v.shape.rank == 2]
    kernels[-1].assign(np.zeros(kernels[-1].shape))
    (finding,) = run_checks.weights_that_do_not_train(run)
    assert finding.name == "weights_do_not_train"
    still, all_of_them = map(
        int, finding.much.split(" weights")[0].split(" of ")
    )
    assert 3 < still < all_of_them
    names = [where for _, where, _ in found(run_checks.ignored_inputs, run)]
    assert "history" in names


def test_weights_that_read_histories_where_there_are_none(run):
    rows = dataclasses.replace(
        run.train.impressions,
        history_starts=np.zeros(len(run.train), np.int64),
        history_ends=np.zeros(len(run.train), np.int64),
    )
    bare = dataclasses.replace(run.train, impressions=rows)
    bare_run = dataclasses.replace(run, train=bare)
    (finding,) = run_checks.weights_that_do_not_train(bare_run)
    assert (finding.name, finding.level) == ("no_history", "note")


def test_logits_that_are_certain(run):
    bias = weight(run, "clicked_head/output/bias")
    bias.assign(bias.numpy() + 40)
    names = {f.name for f in run_checks.saturated_logits(run)}
    assert names == {"saturated_logits"}
    assert [f.name for f in run_checks.calibration_off(run)] == [
        "calibration_off"
    ]


def test_tasks_that_are_one(run, monkeypatch):
    predicted = run.ranker.predict(run.test.batches(100))
    twice = {**predicted, "converted": 2 * predicted["clicked"]}
    monkeypatch.setattr(models.AdRanker, "predict", lambda *_, **__: twice)
    assert found(run_checks.equal_tasks, run) == [
        ("equal_tasks", "clicked, converted", "warning")
    ]


def test_a_calibration_mends(run, monkeypatch):
    rows = run.test.impressions
    rate = float(rows.labels["clicked"].mean())
    right = np.full(len(run.test), np.log(rate / (1 - rate)), np.float32)
    off = {"clicked": right + 2}
    monkeypatch.setattr(models.AdRanker, "predict", lambda *_, **__: off)
    assert found(run_checks.calibration_off, run) == [
        ("calibration_off", "clicked", "warning")
    ]
    down = TaskCalibration("platt", Platt(1.0, -2.0))
    mended = dataclasses.replace(
        run, calibration=Calibration({"clicked": down})
    )
    assert found(run_checks.calibration_off, mended) == []


def test_chance(run, monkeypatch):
    rows = run.test.impressions
    against = {"clicked": -rows.labels["clicked"]}
    monkeypatch.setattr(models.AdRanker, "predict", lambda *_, **__: against)
    assert found(run_checks.no_better_than_chance, run) == [
        ("chance", "clicked", "warning")
    ]
    right = {"clicked": rows.labels["clicked"]}
    monkeypatch.setattr(models.AdRanker, "predict", lambda *_, **__: right)
    assert found(run_checks.no_better_than_chance, run) == []
