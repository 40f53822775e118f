"""A small world, a small ranker's settings, and a run that trained it.

Made once and shared by the tests of training, serving and the command line.
"""

import atexit
import contextlib
import functools
import pathlib
import shutil
import tempfile

import pytest

from tfadrec import training
from tfadrec.core.config import RunConfig
from tfadrec.core.door import keras
from tfadrec.data.sources import prepare_synthetic
from tfadrec.runs.folder import run_folder as folder_of

YAML = """
text: null
fold_in: null
ad_tower: {width: 4}
encoder: {class: DIN, hidden_units: [4]}
ranker: {hidden_units: [4]}
optimizer: {class: LazyAdam, learning_rate: 0.01}
fit: {batch_size: 32, epochs: 4, steps_per_epoch: 6, patience: 4}
data: {history_length: 6}
"""


def config(**sections):
    """The small settings, with some sections changed in part."""
    base = RunConfig.from_yaml(YAML)
    changed = {
        name: {**(getattr(base, name) or {}), **section}
        for name, section in sections.items()
    }
    return RunConfig(**{**{k: getattr(base, k) for k in vars(base)}, **changed})


@functools.cache
def folder():
    made = pathlib.Path(tempfile.mkdtemp(prefix="tfadrec-tests-"))
    atexit.register(shutil.rmtree, made, True)
    return made


def make_world(out, seed=0):
    prepare_synthetic(
        out, seed, num_users=30, num_ads=20, requests_per_user=12, slate_size=3
    )
    return out


@functools.cache
def world():
    """A dataset folder: string ids, categorical context, two labels."""
    return make_world(folder() / "world")


@functools.cache
def trained():
    """A finished run on `world()`, as `train` returned it."""
    return training.train(world(), config(), folder() / "run", progress=False)


@functools.cache
def run_folder():
    """Its folder."""
    trained()
    return folder() / "run"


@functools.cache
def run():
    """The run, read back from its folder."""
    return training.load_run(run_folder())


@contextlib.contextmanager
def untraced():
    """What Keras models do inside is done op by op.

    A graph of a training step takes seconds to trace, and a step op by op a
    tenth of one or more: it is for a few steps. `trained` is of a graph.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "run_eagerly", True)
        yield


def no_replay(patch):
    """Exports have no process that replays rows through the bundle.

    It takes ten seconds and more of a processor. `tests/serving/test_parity.py`
    and `test_a_bundle_with_every_feature` are of exports that have it.

    Args:
      patch: undoes it.
    """
    check = "tfadrec.serving.bundle.check_parity"
    patch.setattr(check, lambda *_, **__: None)


def rewrite(run, name, text):
    """Changes a file of a run as its writer would, with right sums."""
    folder = folder_of(run)
    with folder.held():
        folder.write_text(name, text)
