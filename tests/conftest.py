"""What every test shares."""

import gc
import os
import pathlib
import sys

import pytest

# Where the shell says that no bytecode is kept, each process that tests begin
# would compile the package anew, and each run all tests.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Two processes of tests have a core each; threads that wait for work in NumPy's
# products of matrices spend ten times the processor time of the products.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# XLA's kernels are run once here, and need not be fast.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 "
    "--xla_llvm_disable_expensive_passes=true",
)

# Modules and graphs are many objects, and few of them are garbage.
gc.set_threshold(20_000, 10, 10)

import hypothesis  # noqa: E402  (its bytecode is kept, too)

import tfadrec  # noqa: F401, E402  (chooses the Keras flavour before TensorFlow)

# The same examples in every run, and no clock: other work shares the machine.
hypothesis.settings.register_profile(
    "tfadrec", derandomize=True, deadline=None, database=None
)
hypothesis.settings.load_profile("tfadrec")


#: What takes minutes or has one long test is begun first: at the end, files of
#: a second each keep all processes busy.
FIRST = (
    *("tests/serving/", "tests/test_", "tests/cli/", "tests/training/"),
    *("tests/models/", "tests/tuning/", "tests/evaluation/", "tests/towers/"),
)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not item.nodeid.startswith(FIRST))


def pytest_collection_finish(session):
    """Leaves alone what need not be gone through again and again.

    The garbage collector goes through what was imported no more.

    AutoGraph leaves the package alone: it has no `if` or `for` on tensors. To
    convert it takes seconds in each process. The processes that tests begin
    do convert: a trial of `tests/tuning/test_processes.py` a training, and the
    slow `test_conformance.test_reload_in_a_fresh_process` every layer.
    """
    gc.freeze()
    if session.items and "tensorflow" in sys.modules:
        from tensorflow.python.autograph.core import config

        rule = config.DoNotConvert("tfadrec")
        config.CONVERSION_RULES = (rule, *config.CONVERSION_RULES)


def pytest_xdist_make_scheduler(config, log):
    """The tests of a file share a process, and all of `serving` their bundles.

    To start TensorFlow, and to export a bundle, takes seconds.
    """
    from xdist.scheduler import LoadFileScheduling

    # As they were sorted above, and not by their number of tests.
    config.option.loadscopereorder = False

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "serving" if file.startswith("tests/serving/") else file

    return Scheduling(config, log)


@pytest.fixture
def untraced():
    """Keras models train and predict op by op: see `small.untraced`."""
    from tests.training import small

    with small.untraced():
        yield


@pytest.fixture
def no_replay(monkeypatch):
    """Exports do not replay rows: see `small.no_replay`."""
    from tests.training import small

    small.no_replay(monkeypatch)


@pytest.fixture
def few_calls(monkeypatch):
    """Exports that time requests by one call and not by a hundred."""
    monkeypatch.setattr("tfadrec.serving.parity.LATENCY_CALLS", 1)


@pytest.fixture
def few_signatures(monkeypatch):
    """A function that names what exports have, and there is no warm-up.

    To trace and to save one signature takes half a second and more. The worlds
    of `tests/serving` are exported with all of them.
    """

    def name(*few):
        from tfadrec.serving import RankingService

        traced = RankingService.signatures
        monkeypatch.setattr(
            RankingService,
            "signatures",
            lambda service, *names: traced(service, *(names or few)),
        )
        module = "tfadrec.serving.bundle"
        monkeypatch.setattr(f"{module}.write_warm_up", lambda *_: None)

    return name


@pytest.fixture
def no_graph(monkeypatch):
    """Exports whose bundle is hollow, for tests of folders and versions."""

    def save(service, folder, signatures):
        pathlib.Path(folder).mkdir(exist_ok=True)
        pathlib.Path(folder, "saved_model.pb").write_bytes(b"")

    module = "tfadrec.serving.bundle"
    monkeypatch.setattr(f"{module}.write_model", save)
    monkeypatch.setattr(f"{module}.write_warm_up", lambda *_: None)
    monkeypatch.setattr(f"{module}.foreign_ops", lambda _: {})
    monkeypatch.setattr(f"{module}.RankingService.signatures", lambda _: {})
