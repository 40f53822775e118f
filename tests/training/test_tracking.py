"""Each epoch is told once, over as many calls as a run takes."""

import contextlib
import json
import os

import numpy as np
import pytest

from tests.training import small
from tfadrec import training
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError
from tfadrec.runs.folder import run_folder
from tfadrec.training.tracking import Tracker, tracked, trackers

HISTORY = [{"loss": 3.0 - n, "val_auc": 0.5 + n / 10} for n in range(3)]


class Notes(Tracker):
    """Keeps what it was told."""

    name = "notes"

    def __init__(self, fails_at=None):
        self.told, self._fails_at = [], fails_at

    def begin(self, run, settings, known):
        self.told.append(("begin", run, settings, known))
        return known or "seven"

    def log(self, epoch, metrics):
        if epoch == self._fails_at:
            raise ConnectionError("the server\nis away")
        self.told.append((epoch, metrics["loss"]))

    def show(self, ranker, dataset):
        self.told.append("show")

    def end(self, *, has_failed):
        self.told.append(("end", has_failed))


@contextlib.contextmanager
def tracking(path, *found):
    folder = run_folder(path)
    settings = {"fit": {"epochs": 3, "monitor": None}, "ranker": {"x": [1]}}
    with folder.held(), tracked(folder, found, settings) as made:
        yield made


def test_a_run_goes_on_with_the_same_id(tmp_path):
    first, second = Notes(), Notes()
    with tracking(tmp_path / "run", first) as made:
        made.log(HISTORY[:1])
        made.log(HISTORY[:1])
    settings = {"fit.epochs": 3, "ranker.x": "[1]"}
    assert first.told == [
        ("begin", "run", settings, None),
        (1, 3.0),
        ("end", False),
    ]

    def interrupted():
        with tracking(tmp_path / "run", second) as made:
            made.log(HISTORY)
            made.show(None, None)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert second.told == [
        ("begin", "run", settings, "seven"),
        (2, 2.0),
        (3, 1.0),
        "show",
        ("end", True),
    ]
    kept = json.loads((tmp_path / "run" / "tracking.json").read_text())
    assert kept == {"notes": {"id": "seven", "epochs": 3}}


def test_a_tracker_that_fails_ends_no_training(tmp_path, caplog):
    broken, whole = Notes(fails_at=2), Notes()
    whole.name = "others"
    with tracking(tmp_path / "run", broken, whole) as made:
        made.log(HISTORY)
    assert [e for e in broken.told if isinstance(e[0], int)] == [(1, 3.0)]
    assert whole.told[-1] == ("end", False)
    assert "notes no longer tracks the run: the server is away" in caplog.text


def test_without_trackers_nothing_is_written(tmp_path):
    with tracking(tmp_path / "run") as made:
        made.log(HISTORY)
    assert not (tmp_path / "run").exists()


def test_a_run_is_the_same_however_it_is_tracked():
    config = RunConfig.from_yaml("track: {wandb: ads}")
    assert config.track == {"wandb": "ads"}
    assert config.to_yaml() == RunConfig().to_yaml()


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_what_is_not_installed(tmp_path, monkeypatch, name):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=rf"tfadrec\[{name}\]"):
        trackers(tmp_path, **{name: "x"})


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_mlflow_and_wandb_keep_one_run(tmp_path, monkeypatch):
    """Two epochs, and two more in a second call."""
    mlflow = pytest.importorskip("mlflow")
    pytest.importorskip("wandb")
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    text = f"\ntrack: {{wandb: ads, mlflow: '{uri}', hparams: true}}\n"
    config = RunConfig.from_yaml(small.YAML + text)
    run = tmp_path / "run"
    for until in (2, None):
        done = training.train(
            small.world(), config, run, until=until, progress=False
        )
    client = mlflow.MlflowClient(tracking_uri=uri)
    (experiment,) = client.search_experiments(filter_string="name = 'tfadrec'")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED"
    assert found.data.params["fit.epochs"] == "4"
    told = client.get_metric_history(found.info.run_id, "val_auc")
    assert [m.step for m in told] == [1, 2, 3, 4][: len(done.history)]
    np.testing.assert_allclose(
        [m.value for m in told], [e["val_auc"] for e in done.history]
    )
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["WANDB_ERROR_REPORTING"] == "false"
    kept = json.loads((run / "tracking.json").read_text())
    ids = [f.name.split("-")[-1] for f in run.glob("wandb/offline-run-*")]
    assert ids == [kept["wandb"]["id"]] * 2
    # What trackers write beside is of others, and the run stays whole.
    training.load_run(run)
