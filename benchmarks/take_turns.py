"""Calls of bundles in one process without TensorFlow's Python, in turn.

What else a machine does meets all of them alike. Each folder has one request
to warm up with, which is sent again and again. Beside other processes, the time
that passes tells little, and the processor's, of all threads, a good deal.
"""

import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterable

import numpy as np

_WARM_UP = 50
CLOCKS = {"": time.perf_counter, "processor": time.process_time}


def take_turns(folders: Iterable[pathlib.Path], calls: int) -> np.ndarray:
    """Milliseconds of `TF_SessionRun` by `CLOCKS`, [clock, folder, call].

    In a new process.
    """
    done = subprocess.run(
        [sys.executable, __file__, str(calls), *map(str, folders)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return np.array(json.loads(done.stdout.splitlines()[-1]))


def _measure(count: int, folders: list[str]) -> list:
    from tfadrec.native.bundle_session import BundleSession
    from tfadrec.native.replay import WARM_UP
    from tfadrec.native.warm_up_file import requests

    calls = []
    for folder in map(pathlib.Path, folders):
        (asked,) = requests(folder / WARM_UP)
        calls.append(BundleSession(folder).call(*asked))
    took = np.zeros([len(CLOCKS), len(calls), _WARM_UP + count])
    clocks = CLOCKS.values()
    for turn in range(_WARM_UP + count):
        for place, call in enumerate(calls):
            begun = [read() for read in clocks]
            call.run()
            ended = [read() for read in clocks]
            took[:, place, turn] = 1000 * np.subtract(ended, begun)
    return took[..., _WARM_UP:].tolist()


if __name__ == "__main__":
    print(json.dumps(_measure(int(sys.argv[1]), sys.argv[2:])))
