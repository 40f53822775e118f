"""Processes that train together, as a user starts them."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np

from tests.training import small
from tfadrec import training

ROOT = pathlib.Path(__file__).parents[2]
CONFIG = """
text: null
ad_tower: {width: 4, id_dropout: 0.0, feature_dropout: 0.0}
user_tower: {id_dropout: 0.0, feature_dropout: 0.0}
encoder: {class: DIN, hidden_units: [4]}
ranker: {hidden_units: [4], dropout: 0.0, feature_dropout: 0.0}
optimizer: {class: LazyAdam, learning_rate: 0.01, epsilon: 0.001}
fit: {batch_size: 32, epochs: 5, steps_per_epoch: 6, patience: 5}
data: {history_length: 6}
"""


def command(out, config, world=None):
    data = str(world or small.world())
    return ["--data", data, "--config", config, "--out", str(out)]


def start(count, out, config, log, world=None):
    """A cluster on this machine; the count is that of `cluster.sh`."""
    tools = pathlib.Path(sys.executable).parent
    return subprocess.Popen(
        [ROOT / "examples/cluster.sh", count, *command(out, config, world)],
        env={
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        },
        stdout=log,
        stderr=subprocess.STDOUT,
    )


def train_together(count, out, config):
    """What a cluster trains, to its end."""
    log = out.with_suffix(".log")
    with open(log, "w") as file:
        done = start(count, out, config, file).wait(timeout=900)
    said = log.read_text()
    assert done == 0, said[-3000:]
    assert "epochs; the best has" in said


def epochs_of(out):
    try:
        return len(json.loads((out / "state.json").read_text())["history"])
    except OSError:
        return 0


def assert_same(found, expected, atol):
    found, expected = training.load_run(found), training.load_run(expected)
    assert len(found.history) == len(expected.history)
    for ours, theirs in zip(found.history, expected.history, strict=True):
        for name, value in theirs.items():
            np.testing.assert_allclose(ours[name], value, rtol=0, atol=atol)
    ours, theirs = (r.ranker.trainable_weights for r in (found, expected))
    assert len(ours) == len(theirs) > 10
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol, err_msg=a.name)


def train_alone(out, config, world=None):
    """One process."""
    tools = pathlib.Path(sys.executable).parent
    alone = subprocess.run(
        [tools / "tfadrec", "train", *command(out, config, world)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert alone.returncode == 0, alone.stderr[-2000:]
