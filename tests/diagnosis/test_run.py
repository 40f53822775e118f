"""Faults planted into a trained ranker."""

import dataclasses
import json
import time
import zipfile

import numpy as np
import pytest

from tests.training import small
from tfadrec import models, training
from tfadrec.calibration import Calibration
from tfadrec.calibration.platt import Platt
from tfadrec.calibration.task_calibration import TaskCalibration
from tfadrec.core.door import keras, tf
from tfadrec.diagnosis import flavour, reading, run_checks, text_checks
from tfadrec.diagnosis.scored import Scored
from tfadrec.runs.folder import MODEL


@pytest.fixture
def run(untraced, tmp_path):
    """The small run, with a ranker of its own that a test may spoil."""
    return training.load_run(small.run_folder())


def found(check, of):
    return [(f.name, f.where, f.level) for f in check(of)]


OF_RUNS = (run_checks.broken_weights, run_checks.training_steps)
OF_SCORES = (
    reading.ignored_inputs,
    reading.read_padding,
    run_checks.saturated_logits,
    run_checks.equal_tasks,
)


def test_nothing_is_wrong_with_a_trained_ranker(run):
    scored = Scored.of_run(run)
    for checks, of in ((OF_RUNS, run), (OF_SCORES, scored)):
        for check in checks:
            assert found(check, of) == []
    assert found(flavour.keras_flavour, small.run_folder()) == []


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
    (finding,) = run_checks.training_steps(run)
    assert finding.name == "weights_do_not_train"
    still, all_of_them = map(
        int, finding.much.split(" weights")[0].split(" of ")
    )
    assert 3 < still < all_of_them
    names = [
        where
        for _, where, _ in found(reading.ignored_inputs, Scored.of_run(run))
    ]
    assert "history" in names


def test_rows_that_cannot_tell_of_histories_and_users(run, monkeypatch):
    """Dealt values are taken for others, as derived ones of no event may be."""
    monkeypatch.setattr(reading, "_is_like", lambda *_: False)
    head = [v for v in run.ranker.trainable_variables if "head" in v.name]
    kernels = [v for v in head if v.shape.rank == 2]
    kernels[-1].assign(np.zeros(kernels[-1].shape))
    # The small ranker reads no user id: the request's features stand for it.
    dealt = reading._groups
    monkeypatch.setattr(
        reading,
        "_groups",
        lambda found: {**dealt(found), "user id": dealt(found)["candidate"]},
    )

    def ignored(**columns):
        rows = dataclasses.replace(run.test.impressions, **columns)
        test = dataclasses.replace(run.test, impressions=rows)
        scored = Scored.of_run(dataclasses.replace(run, test=test))
        where = {w for _, w, _ in found(reading.ignored_inputs, scored)}
        return where & {"history", "user id"}

    nothing = np.zeros(len(run.test), np.int64)
    assert ignored() == {"history", "user id"}
    assert ignored(history_starts=nothing, history_ends=nothing) == {"user id"}
    assert ignored(users=nothing.astype(np.int32)) == {"history"}


def test_weights_that_read_histories_where_there_are_none(run):
    rows = dataclasses.replace(
        run.train.impressions,
        history_starts=np.zeros(len(run.train), np.int64),
        history_ends=np.zeros(len(run.train), np.int64),
    )
    bare = dataclasses.replace(run.train, impressions=rows)
    bare_run = dataclasses.replace(run, train=bare)
    (finding,) = run_checks.training_steps(bare_run)
    assert (finding.name, finding.level) == ("no_history", "note")


def test_logits_that_are_certain(run):
    bias = weight(run, "clicked_head/output/bias")
    bias.assign(bias.numpy() + 40)
    scored = Scored.of_run(run)
    names = {f.name for f in run_checks.saturated_logits(scored)}
    assert names == {"saturated_logits"}
    assert [f.name for f in run_checks.calibration_off(scored)] == [
        "calibration_off"
    ]


def test_tasks_that_are_one(run, monkeypatch):
    predicted = run.ranker.predict(run.test.batches(100))
    twice = {**predicted, "converted": 2 * predicted["clicked"]}
    monkeypatch.setattr(models.AdRanker, "predict", lambda *_, **__: twice)
    assert found(run_checks.equal_tasks, Scored.of_run(run)) == [
        ("equal_tasks", "clicked, converted", "warning")
    ]


def test_a_calibration_mends(run, monkeypatch):
    rows = run.test.impressions
    rate = float(rows.labels["clicked"].mean())
    right = np.full(len(run.test), np.log(rate / (1 - rate)), np.float32)
    off = {"clicked": right + 2}
    monkeypatch.setattr(models.AdRanker, "predict", lambda *_, **__: off)
    assert found(run_checks.calibration_off, Scored.of_run(run)) == [
        ("calibration_off", "clicked", "warning")
    ]
    wrong = TaskCalibration("platt", Platt(1.0, -4.0))
    harmed = dataclasses.replace(
        run, calibration=Calibration({"clicked": wrong})
    )
    (finding,) = run_checks.calibration_off(Scored.of_run(harmed), "runs/a")
    for option in ("--remove", "--on test"):
        assert f"`tfadrec calibrate runs/a {option}`" in finding.mend
    down = TaskCalibration("platt", Platt(1.0, -2.0))
    mended = dataclasses.replace(
        run, calibration=Calibration({"clicked": down})
    )
    assert found(run_checks.calibration_off, Scored.of_run(mended)) == []


def test_chance(run, monkeypatch):
    rows = run.test.impressions
    against = {"clicked": -rows.labels["clicked"]}
    monkeypatch.setattr(models.AdRanker, "predict", lambda *_, **__: against)
    assert found(run_checks.no_better_than_chance, Scored.of_run(run)) == [
        ("chance", "clicked", "warning")
    ]
    right = {"clicked": rows.labels["clicked"]}
    monkeypatch.setattr(models.AdRanker, "predict", lambda *_, **__: right)
    assert found(run_checks.no_better_than_chance, Scored.of_run(run)) == []


def test_a_mask_that_is_not_heeded(run, monkeypatch):
    """An encoder to which every place is an event."""
    encoder = type(run.ranker.user_tower.encoder)
    call = encoder.call

    def blind(self, inputs, *args, **kwargs):
        mask = tf.ones_like(inputs["mask"])
        return call(self, {**inputs, "mask": mask}, *args, **kwargs)

    monkeypatch.setattr(encoder, "call", blind)
    assert found(reading.read_padding, Scored.of_run(run)) == [
        ("padding_read", "history", "error")
    ]


def test_rows_that_come_late(run, monkeypatch):
    batches = type(run.train).batches

    def slow(self, *args, **kwargs):
        for batch in batches(self, *args, **kwargs):
            time.sleep(0.01)
            yield batch

    def learned_at_once(ranker, batch):
        return np.ones(len(ranker.trainable_variables))

    monkeypatch.setattr(run_checks, "_slopes", learned_at_once)
    monkeypatch.setattr(type(run.train), "batches", slow)
    assert found(run_checks.training_steps, run) == [
        ("slow_input", "batches", "warning")
    ]


@pytest.mark.parametrize(
    ("version", "level"), [("3.4.1", "error"), ("2.15.0", "note")]
)
def test_another_keras(version, level, tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / MODEL, "w") as file:
        file.writestr("metadata.json", json.dumps({"keras_version": version}))
    assert found(flavour.keras_flavour, tmp_path) == [
        ("keras_flavour", MODEL, level)
    ]
    monkeypatch.setattr(keras, "__version__", "2.15.0")
    assert ("keras_flavour", "tf_keras", "warning") in found(
        flavour.keras_flavour, None
    )


def test_copy_that_is_cut(run, monkeypatch):
    class Cutting:
        max_tokens = 16

        def cut_share(self, texts):
            return sum(len(text) > 3 for text in texts) / len(texts)

    monkeypatch.setattr(text_checks, "tokenizer_of", lambda text: Cutting())
    assert found(text_checks.cut_tokens, run) == []  # it reads no copy
    reading = dataclasses.replace(run.config, text={"model": "minilm"})
    assert found(
        text_checks.cut_tokens, dataclasses.replace(run, config=reading)
    ) == [("text_cut", "ad text", "warning")]
