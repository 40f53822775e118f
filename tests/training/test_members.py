"""Runs of several trainings: members, and each again on more rows."""

import json

import numpy as np
import pytest

from tests.training import small
from tests.training.test_run import (
    KilledError,
    assert_equal_runs,
    kill_at_call,
)
from tfadrec import evaluation, models, serving, training
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.training import members
from tfadrec.training.measure_epochs import MeasureEpochs


def logits(ranker, rows):
    return ranker.predict(rows.batches(64))["clicked"]


@pytest.mark.slow
def test_an_ensemble_is_trained_saved_and_read_back(tmp_path):
    out = tmp_path / "run"
    settings = small.config(fit={"ensemble": 2})
    run = training.train(small.world(), settings, out, progress=False)
    assert isinstance(run.ranker, models.RankerEnsemble)
    assert run.history == small.trained().history
    second = json.loads((out / "member-2/state.json").read_text())["history"]
    assert len(second) == 4
    assert second != run.history
    each = [logits(ranker, run.test) for ranker in run.ranker.rankers]
    alone = small.trained().ranker
    np.testing.assert_array_equal(each[0], logits(alone, run.test))
    read = training.load_run(out)
    np.testing.assert_array_equal(
        logits(read.ranker, run.test), logits(run.ranker, run.test)
    )
    with pytest.raises(InputError, match="update goes on with one ranker"):
        training.update(out, small.world(), tmp_path / "next")


@pytest.mark.parametrize(
    ("ensemble", "expected"),
    [(1, [""]), (2, ["member 1 of 2", "member 2 of 2"])],
)
def test_progress_names_the_member(monkeypatch, ensemble, expected):
    titles = []

    def fit_in(*_, title, **__):
        titles.append(title)
        return []

    monkeypatch.setattr(members, "fit_in", fit_in)
    monkeypatch.setattr(members, "_together", lambda rankers: None)
    nothing = [None] * 3  # no row is read
    settings = {"ensemble": ensemble}
    members.fit_members(None, lambda _: None, *nothing, settings)
    assert titles == expected
    told = MeasureEpochs(None, None, 4, 1, 5, False, titles[-1])._name(0)
    assert told == ", ".join(filter(None, [titles[-1], "epoch 1/4"]))


@pytest.mark.slow
def test_the_second_member_is_the_run_of_the_next_seed(tmp_path):
    found = {}
    for name, fit in (("both", {"ensemble": 2}), ("second", {"seed": 1})):
        found[name] = training.train(
            *(small.world(), small.config(fit=fit), tmp_path / name),
            progress=False,
        )
    rows = found["both"].test
    np.testing.assert_array_equal(
        logits(found["both"].ranker.rankers[1], rows),
        logits(found["second"].ranker, rows),
    )


@pytest.mark.slow
def test_refit_learns_from_the_validation_rows_too(tmp_path):
    """For as many epochs as it was best after, of the same schedule."""
    out = tmp_path / "run"
    settings = small.config(fit={"refit": True}, calibration={})
    run = training.train(small.world(), settings, out, progress=False)
    alone = small.trained()
    assert run.history == alone.history
    again = json.loads((out / "refit-1/state.json").read_text())["history"]
    assert len(again) == run.best_epoch
    assert len(run.learned) == len(run.train) + len(run.valid)
    np.testing.assert_array_equal(
        logits(run.chosen, run.test), logits(alone.ranker, run.test)
    )
    expected = training.build_ranker(settings, run.dataset, 0)
    training.fit(
        *(expected, run.learned, run.test, tmp_path / "by-hand"),
        until=run.best_epoch,
        progress=False,
        **{k: v for k, v in settings.fit.items() if k != "refit"},
    )
    checkpoint = tmp_path / f"by-hand/checkpoints/epoch-{run.best_epoch:04}"
    # Those of the last epoch; `fit` has put back the best ones.
    tf.train.Checkpoint(model=expected).read(str(checkpoint))
    np.testing.assert_array_equal(
        logits(run.ranker, run.test), logits(expected, run.test)
    )
    # What was learned from the validation rows is of the chosen ranker.
    assert run.calibration is not None
    read = training.load_run(out)
    with pytest.raises(InputError, match="`refit` it has learned from"):
        training.calibrate(read, out)


@pytest.mark.slow
def test_killed_in_any_training_ends_with_equal_weights(tmp_path):
    settings = small.config(fit={"ensemble": 2, "refit": True})

    def train(out):
        return training.train(small.world(), settings, out, progress=False)

    train(tmp_path / "whole")
    # 24 steps of each member, then each again.
    for number in (30, 50):
        with pytest.MonkeyPatch.context() as patch:
            kill_at_call(patch, MeasureEpochs, "on_train_batch_end", number)
            with pytest.raises(KilledError):
                train(tmp_path / "killed")
    train(tmp_path / "killed")
    assert_equal_runs(tmp_path / "killed", tmp_path / "whole")


@pytest.mark.slow
def test_an_ensemble_is_exported_and_scores_alike(tmp_path):
    out = tmp_path / "run"
    settings = small.config(fit={"ensemble": 2})
    run = training.train(small.world(), settings, out, progress=False)
    bundle = serving.export_bundle(run.ranker, run.test, tmp_path / "bundle")
    parity = json.loads((bundle / "parity.json").read_text())
    assert max(parity["differences"].values()) < 1e-5
    found = evaluation.evaluate(run.ranker, run.test, train=run.train)
    assert 0 < found.to_dict()["metrics"]["clicked"]["auc"] < 1
