"""What `tfadrec train` says when it has trained."""

import dataclasses

import pytest

from tests.training import small
from tfadrec import evaluation
from tfadrec.calibration import Calibration
from tfadrec.calibration.platt import Platt
from tfadrec.calibration.task_calibration import TaskCalibration
from tfadrec.cli.train import _beside_baselines


def test_beside_baselines_the_ranker_is_without_its_calibration(
    capsys, monkeypatch
):
    """The calibration has learned from the very rows, the baselines not."""
    bent = TaskCalibration("platt", Platt(1.0, -2.0))
    run = dataclasses.replace(
        small.run(), calibration=Calibration({"clicked": bent})
    )
    seen = []
    measure = evaluation.standings
    monkeypatch.setattr(
        evaluation, "standings", lambda all: seen.append(all) or measure(all)
    )
    _beside_baselines(run)
    metrics = seen[0]["the ranker"].metrics["clicked"]
    for name in ("auc", "gauc", "log_loss"):
        assert metrics[name] == pytest.approx(run.best[f"val_{name}"], abs=1e-6)
    assert "shown before its calibration" in capsys.readouterr().out
