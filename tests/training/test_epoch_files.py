"""Large tables between epochs: what is written, what is read, what is kept."""

import itertools
import json
import os
import pathlib
import shutil

import numpy as np
import pytest

from tests import processes
from tests.training import small
from tests.training.test_run import KilledError, kill_at_call
from tfadrec import data, training
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.training import epoch_files, table_files
from tfadrec.training.epoch_files import read_epoch, write_epoch
from tfadrec.training.saved_state import SavedState

NAME = "checkpoints/epoch-{:04d}"
ROWS = 40


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Tables are large from 200 bytes on, and blocks a few rows."""
    monkeypatch.setattr(epoch_files, "_LARGE", 200)
    monkeypatch.setattr(table_files, "_BLOCK", 100)


class Model(tf.Module):
    """Two tables and what is small, as a model and its optimiser have it."""

    def __init__(self, start=0.0):
        super().__init__()
        self.table = tf.Variable(np.full([ROWS, 3], start, np.float32))
        self.optimizer = tf.Module()
        # Names with a slash, and two paths that a slash would make one.
        self.optimizer.slots = {
            "a/b": tf.Variable(np.full([ROWS, 2], start, np.float32)),
            "a": {"b": tf.Variable(np.full([ROWS, 2], start, np.float32))},
        }
        self.steps = tf.Variable(0, dtype=tf.int64)
        self.kernel = tf.Variable(np.full([2, 2], start, np.float32))
        self.nothing = {}

    @property
    def all(self):
        slots = self.optimizer.slots
        tables = (self.table, slots["a/b"], slots["a"]["b"])
        return (*tables, self.steps, self.kernel)

    def values(self):
        return [each.numpy() for each in self.all]


def set_rows(model, epoch, numbers):
    """What an epoch learns: some rows of each table, and all that is small."""
    for place, table in enumerate(model.all[:3]):
        rows = np.full([len(numbers), table.shape[1]], epoch + place / 10)
        table.scatter_update(tf.IndexedSlices(rows.astype("f"), numbers))
    model.steps.assign(epoch)
    model.kernel.assign(np.full([2, 2], epoch))


def assert_has(model, values):
    for found, expected in zip(model.values(), values, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "values",
    [
        np.array([[0.0, 1.0]] * 30 + [[-0.0, np.nan]] * 30, np.float32),
        np.arange(60, dtype=np.int64) << 40,
        np.arange(120, dtype=np.int32).reshape(20, 3, 2),
        np.arange(60).reshape(30, 2).astype(tf.bfloat16.as_numpy_dtype),
        np.arange(7, dtype=np.float16)[:, None],
    ],
)
def test_rows_come_back_bit_by_bit(values, tmp_path):
    """Of every type and rank, also 0.0 that has become -0.0."""
    bits = f"u{values.dtype.itemsize}"
    table = tf.Variable(values)
    whole = tmp_path / "0.npy"
    table_files.write_whole(table, whole)
    assert not len(table_files.changed_rows(table, whole))
    other = values.copy()
    changed = np.arange(1, len(values), 4)
    other[changed] = -other[changed]
    other[0] = -other[0]  # of 0 there is no other, but in floats
    table.assign(other)
    numbers = table_files.changed_rows(table, whole)
    is_other = (other.view(bits) != values.view(bits)).reshape(len(values), -1)
    np.testing.assert_array_equal(numbers, np.flatnonzero(is_other.any(1)))
    assert len(numbers) >= len(changed)
    files = (tmp_path / "1.numbers.npy", tmp_path / "1.rows.npy")
    table_files.write_rows(table, numbers, *files)
    again = tf.Variable(np.zeros_like(values))
    table_files.read_whole(again, whole)
    np.testing.assert_array_equal(again.numpy().view(bits), values.view(bits))
    table_files.read_rows(again, *files)
    np.testing.assert_array_equal(again.numpy().view(bits), other.view(bits))


def test_no_more_than_a_block_is_in_memory(tmp_path, monkeypatch):
    """Neither in writing, nor in comparing, nor in reading."""
    sizes = []
    real = table_files._rows, table_files._set_rows

    def rows(table, numbers):
        sizes.append(len(numbers))
        return real[0](table, numbers)

    def set_rows(table, numbers, values):
        sizes.append(len(numbers))
        real[1](table, numbers, values)

    monkeypatch.setattr(table_files, "_rows", rows)
    monkeypatch.setattr(table_files, "_set_rows", set_rows)
    table = tf.Variable(np.zeros([ROWS, 3], np.float32))  # 12 bytes a row
    table_files.write_whole(table, tmp_path / "0.npy")
    table.assign(np.ones([ROWS, 3], np.float32))
    numbers = table_files.changed_rows(table, tmp_path / "0.npy")
    files = (tmp_path / "1.numbers.npy", tmp_path / "1.rows.npy")
    table_files.write_rows(table, numbers, *files)
    table_files.read_whole(table, tmp_path / "0.npy")
    table_files.read_rows(table, *files)
    assert sizes == 5 * [8] * 5


def written(model, folder, epoch):
    """Writes an epoch into the folder itself."""
    name = NAME.format(epoch)
    write_epoch(model, folder, folder, name, NAME.format(epoch - 1))
    return {p.name for p in (folder / "checkpoints").iterdir()}


def test_later_epochs_write_what_has_changed(tmp_path):
    """A whole table again where half of it has, and nothing where none has."""
    model, kept = Model(), {}
    set_rows(model, 1, range(30))
    wholes = {f"epoch-0001.{n}.npy" for n in range(3)}
    small_ones = {
        f"epoch-0001.{end}"
        for end in ("index", "data-00000-of-00001", "tables.json")
    }
    assert written(model, tmp_path, 1) == wholes | small_ones
    kept[1] = model.values()
    set_rows(model, 2, [3, 17, 39])
    rows = {
        f"epoch-0002.{n}.{what}.npy"
        for n in range(3)
        for what in ("numbers", "rows")
    }
    before = written(model, tmp_path, 2)
    assert {f for f in before if f.endswith(".npy")} == wholes | rows
    place = tmp_path / "checkpoints"
    for number in range(3):
        found = np.load(place / f"epoch-0002.{number}.numbers.npy")
        assert found.tolist() == [3, 17, 39]
    kept[2] = model.values()
    # Against the whole one, and not the epoch before: 17 is there again.
    set_rows(model, 3, [5, 39])
    written(model, tmp_path, 3)
    found = np.load(place / "epoch-0003.0.numbers.npy")
    assert found.tolist() == [3, 5, 17, 39]
    kept[3] = model.values()
    model.steps.assign(4)
    model.table.assign(kept[1][0])  # as it was written: no row differs
    model.optimizer.slots["a/b"].assign(np.full([ROWS, 2], 9.0))
    written(model, tmp_path, 4)
    kept[4] = model.values()
    tables = json.loads((place / "epoch-0004.tables.json").read_text())
    assert tables == {
        "/optimizer/slots/a%2Fb": ["epoch-0004.0.npy"],
        "/optimizer/slots/a/b": [
            "epoch-0001.1.npy",
            "epoch-0004.1.numbers.npy",
            "epoch-0004.1.rows.npy",
        ],
        "/table": ["epoch-0001.2.npy"],
    }
    for epoch, values in kept.items():
        again = Model(start=7.0)
        read_epoch(again, tmp_path, NAME.format(epoch))
        assert_has(again, values)


def test_tables_are_read_as_they_were_written(tmp_path, monkeypatch):
    """Where others are large by now, and where one part alone is asked for."""
    model = Model()
    for epoch, numbers in ((1, range(40)), (2, [1, 2])):
        set_rows(model, epoch, numbers)
        written(model, tmp_path, epoch)
    part, again = tf.Module(), Model()
    part.optimizer = again.optimizer
    read_epoch(part, tmp_path, NAME.format(2))
    for found, expected in zip(
        again.values()[1:3], model.values()[1:3], strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    assert not again.table.numpy().any()
    assert not again.kernel.numpy().any()
    monkeypatch.setattr(epoch_files, "_LARGE", 1 << 40)
    again = Model()
    read_epoch(again, tmp_path, NAME.format(2))
    assert_has(again, model.values())
    assert written(model, tmp_path, 3) >= {"epoch-0003.index"}
    assert not list((tmp_path / "checkpoints").glob("epoch-0003*.npy"))
    monkeypatch.setattr(epoch_files, "_LARGE", 200)
    again = Model()
    read_epoch(again, tmp_path, NAME.format(3))
    assert_has(again, model.values())


def measured(epoch):
    """The second epoch is the best one."""
    return {"loss": 1.0, "val_auc": 0.8 if epoch == 2 else 0.1 * epoch}


#: Which rows each epoch changes: of the second few, of the third most, so that
#: the newest has a whole table of its own while the best needs the first one.
LEARNED = {1: range(40), 2: [4, 5], 3: range(2, 35), 4: [0, 39], 5: [7]}


def learn(state, model, until=5):
    for epoch in range(len(state.history) + 1, until + 1):
        set_rows(model, epoch, LEARNED[epoch])
        state.add(measured(epoch))


def files_in(folder):
    """All but the list of them, which may still name what is gone."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder of five epochs, and what the best and the last one had.

    Beside it is the same folder after two epochs.
    """
    out, model = tmp_path_factory.mktemp("whole") / "run", Model()
    folder = small.folder_of(out)
    with pytest.MonkeyPatch.context() as patch, folder.held():
        patch.setattr(epoch_files, "_LARGE", 200)
        state = SavedState(model, folder, "val_auc")
        learn(state, model, 2)
        best = model.values()
        shutil.copytree(out, out.with_name("begun"))
        learn(state, model)
    return out, best, model.values()


def test_newest_and_best_are_kept_and_what_they_need(whole):
    out, best, newest = whole
    folder = small.folder_of(out)
    tables = range(3)
    expected = {
        f"epoch-000{epoch}.{end}"
        for epoch in (2, 5)
        for end in ("index", "data-00000-of-00001", "tables.json")
    }
    expected |= {f"epoch-000{e}.{n}.npy" for e in (1, 3) for n in tables}
    expected |= {
        f"epoch-000{epoch}.{n}.{what}.npy"
        for epoch in (2, 5)
        for n in tables
        for what in ("numbers", "rows")
    }
    assert {p.name for p in (out / "checkpoints").iterdir()} == expected
    model = Model()
    with folder.held():  # so all of them are as the manifest has them
        assert expected <= {pathlib.Path(f).name for f in folder.files}
        state = SavedState(model, folder, "val_auc")
        assert_has(model, newest)
        state.restore_best()
        assert_has(model, best)


@pytest.mark.parametrize("epoch", [3, 5])
def test_killed_at_any_moment_nothing_is_lost(whole, tmp_path, epoch):
    """Before each file of an epoch has its place, and before each is gone.

    Of the third, which writes whole tables, and of the last, after which
    nothing is to be written any more.
    """
    out, best, newest = whole
    begun = tmp_path / "begun"
    shutil.copytree(out.with_name("begun"), begun)
    taken_up(begun, epoch - 1)
    moments = 0
    for holder, name in ((os, "replace"), (pathlib.Path, "unlink")):
        for moment in itertools.count(1):
            killed = tmp_path / f"{name}-{moment}"
            shutil.copytree(begun, killed)
            with pytest.MonkeyPatch.context() as patch:
                kill_at_call(patch, holder, name, moment)
                try:
                    taken_up(killed, epoch)
                    break
                except KilledError:
                    pass
            state, model = taken_up(killed)
            assert_has(model, newest)
            state.restore_best()
            assert_has(model, best)
            assert files_in(killed) == files_in(out), moment
            moments += 1
    assert moments > 10


def taken_up(out, until=5):
    """Goes on with a folder in a process that knows nothing."""
    folder, model = small.folder_of(out), Model(start=9.0)
    with folder.held():
        state = SavedState(model, folder, "val_auc")
        learn(state, model, until)
    return state, model


def test_a_checkpoint_of_before_is_gone_on_with(tmp_path):
    """Whole ones of TensorFlow, whatever the size of the tables."""
    folder, model = small.folder_of(tmp_path), Model()
    set_rows(model, 1, range(40))
    with folder.held():
        with folder.writing() as fresh:
            prefix = str(fresh / NAME.format(1))
            tf.train.Checkpoint(model=model).write(prefix)
            text = json.dumps({"history": [measured(1)]})
            (fresh / "state.json").write_text(text)
        again = Model()
        state = SavedState(again, folder, "val_auc")
        assert_has(again, model.values())
        learn(state, again)
        newest = again.values()
        state = SavedState(Model(), folder, "val_auc")
        assert len(state.history) == 5
        again = Model()
        SavedState(again, folder, "val_auc")
        assert_has(again, newest)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda place: (place / "epoch-0003.0.npy").unlink(),
        lambda place: shutil.copy(
            place / "epoch-0003.2.npy", place / "epoch-0003.0.npy"
        ),
        lambda place: (place / "epoch-0005.1.rows.npy").write_bytes(b"none"),
        lambda place: np.save(
            place / "epoch-0005.1.numbers.npy", np.array([ROWS, 0, 1, 2])
        ),
        lambda place: np.save(place / "epoch-0005.1.numbers.npy", [0.5]),
        *(
            lambda place, text=text: (
                place / "epoch-0005.tables.json"
            ).write_text(text)
            for text in (
                "",
                "[]",
                '{"/table": []}',
                '{"/table": ["a", "b"]}',
                '{"/table": ["../../state.json"]}',
                '{"/table": [1]}',
                "{}",
            )
        ),
    ],
)
def test_a_spoilt_table(whole, tmp_path, spoil):
    """In a folder without a manifest, which would have told of it."""
    out = shutil.copytree(whole[0], tmp_path / "run")
    (out / "manifest.json").unlink()
    small_record = {"data": "", "fingerprint": "", "config": ""}
    (out / "run.json").write_text(json.dumps(small_record))
    spoil(out / "checkpoints")
    folder = small.folder_of(out)
    with folder.held(), pytest.raises(InputError, match=r"epoch-0005, which"):
        SavedState(Model(), folder, "val_auc")


def test_a_training_ends_with_the_same_weights(untraced, tmp_path, monkeypatch):
    """With tables in files of their own or not, killed or not."""
    parts = data.split_by_time(
        data.open_dataset(small.world()).with_history_length(6)
    )
    found = {}
    for name, large in (("small", 1 << 40), ("large", 200), ("killed", 200)):
        monkeypatch.setattr(epoch_files, "_LARGE", large)
        for until in (1, 2, None) if name == "killed" else (None,):
            ranker = training.build_ranker(small.config(), parts[0])
            training.fit(
                ranker,
                *parts[:2],
                tmp_path / name,
                batch_size=32,
                epochs=3,
                steps_per_epoch=2,
                until=until,
                progress=False,
            )
        variables = [*ranker.variables, *ranker.optimizer.variables]
        found[name] = [variable.numpy() for variable in variables]
    for name in ("large", "killed"):
        for one, other in zip(found[name], found["small"], strict=True):
            np.testing.assert_array_equal(one, other)
    # What TensorFlow writes has names that Keras counts in a process.
    files = {
        name: {
            path.name: path.read_bytes()
            for path in (tmp_path / name / "checkpoints").iterdir()
            if path.suffix in (".npy", ".json")
        }
        for name in found
    }
    assert files["large"] == files["killed"]
    assert any(file.endswith(".numbers.npy") for file in files["large"])
    assert not files["small"]


#: Two replicas on a processor that is cut in two.
_MIRRORED = """
import pathlib, sys
import numpy as np
from tests import precision_cells
precision_cells.begin()
from tfadrec.core.door import keras, tf
from tfadrec.optimizers import LazyAdam
from tfadrec.training import epoch_files
epoch_files._LARGE = 200
out = pathlib.Path(sys.argv[1])
keras.mixed_precision.set_global_policy("mixed_float16")
with precision_cells.strategy_of("Mirrored 2").scope():
    model = keras.Sequential([
        keras.layers.Embedding(40, 3, input_shape=[2]),
        keras.layers.Flatten(), keras.layers.Dense(1, dtype="float32"),
    ])
    model.compile(LazyAdam(0.1), "mse")
def learn(*ids):
    model.fit(np.array([ids] * 2), np.ones([2, 1]), batch_size=2, verbose=0)
learn(1, 2)
epoch_files.write_epoch(model, out, out, "e-1", "e-0")
learn(1, 7)
epoch_files.write_epoch(model, out, out, "e-2", "e-1")
optimizer = model.optimizer
variables = [*model.variables, *optimizer.inner_optimizer.variables]
kept = [variable.numpy() for variable in variables]
scale = optimizer.loss_scale.numpy()
learn(3, 4)
def check():
    for variable, value in zip(variables, kept, strict=True):
        for one in getattr(variable, "values", [variable]):
            np.testing.assert_array_equal(one.numpy(), value)
    assert optimizer.loss_scale.numpy() == scale
epoch_files.read_epoch(model, out, "e-2")
check()
tables = [v for v in variables if v.shape.rank == 2 and v.shape[0] == 40]
assert len(tables) == 3 and all(len(v.values) == 2 for v in tables)
part = tf.Module()
part.optimizer = optimizer
before = model.get_weights()
learn(3, 4)
changed = model.get_weights()
epoch_files.read_epoch(part, out, "e-2")
model.set_weights(before)
check()
print(np.load(out / "e-2.0.numbers.npy"), len(list(out.glob("*.rows.npy"))))
"""


@pytest.mark.slow
def test_of_every_replica_and_of_what_wraps_an_optimiser(tmp_path):
    done = processes.run(_MIRRORED, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[-2] == "[1 7] 3"
