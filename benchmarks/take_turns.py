"""Calls of bundles in one process without TensorFlow's Python, in turn.

What else a machine does meets all of them alike. Each folder has one request
to warm up with, which is sent again and again.
"""

import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterable

import numpy as np

_WARM_UP = 50


def take_turns(folders: Iterable[pathlib.Path], calls: int) -> np.ndarray:
    """Milliseconds of `TF_SessionRun`, [folder, call], in a new process."""
    done = subprocess.run(
        [sys.executable, __file__, str(calls), *map(str, folders)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return np.array(json.loads(done.stdout.splitlines()[-1]))


def _measure(count: int, folders: list[str]) -> list[list[float]]:
    from tfadrec.native.bundle_session import BundleSession
    from tfadrec.native.replay import WARM_UP
    from tfadrec.native.warm_up_file import requests

    calls = []
    for folder in map(pathlib.Path, folders):
        (asked,) = requests(folder / WARM_UP)
        calls.append(BundleSession(folder).call(*asked))
    took: list[list[float]] = [[] for _ in calls]
    for _ in range(_WARM_UP + count):
        for call, times in zip(calls, took, strict=True):
            begun = time.perf_counter()
            call.run()
            times.append(1000 * (time.perf_counter() - begun))
    return [times[_WARM_UP:] for times in took]


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]), sys.argv[2:])))
