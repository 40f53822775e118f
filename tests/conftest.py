"""What every test shares."""

import hypothesis

import tfadrec  # noqa: F401  (chooses the Keras flavour before TensorFlow)

# The same examples in every run, and no clock: other work shares the machine.
hypothesis.settings.register_profile(
    "tfadrec", derandomize=True, deadline=None, database=None
)
hypothesis.settings.load_profile("tfadrec")


def pytest_xdist_make_scheduler(config, log):
    """The tests of a file share a process, and all of `serving` their bundles.

    To start TensorFlow, and to export a bundle, takes seconds.
    """
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return "serving" if file.startswith("tests/serving/") else file

    return Scheduling(config, log)
