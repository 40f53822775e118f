"""Run folders: resume to equal weights, and every folder that is refused."""

import dataclasses
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.training import small
from tfadrec import evaluation, training
from tfadrec.core.config import RunConfig
from tfadrec.core.door import keras
from tfadrec.core.errors import InputError
from tfadrec.data.open_dataset import open_dataset
from tfadrec.runs.folder import run_folder
from tfadrec.training.measure_epochs import MeasureEpochs
from tfadrec.training.opened import split_parts

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


class KilledError(BaseException):
    """Stands for SIGKILL: nothing in the package catches it."""


def assert_equal_runs(found, expected):
    """Every variable of model.keras, bit by bit, and the history."""
    found, expected = training.load_run(found), training.load_run(expected)
    assert found.history == expected.history
    ours, theirs = found.ranker.variables, expected.ranker.variables
    assert len(ours) == len(theirs) > 10
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.name)


def kill_at_call(patch, holder, name, number, when=lambda *args: True):
    """The `number`-th call of a function (of those meant) kills the run."""
    real, calls = getattr(holder, name), []

    def deadly(*args, **kwargs):
        if when(*args):
            calls.append(1)
            if len(calls) == number:
                raise KilledError
        return real(*args, **kwargs)

    patch.setattr(holder, name, deadly)


def test_shares_that_change_nothing_are_told(caplog):
    """A published split is kept, whatever shares the settings ask for."""
    dataset = open_dataset(small.world())
    names = np.array(["train", "valid", "test"])[np.arange(len(dataset)) % 3]
    rows = dataclasses.replace(dataset.impressions, splits=names)
    dataset = dataclasses.replace(dataset, impressions=rows)
    split_parts(dataset, small.config())
    assert not caplog.records
    _, (_, valid, _) = split_parts(dataset, small.config(data={"valid": 0.2}))
    assert len(valid) == (names == "valid").sum()
    assert "valid in `data` change nothing" in caplog.text


@pytest.mark.slow
def test_killed_at_every_kind_of_moment_ends_with_equal_weights(tmp_path):
    """One run is killed five times and taken up again after each."""
    out = tmp_path / "run"

    def replaces(name):
        return lambda _, to: pathlib.Path(to).name == name

    moments = [
        # Before run.json has its name.
        (os, "replace", 1, replaces("run.json")),
        # Before the first epoch ended.
        (MeasureEpochs, "on_train_batch_end", 4, lambda *_: True),
        # In epoch 2, its checkpoint written and state.json not replaced.
        (os, "replace", 2, replaces("state.json")),
        # In the middle of epoch 3 (epoch 2 is trained again: 6 + 3 steps).
        (MeasureEpochs, "on_train_batch_end", 9, lambda *_: True),
        # Epoch 3 is saved, older checkpoints are not yet removed.
        (pathlib.Path, "unlink", 1, lambda file: "epoch-" in file.name),
        # All is trained, model.keras is written and does not have its name.
        (os, "replace", 1, replaces("model.keras")),
    ]
    for holder, name, number, when in moments:
        with pytest.MonkeyPatch.context() as patch:
            kill_at_call(patch, holder, name, number, when)
            with pytest.raises(KilledError):
                training.train(
                    small.world(), small.config(), out, progress=False
                )
        assert not (out / "model.keras").exists()
    training.train(small.world(), small.config(), out, progress=False)
    assert_equal_runs(out, small.run_folder())
    assert len(training.load_run(out).history) == 4


def test_a_finished_run_trains_nothing_more(tmp_path, monkeypatch):
    out = shutil.copytree(small.run_folder(), tmp_path / "run")
    monkeypatch.setattr(
        "tfadrec.models.AdRanker.train_step",
        lambda *_: pytest.fail("it trained"),
    )
    again = training.train(small.world(), small.config(), out, progress=False)
    assert again.history == small.run().history
    assert_equal_runs(out, small.run_folder())


def test_a_loaded_run_is_the_trained_one():
    trained, loaded = small.trained(), small.run()
    rows = loaded.test.batches(64)
    np.testing.assert_array_equal(
        trained.ranker.predict(rows)["clicked"],
        loaded.ranker.predict(rows)["clicked"],
    )
    assert loaded.config == trained.config == small.config()
    sizes = [len(getattr(loaded, p)) for p in ("train", "valid", "test")]
    assert sum(sizes) == len(loaded.dataset) == 30 * 12 * 3
    assert loaded.train.history_length == 6
    # The best epoch of the history is what `best` tells of.
    assert loaded.best["val_auc"] == max(e["val_auc"] for e in loaded.history)


@pytest.fixture
def begun(tmp_path):
    """A copy of the finished run, to be spoilt."""
    return shutil.copytree(small.run_folder(), tmp_path / "begun")


def again(out, dataset=None, **sections):
    return training.train(
        dataset or small.world(), small.config(**sections), out, progress=False
    )


def test_other_settings_are_refused(begun):
    with pytest.raises(InputError, match="begun with other settings"):
        again(begun, fit={"epochs": 5})


def test_another_dataset_is_refused(begun, tmp_path):
    other = small.make_world(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match="begun with another dataset"):
        again(begun, other)


def test_a_changed_dataset_is_refused(begun, tmp_path):
    """One label is flipped: sizes and ids are as before."""
    data = shutil.copytree(small.world(), tmp_path / "data")
    record = json.loads((begun / "run.json").read_text())
    record["data"] = str(data)
    small.rewrite(begun, "run.json", json.dumps(record))
    training.load_run(begun)
    file = data / "impressions.parquet"
    table = pq.read_table(file)
    labels = table["clicked"].to_numpy().copy()
    labels[0] = 1 - labels[0]
    place = table.column_names.index("clicked")
    pq.write_table(table.set_column(place, "clicked", [labels]), file)
    with pytest.raises(InputError, match=r"impressions\.parquet is not"):
        training.load_run(begun)
    (data / "manifest.json").unlink()
    with pytest.raises(InputError, match="which has changed since"):
        training.load_run(begun)
    with pytest.raises(InputError, match="a dataset that has changed since"):
        again(begun, data)


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match=r"also holds thesis\.tex"):
        again(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_settings_that_failed_do_not_claim_the_folder(untraced, tmp_path):
    """A typing error is mended without removing anything."""
    out = tmp_path / "run"
    for sections in (
        {"ad_tower": {"widht": 4}},
        {"fit": {"patience": 0}},
        {"fit": {"epoch": 1}},
    ):
        with pytest.raises(InputError):
            again(out, **sections)
    assert len(again(out, fit={"epochs": 1}).history) == 1


@pytest.mark.parametrize(
    ("section", "settings", "message"),
    [
        ("fit", {"epoch": 3}, r"`fit` takes ensemble, .*seed.*: epoch\."),
        ("fit", {"progress": False}, "`fit` takes .* Received: progress"),
        ("data", {"train": 0.5}, "`data` takes history_length, valid, test"),
        (
            "data",
            {"valid": "many"},
            r"`data.valid` must be a number in \(0, 1\)",
        ),
        ("data", {"valid": 0.0}, r"in \(0, 1\). Received: valid=0.0"),
        ("data", {"valid": 0.5, "test": 0.5}, "shares must lie in"),
        (
            "data",
            {"history_length": -1},
            "integer >= 0 and <= 65536. Received: history_length=-1",
        ),
        (
            "data",
            {"history_length": "x"},
            "integer >= 0 and <= 65536. Received: history_length='x'",
        ),
    ],
)
def test_bad_settings(tmp_path, section, settings, message):
    with pytest.raises(InputError, match=message):
        again(tmp_path / "run", **{section: settings})


def test_no_dataset(tmp_path):
    with pytest.raises(InputError, match="a dataset is a folder"):
        again(tmp_path / "run", tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"history": [{"loss": 1}]}',
        '{"history": []}',
        '{"history": {}}',
        '{"history": ["loss val_auc"]}',
        '{"history": [{"loss": 1, "val_auc": "x"}]}',
        "[" * 100_000,
        "\udcff",
    ],
)
def test_a_spoilt_state(begun, text):
    (begun / "state.json").write_bytes(text.encode(errors="surrogateescape"))
    (begun / "manifest.json").unlink()
    message = "state.json must hold its history.*Remove"
    with pytest.raises(InputError, match=message):
        again(begun)
    with pytest.raises(InputError, match=message):
        training.load_run(begun)


@pytest.mark.parametrize("spoil", ["remove", "cut"])
def test_a_spoilt_checkpoint(begun, spoil):
    """Without a manifest, as in a run of version 0.1.0."""
    (begun / "manifest.json").unlink()
    for file in (begun / "checkpoints").glob("epoch-0004*"):
        if spoil == "remove":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(InputError, match=r"checkpoint.*epoch-0004.*Remove"):
        again(begun)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"data": 1, "fingerprint": "", "config": ""}',
        '{"data": "", "fingerprint": "", "config": {}}',
        "[" * 100_000,
    ],
)
def test_a_spoilt_record(begun, text):
    (begun / "run.json").write_text(text)
    (begun / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"run\.json must say"):
        training.load_run(begun)
    with pytest.raises(InputError, match=r"run\.json must say|also holds"):
        again(begun)


def test_a_record_that_names_an_address(begun, monkeypatch):
    """Nobody is asked, unless the user names the address."""
    record = json.loads((begun / "run.json").read_text())
    with monkeypatch.context() as patch:
        patch.setattr(
            "tfadrec.data.dataset_files.open_filesystem",
            lambda path: pytest.fail(f"asked {path}"),
        )
        for address in ("gs://a/data", "s3://a/data", "http://10.0.0.1/data"):
            record["data"] = address
            small.rewrite(begun, "run.json", json.dumps(record))
            with pytest.raises(InputError, match=f"this machine.*{address}"):
                training.load_run(begun)
    assert len(training.load_run(begun, data=small.world()).test)


@pytest.mark.parametrize("spoil", ["other", "cut", "flipped", "other model"])
def test_a_spoilt_model(begun, spoil):
    (begun / "manifest.json").unlink()
    file = begun / "model.keras"
    content = bytearray(file.read_bytes())
    if spoil == "other":
        content = bytearray(b"none")
    elif spoil == "cut":
        del content[-100:]
    elif spoil == "flipped":
        content[len(content) // 2] ^= 1
    file.write_bytes(content)
    if spoil == "other model":
        other = keras.Sequential([keras.layers.Dense(1, input_shape=[1])])
        other.save(file)
    message = r"model\.keras must be a ranker.*Remove it and train again"
    with pytest.raises(InputError, match=message) as error:
        training.load_run(begun)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("run.json", "Remove the run's folder and train again"),
        ("state.json", "Remove the run's folder and train again"),
        ("model.keras", "Remove it and train again: that goes on from"),
        ("checkpoints/epoch-0004.index", "Remove the run's folder"),
    ],
)
def test_every_changed_bit_is_found(begun, name, mend):
    """In the middle of a file, where its format may not notice it."""
    file = begun / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    message = f"files must be as they were written.*where {name} is not. {mend}"
    with pytest.raises(InputError, match=message) as error:
        again(begun)
    assert "\n" not in str(error.value)
    if "epoch" not in name:
        with pytest.raises(InputError, match=message):
            training.load_run(begun)


def test_a_changed_calibration_is_found(begun):
    folder = run_folder(begun)
    with folder.held():
        folder.write_text("calibration.json", '{"tasks": {}, "field": null}')
    assert training.load_run(begun).calibration.tasks == {}
    (begun / "calibration.json").write_text('{"tasks": {}, "field": "x"}')
    with pytest.raises(InputError, match=r"calibration\.json is not\. Remove"):
        training.load_run(begun)


def test_rows_of_one_class_are_no_calibration(tmp_path):
    """And one that is there stays."""
    run = small.run()
    clicked = run.valid.impressions.labels["clicked"] == 1
    alone = dataclasses.replace(run, valid=run.valid.select(~clicked))
    (tmp_path / "calibration.json").write_text("{}")
    with pytest.raises(InputError, match="'valid', in whose rows no task"):
        training.calibrate(alone, tmp_path)
    assert (tmp_path / "calibration.json").read_text() == "{}"


def test_a_model_that_is_removed_is_made_again(begun):
    """Byte by byte the same, whenever it was written."""
    before = (begun / "model.keras").read_bytes()
    (begun / "model.keras").unlink()
    again(begun)
    assert (begun / "model.keras").read_bytes() == before


def test_what_is_not_of_the_run_is_refused_and_stays(begun):
    for name in ("notes.txt", "checkpoints/mine.txt"):
        (begun / name).write_text("x")
        with pytest.raises(InputError, match=f"which also holds {name}"):
            again(begun)
        (begun / name).unlink()
    (begun / "report.html").write_text("of evaluate")
    (begun / "tensorboard" / "mine.txt").write_text("x")
    again(begun)
    assert (begun / "report.html").exists()
    assert (begun / "tensorboard" / "mine.txt").exists()


def test_a_second_trainer_is_refused(begun, tmp_path):
    """Of the same run, of a run that is new, and by `fit`."""
    for out in (begun, tmp_path / "new"):
        with (
            small.folder_of(out).held(),
            pytest.raises(
                InputError, match="by one process at a time"
            ) as error,
        ):
            again(out)
        assert "\n" not in str(error.value)
    assert not (tmp_path / "new").exists()
    again(begun)


def test_a_run_that_fails_before_its_first_step_leaves_nothing(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(
        "tfadrec.training.run.build_ranker",
        lambda *_: (_ for _ in ()).throw(InputError("no")),
    )
    with pytest.raises(InputError, match="no"):
        again(tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["nowhere", "."])
def test_no_run(tmp_path, name):
    with pytest.raises(InputError, match=r"has no model\.keras|is not there"):
        training.load_run(tmp_path / name)


def test_the_example_of_clicks_and_conversions_runs(untraced, tmp_path):
    """From its file to metrics of both tasks, cut short."""
    example = RunConfig.from_yaml(
        (EXAMPLES / "multitask.yaml").read_text("utf-8")
    )
    config = dataclasses.replace(
        example,
        text=None,
        fit={**example.fit, "epochs": 1, "steps_per_epoch": 2},
    )
    out = tmp_path / "run"
    training.train(small.world(), config, out, progress=False)
    run = training.load_run(out)
    assert {"val_auc", "val_converted_auc"} <= set(run.best)
    found = evaluation.evaluate(run.ranker, run.test, train=run.train)
    predicted = ["clicked", "converted", "converted_if_clicked"]
    assert sorted(found.metrics) == predicted
    metrics = [found.metrics[name] for name in predicted]
    assert metrics[0]["count"] == metrics[1]["count"] == len(run.test)
    assert metrics[2]["count"] == metrics[0]["positives"]
    assert metrics[2]["positives"] == metrics[1]["positives"]


@pytest.mark.slow
def test_sigkill_at_random_moments_ends_with_equal_weights(tmp_path):
    """Real processes, killed at three random moments of one run."""
    settings = tmp_path / "small.yaml"
    text = small.YAML.replace("steps_per_epoch: 6", "steps_per_epoch: 300")
    settings.write_text(text)

    def command(out):
        return [
            *(sys.executable, "-m", "tfadrec", "train"),
            *("--data", small.world(), "--config", settings, "--out", out),
        ]

    whole, out = tmp_path / "whole", tmp_path / "killed"
    begin = time.monotonic()
    subprocess.run(command(whole), check=True, capture_output=True)
    seconds = time.monotonic() - begin
    draws = random.Random(0)
    for _ in range(3):
        process = subprocess.Popen(
            command(out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(seconds * draws.uniform(0.3, 0.9))
        process.send_signal(signal.SIGKILL)
        process.wait()
        state = out / "state.json"
        if state.exists():
            json.loads(state.read_text())
    subprocess.run(command(out), check=True, capture_output=True)
    assert_equal_runs(out, whole)


def test_the_world_has_what_the_tests_need():
    dataset = open_dataset(small.world())
    assert dataset.schema.ad_id_type == "string"
    assert dataset.impressions.history_lengths.max() > 6
    assert dataset.impressions.history_lengths.min() == 0
