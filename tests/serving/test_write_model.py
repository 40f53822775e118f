"""Equal bundles are equal files."""

import collections
import os
import random
import re
import shutil
import subprocess
import sys
from typing import NamedTuple

import numpy as np
import pytest
from tensorflow.core.protobuf import fingerprint_pb2, saved_model_pb2

from tests import processes
from tests.serving import worlds
from tfadrec.core.door import tf
from tfadrec.core.growing import append, at_rows, growing
from tfadrec.core.manifest import Manifest
from tfadrec.serving.variables_read import variables_read
from tfadrec.serving.write_model import write_model, write_values

#: Have times in them, or sums of such files.
TIMED = {"parity.json", "manifest.json"}


def test_variables_are_in_the_order_in_which_they_are_read():
    made = [tf.Variable(float(n)) for n in range(40)]
    read = random.Random(0).sample(made, 30)

    @tf.function
    def inner(x):
        return x * read[0] + read[1] + read[2]

    function = tf.function(
        lambda x: inner(x) + tf.add_n([v.read_value() for v in read[3:]])
    )
    once = function.get_concrete_function(tf.TensorSpec([]))
    last = tf.function(lambda: read[5] + made[-1]).get_concrete_function()
    found = [v.ref() for v in variables_read([once, last])]
    seen = dict.fromkeys(v.ref() for v in [*read, made[-1]])
    assert found == list(seen)


def test_the_fingerprint_is_not_random(tmp_path, monkeypatch):
    module = tf.Module()
    module.v = tf.Variable([1.0, 2.0])
    function = tf.function(lambda x: {"y": x * module.v})
    signatures = {
        "a": function.get_concrete_function(tf.TensorSpec([2], name="x"))
    }
    write_model(module, tmp_path / "1", signatures)
    # A delta has files alone, and what it makes is to be the same.
    assert {p.name for p in (tmp_path / "1").iterdir()} == {
        "fingerprint.pb",
        "saved_model.pb",
        "variables",
    }
    written = (tmp_path / "1/fingerprint.pb").read_bytes()

    def save_again(service, folder, signatures, options):
        """As TensorFlow would: a new random number, and all else the same."""
        shutil.copytree(tmp_path / "1", folder)
        told = fingerprint_pb2.FingerprintDef.FromString(written)
        told.uuid = "7"
        (folder / "fingerprint.pb").write_bytes(told.SerializeToString())

    monkeypatch.setattr(tf.saved_model, "save", save_again)
    write_model(module, tmp_path / "2", signatures)
    assert (tmp_path / "2/fingerprint.pb").read_bytes() == written
    loaded = tf.saved_model.load(tmp_path / "2")
    answer = loaded.signatures["a"](x=tf.constant([1.0, 1.0]))["y"]
    assert answer.numpy().tolist() == [1.0, 2.0]
    told = fingerprint_pb2.FingerprintDef.FromString(written)
    read = tf.saved_model.experimental.read_fingerprint(str(tmp_path / "2"))
    assert read.saved_model_checksum == told.saved_model_checksum
    assert 0 < int(told.uuid) < 2**128


class Pair(NamedTuple):
    """A variable in it is saved under one of two names."""

    first: tf.Variable
    second: tf.Variable


class Growing(tf.Module):
    """Adds up a row of a table that may grow, a few weights and a look-up."""

    def __init__(self):
        super().__init__()
        self.table = growing(np.arange(3, dtype=np.float32))
        self.pair = Pair(tf.Variable(10.0), tf.Variable(20.0))
        self.weights = [tf.Variable(100.0), self.pair.first]
        keys = tf.constant(["a", "b"])
        self.places = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(keys, tf.constant([1, 2])), 0
        )
        self.answer = tf.function(self._answer)
        self.grow = tf.function(self._grow)

    def _answer(self, x):
        row = self.places.lookup(x)
        row = tf.where(x == "last", tf.size(self.table.read_value()) - 1, row)
        pair = self.pair.first + self.pair.second
        return {"y": at_rows(self.table, row) + pair + self.weights[0]}

    def _grow(self, values):
        append(self.table, values)
        self.pair.second.assign_add(1.0)


def in_session(folder, x):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(folder))
        told = meta.signature_def["answer"]
        return session.run(
            told.outputs["y"].name, {told.inputs["x"].name: x}
        ).tolist()


def test_what_has_changed_is_written_beside_what_has_not(tmp_path):
    """The graph is the same however often, and loads as a server loads it."""
    made = Growing()
    x = tf.TensorSpec([None], tf.string, "x")
    signatures = {"answer": made.answer.get_concrete_function(x)}
    made.grow.get_concrete_function(tf.TensorSpec([None], name="values"))
    write_model(made, tmp_path / "1", signatures)
    prints = set()
    for number in (1, 2, 3):
        old, new = tmp_path / str(number), tmp_path / str(number + 1)
        loaded = tf.saved_model.load(old)
        loaded.grow(tf.constant([50.0 * number, 60.0 * number]))
        new.mkdir()
        write_values(loaded, old, new)
        # 10 + 20 and one more each time, 100, and the row.
        expected = [132.0 + number, 130.0 + number + 60 * number]
        assert in_session(new, ["b", "last"]) == expected
        again = tf.saved_model.load(new).signatures["answer"]
        asked = tf.constant(["b", "last"])
        assert again(x=asked)["y"].numpy().tolist() == expected
        files = [(each / "saved_model.pb").read_bytes() for each in (old, new)]
        assert files[0] == files[1]
        told = tf.saved_model.experimental.read_fingerprint(str(new))
        prints.add((told.checkpoint_hash, told.saved_model_checksum))
    assert len(prints) == 3


def test_a_bundle_has_once_what_its_signatures_share():
    file = worlds.bundle("words") / "1/saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    functions = model.meta_graphs[0].graph_def.library.function
    named = collections.Counter(
        re.sub(r"^__inference_|_\d+$", "", f.signature.name) for f in functions
    )
    # Two of a name are the shared function and the signature that calls it.
    for name in ("rank_ads", "_read", "_encode", "_vectors_of"):
        assert named[name] == 1
    assert named["score"] == named["score_slate"] == 2
    assert not any("grad" in name for name in named)
    assert not any(
        "_gradient_op_type" in node.attr
        for f in functions
        for node in f.node_def
    )


EXPORT = """
import sys

from tests.serving import worlds

world = {"words": worlds.words, "numbers": worlds.numbers}[sys.argv[1]]()
worlds.export(world, sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.parametrize("world", ["words", "numbers"])
def test_bundles_of_two_processes_are_equal(world, tmp_path):
    """With other hashes of strings, and another number of threads."""
    lists = []
    for seed in ("1", "2"):
        # The model's name is in the requests.
        path = tmp_path / seed / "model"
        done = subprocess.run(
            [sys.executable, "-c", EXPORT, world, str(path)],
            capture_output=True,
            text=True,
            cwd=processes.ROOT,
            check=False,
            env={
                **os.environ,
                "PYTHONHASHSEED": seed,
                "TF_NUM_INTRAOP_THREADS": seed,
                "OMP_NUM_THREADS": seed,
            },
        )
        assert done.returncode == 0, done.stderr[-2000:]
        lists.append(Manifest.in_folder(path / "1").files)
    first, second = (
        {k: v for k, v in files.items() if k not in TIMED} for files in lists
    )
    assert first == second
    assert {"saved_model.pb", "fingerprint.pb"} < set(first)
