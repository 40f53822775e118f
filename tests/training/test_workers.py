"""Several processes train one model as one does, and survive a kill."""

import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest
import yaml

from tests.training.cluster import (
    CONFIG,
    ROOT,
    assert_same,
    epochs_of,
    start,
    train_alone,
    train_together,
)
from tfadrec.cli.train import train as train_command
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.manifest import Manifest
from tfadrec.runs.folder import run_folder
from tfadrec.runs.task import Task, read_task
from tfadrec.training.workers import Workers, joined, place_of

PAIR = {"worker": ["a:1", "b:1"]}
FIRST = {"type": "worker", "index": 0}


def set_config(monkeypatch, **parts):
    monkeypatch.setenv("TF_CONFIG", json.dumps(parts))


def test_one_process_is_alone(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert read_task() == Task(0, 1)
    set_config(monkeypatch, cluster={}, task={})
    assert read_task() == Task(0, 1)


def test_parameter_servers_come_last(monkeypatch):
    cluster = {"chief": ["a:1"], "ps": ["d:1"], "worker": ["b:1", "c:1"]}
    for job, index, expected in (
        ("chief", 0, Task(0, 1, 1)),
        ("worker", 1, Task(2, 1, 1)),
        ("ps", 0, Task(3, 1, 1)),
    ):
        set_config(
            monkeypatch, cluster=cluster, task=dict(type=job, index=index)
        )
        assert read_task() == expected
        assert read_task().is_one_of_several
    assert not Task().is_one_of_several


def test_the_chief_comes_before_the_workers(monkeypatch):
    cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    for job, index, expected in (
        ("chief", 0, Task(0, 3)),
        ("worker", 0, Task(1, 3)),
        ("worker", 1, Task(2, 3)),
    ):
        set_config(
            monkeypatch, cluster=cluster, task=dict(type=job, index=index)
        )
        assert read_task() == expected
    set_config(monkeypatch, cluster=PAIR, task=FIRST)
    assert read_task().is_first


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "TF_CONFIG must be JSON with a `cluster`"),
        ("[]", "TF_CONFIG must be JSON"),
        ("[" * 100_000, "TF_CONFIG must be JSON"),
        (
            json.dumps(
                {"cluster": PAIR, "task": {"type": "worker", "index": math.inf}}
            ),
            "TF_CONFIG must be JSON",
        ),
        (json.dumps({"cluster": PAIR}), "TF_CONFIG must be JSON"),
        (
            json.dumps(
                {"cluster": PAIR, "task": {"type": "worker", "index": 2}}
            ),
            "TF_CONFIG must be JSON",
        ),
        (
            json.dumps(
                {
                    "cluster": {**PAIR, "evaluator": ["c:1"]},
                    "task": {"type": "evaluator", "index": 0},
                }
            ),
            "Received: TF_CONFIG with 'evaluator'",
        ),
        (
            json.dumps(
                {
                    "cluster": {**PAIR, "ps": ["c:1"]},
                    "task": {"type": "ps", "index": 0},
                }
            ),
            'Received: TF_CONFIG with {"worker": 2, "ps": 1}',
        ),
    ],
)
def test_a_wrong_cluster(monkeypatch, text, said):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=re.escape(said)):
        read_task()


def test_the_first_works_in_the_folder_itself(tmp_path):
    with place_of(Task(0, 2), tmp_path / "run") as place:
        assert place == tmp_path / "run"


def test_another_works_in_a_copy_that_goes_away(tmp_path):
    folder = run_folder(tmp_path / "run")
    with folder.held():
        folder.write_text("state.json", "{}")
        folder.write_text("checkpoints/epoch-0001.index", "a")
        folder.write_text("model.keras", "large")
    with place_of(Task(1, 2), folder.path) as place:
        assert (place / "checkpoints/epoch-0001.index").read_text() == "a"
        assert set(Manifest.in_folder(place).files) == {
            "state.json",
            "checkpoints/epoch-0001.index",
        }
        copy = run_folder(place)
        with copy.held():  # it is a run that can be gone on with
            copy.write_text("state.json", "{ }")
    assert not place.exists()
    assert (folder.path / "state.json").read_text() == "{}"


def test_a_copy_of_nothing_is_a_folder_to_make(tmp_path):
    with place_of(Task(1, 2), tmp_path / "run") as place:
        assert not place.exists()


@pytest.mark.slow
def test_what_a_killed_worker_left_is_cleared(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = (
        "import os, signal, sys\n"
        "from tfadrec.runs.task import Task\n"
        "from tfadrec.training.workers import place_of\n"
        "with place_of(Task(1, 2), sys.argv[1]):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run")],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        check=False,
    )
    assert list(tmp_path.glob(".tfadrec-worker-*"))
    with place_of(Task(1, 2), tmp_path / "run"):
        pass
    assert not list(tmp_path.glob(".tfadrec-worker-*"))


def test_workers_that_know_other_epochs(monkeypatch):
    workers = Workers(Task(1, 2), tf.distribute.get_strategy())
    monkeypatch.setattr(workers, "_sum", lambda done: done + 2)
    workers.require_same(2)
    with pytest.raises(InputError, match=r"worker 1 with 1 epochs"):
        workers.require_same(1)


def test_workers_are_joined_first_of_all(monkeypatch):
    tf.constant(0) + 1
    set_config(monkeypatch, cluster=PAIR, task=FIRST)
    with pytest.raises(InputError, match="before TensorFlow has run"):
        joined(read_task())


def test_the_example_for_kubernetes_names_arguments_of_train():
    job = yaml.safe_load((ROOT / "examples/tfjob.yaml").read_text())
    worker = job["spec"]["tfReplicaSpecs"]["Worker"]
    (container,) = worker["template"]["spec"]["containers"]
    assert container["name"] == "tensorflow"  # as the operator wants it
    command, name, *arguments = container["command"]
    assert (command, name) == ("tfadrec", "train")
    told = train_command.make_context(name, arguments).params
    (mount,) = (m["mountPath"] for m in container["volumeMounts"])
    for path in (told["data"], told["config"], told["out"]):
        assert path.startswith(f"{mount}/")


@pytest.mark.slow
def test_two_workers_train_as_one_process_and_survive_kills(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    train_alone(tmp_path / "one", config)
    train_together("2", tmp_path / "two", config)
    # The sums of gradients have another order.
    assert_same(tmp_path / "two", tmp_path / "one", atol=1e-5)

    draw = random.Random(0)
    killed = tmp_path / "killed"
    for epochs in range(1, 4):
        with open(tmp_path / "log", "w+") as log:
            cluster = start("2", killed, config, log)
            while epochs_of(killed) < epochs and cluster.poll() is None:
                time.sleep(0.05)
            time.sleep(draw.random())
            log.seek(0)
            (process,) = re.findall(r"worker 1: process (\d+)", log.read())
            if cluster.poll() is None:
                os.kill(int(process), signal.SIGKILL)
            cluster.wait(timeout=300)
    with open(tmp_path / "log", "w+") as log:
        assert start("2", killed, config, log).wait(timeout=900) == 0
    assert_same(killed, tmp_path / "two", atol=0)
