"""What every test shares."""

import tfadrec  # noqa: F401  (chooses the Keras flavour before TensorFlow)


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
