"""Parameter servers: no step is lost, and a run of them is as any."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import types

import numpy as np
import pytest

from tests.training import small
from tests.training.cluster import (
    CONFIG,
    ROOT,
    assert_same,
    epochs_of,
    start,
    train_alone,
    train_together,
)
from tfadrec import optimizers, training
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.data.open_dataset import open_dataset
from tfadrec.data.sources import prepare_synthetic
from tfadrec.layers import DynamicIdEmbedding
from tfadrec.layers.features import category_field
from tfadrec.training import servers

CLUSTER = {"chief": ["a:1"], "worker": ["b:1"], "ps": ["c:1"]}


@pytest.mark.slow
def test_no_step_of_two_workers_on_the_same_rows_is_lost():
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.counted_steps"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    # With both betas 0, e = 1 and a gradient of 1, m = v = 1, and a step takes
    # 1 / (sqrt(1) + 1) from each row that it reads.
    expected = [-250.0, -250.0, 0.0, -250.0, -250.0, -250.0]
    assert json.loads(done.stdout) == {
        "parts": 2,
        "steps": 500,
        "least": expected,
        "most": expected,
    }


def fake(optimizer, *parts):
    return types.SimpleNamespace(optimizer=optimizer, submodules=parts)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (fake(keras.optimizers.Adam()), "the optimizer Adam"),
        (
            fake(
                optimizers.CompositeOptimizer(
                    {"id": keras.optimizers.Adagrad()}, optimizers.LazyAdam()
                )
            ),
            "the optimizer Adagrad",
        ),
        (
            fake(
                keras.mixed_precision.LossScaleOptimizer(optimizers.LazyAdam())
            ),
            "the optimizer LossScaleOptimizer",
        ),
        (
            fake(optimizers.LazyAdam(accumulate_steps=2)),
            "accumulate_steps=2",
        ),
        (
            fake(optimizers.LazyAdam(), DynamicIdEmbedding(16, 2)),
            "a DynamicIdEmbedding",
        ),
    ],
)
def test_what_workers_cannot_learn_at_their_own_pace(model, said):
    with pytest.raises(InputError, match=f"Received: {said}"):
        servers.check_learns(model, small.config())


def test_text_that_is_tuned_is_refused():
    config = small.config(text={"model": "any", "tuning": {"class": "LoRA"}})
    with pytest.raises(InputError, match=r"Received: text\.tuning="):
        servers.check_learns(fake(optimizers.LazyAdam()), config)


def test_what_workers_can_learn():
    lazy = optimizers.LazyAdam
    servers.check_learns(fake(lazy()), small.config())
    composite = optimizers.CompositeOptimizer({"id": lazy()}, lazy())
    servers.check_learns(fake(composite), small.config())


def test_a_worker_does_not_train_but_serves(monkeypatch):
    task = {"type": "worker", "index": 0}
    monkeypatch.setenv(
        "TF_CONFIG", json.dumps({"cluster": CLUSTER, "task": task})
    )
    with pytest.raises(InputError, match=r"Received: process 1 .*serve"):
        training.train("data", small.config(), "out")


def test_a_process_that_does_not_come(monkeypatch):
    task = {"type": "chief", "index": 0}
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
        assert servers._is_there(address)
    monkeypatch.setattr(servers, "_PAUSE", 0.01)
    monkeypatch.setattr(servers, "_PATIENCE", 0.1)
    assert not servers._is_there(address)
    cluster = {**CLUSTER, "ps": [address]}
    monkeypatch.setenv(
        "TF_CONFIG", json.dumps({"cluster": cluster, "task": task})
    )
    with pytest.raises(TfadrecError, match=f"no answer of ps at {address}"):
        servers.connected()


class Stuck:
    """A coordinator of workers that never end what they are given."""

    def __init__(self, strategy):
        self.given = 0

    def schedule(self, work, args):
        self.given += 1
        return types.SimpleNamespace(get=threading.Event().wait)

    def done(self):
        return False


def test_workers_that_are_gone_are_not_waited_for_without_end(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    cluster = {**CLUSTER, "worker": [address]}
    task = {"type": "chief", "index": 0}
    monkeypatch.setenv(
        "TF_CONFIG", json.dumps({"cluster": cluster, "task": task})
    )
    monkeypatch.setattr(tf.distribute.coordinator, "ClusterCoordinator", Stuck)
    monkeypatch.setattr(servers, "_PAUSE", 0.01)
    monkeypatch.setattr(servers, "_PATIENCE", 0.1)
    hands = servers._Hands(None)
    hands.give(print)
    hands.give(print)
    with pytest.raises(TfadrecError, match="none that answers"):
        hands.give(print)
    assert hands._coordinator.given == 2
    hands.close()


def in_parts(creator, **settings):
    """Makes tables of two parts, as parameter servers have them."""
    shape, name = tf.TensorShape(settings["shape"] or ()), settings["name"]
    if shape.rank != 2 or shape[0] < 4 or "part_" in name:
        return creator(**settings)
    value = settings["initial_value"]()
    half = shape[0] // 2 + 1
    parts = [
        creator(
            **{
                **settings,
                "initial_value": rows,
                "shape": rows.shape,
                "name": f"{name}/part_{number}",
            }
        )
        for number, rows in enumerate((value[:half], value[half:]))
    ]
    return tf.__internal__.distribute.ShardedVariable(parts, name)


def values_of(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [variable.numpy() for variable in variables]


def test_a_twin_in_parts_takes_the_same_steps(monkeypatch):
    # No table is read as a whole: all of them have sparse gradients.
    monkeypatch.setattr(category_field, "_SMALL", 1)
    dataset = open_dataset(small.world())
    one, model = (
        training.build_ranker(small.config(), dataset) for _ in range(2)
    )
    with tf.variable_creator_scope(in_parts):
        twin = model.twin()
    assert len(twin.variables) > len(model.variables)
    for batch in dataset.batches(32, seed=1).take(2):
        one.train_step(batch)
        model.train_step(batch)
    servers._send(model, twin)
    for batch in dataset.batches(32, seed=0).take(3):
        one.train_step(batch)
        twin.train_step(batch)
    servers._fetch(model, twin)
    for found, expected in zip(values_of(model), values_of(one), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)

    # A table that was read as a whole would have a gradient of all of its rows.
    with tf.GradientTape() as tape:
        loss = twin.compute_loss(batch, training=True)
    tables = [
        v
        for v in twin.trainable_variables
        if "/embedding_and_bias/part_" in v.name
        or "/category/embedding/part_" in v.name
    ]
    for table, gradient in zip(
        tables, tape.gradient(loss, tables), strict=True
    ):
        assert isinstance(gradient, tf.IndexedSlices), table.name
    assert len(tables) == 6


@pytest.mark.slow
def test_one_worker_learns_as_one_process(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    train_alone(tmp_path / "one", config)
    train_together("1+1", tmp_path / "served", config)
    assert_same(tmp_path / "served", tmp_path / "one", atol=1e-5)


#: Its tables of users and of ads are of two parts each.
WIDE = """
text: null
fold_in: null
ad_tower: {width: 64}
encoder: {class: DIN, hidden_units: [8]}
ranker: {hidden_units: [8]}
optimizer: {class: LazyAdam, learning_rate: 0.005}
fit: {batch_size: 64, epochs: 4, steps_per_epoch: 60, patience: 4}
data: {history_length: 6}
"""


def wide_world(out):
    prepare_synthetic(
        out,
        0,
        num_users=600,
        num_ads=600,
        requests_per_user=4,
        slate_size=3,
    )
    return out


def wait_for_epochs(out, epochs, cluster):
    while epochs_of(out) < epochs and cluster.poll() is None:
        time.sleep(0.05)
    assert cluster.poll() is None


def process_of(log, name):
    log.seek(0)
    (process,) = re.findall(rf"{name}: process (\d+)", log.read())
    return int(process)


@pytest.mark.slow
def test_two_workers_learn_as_well_and_survive_kills(tmp_path):
    config, world = tmp_path / "config.yaml", wide_world(tmp_path / "world")
    config.write_text(WIDE)
    train_alone(tmp_path / "one", config, world)

    out = tmp_path / "served"
    with open(tmp_path / "log", "w+") as log:
        cluster = start("2+2", out, config, log, world)
        wait_for_epochs(out, 1, cluster)
        os.kill(process_of(log, "ps 1"), signal.SIGKILL)
        assert cluster.wait(timeout=900) == 1
        log.seek(0)
        said = log.read()
    (line,) = re.findall(r"^tfadrec: .*", said, re.M)
    assert "Received: one that does not answer any more" in line
    assert "Traceback" not in said

    done = epochs_of(out)
    before = json.loads((out / "state.json").read_text())["history"]
    with open(tmp_path / "log", "w+") as log:
        cluster = start("2+2", out, config, log, world)
        wait_for_epochs(out, done + 1, cluster)
        os.kill(process_of(log, "worker 0"), signal.SIGKILL)
        assert cluster.wait(timeout=900) == 0
    found, expected = (
        training.load_run(out),
        training.load_run(tmp_path / "one"),
    )
    assert found.history[:done] == before
    assert len(found.history) == 4
    # No step is left out; one that was cut off was taken again.
    steps = int(found.ranker.optimizer.iterations)
    assert 0 <= steps - 60 * found.best_epoch <= 2
    for name in ("val_auc", "val_log_loss"):
        np.testing.assert_allclose(
            found.history[-1][name],
            expected.history[-1][name],
            rtol=0,
            atol=0.03,
        )


@pytest.mark.slow
def test_others_end_when_the_chief_is_killed(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    chief, own = (f"127.0.0.1:{place.getsockname()[1]}" for place in held)
    held[1].close()
    cluster = {"chief": [chief], "worker": ["127.0.0.1:1"], "ps": [own]}
    task = {"type": "ps", "index": 0}
    with open(tmp_path / "log", "w+") as log:
        served = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from tfadrec import training as t; t.serve()",
            ],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "TF_CONFIG": json.dumps({"cluster": cluster, "task": task}),
            },
            stdout=log,
            stderr=log,
        )
        while not servers._answers(own) and served.poll() is None:
            time.sleep(0.1)
        time.sleep(1)
        assert served.poll() is None
        held[0].close()
        assert served.wait(timeout=300) == 0
