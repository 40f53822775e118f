"""Whether a bundle answers in TensorFlow's own loader, and how fast."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import numpy as np

from tfadrec.core.errors import TfadrecError
from tfadrec.serving.differences import largest
from tfadrec.serving.requests import Request

Answer = dict[str, np.ndarray]

#: See `tfadrec.native.replay`: for each request and number of threads.
CALLS, SECONDS = 200, 5.0
#: The report, in the version's folder.
REPORT = "native.json"


def check_native(
    folder: pathlib.Path,
    requests: Iterable[tuple[str, Request]],
    ask: Mapping[str, Callable[..., Answer]],
    means: Collection[str],
    bound: float,
) -> None:
    """Replays a bundle's warm-up requests without TensorFlow's Python.

    They go through TensorFlow's C library, whose loader and session a server
    has, in a process that never imports TensorFlow. `native.json` in the
    version's folder has the largest difference, the time of loading, the memory
    and each request's latencies.

    Args:
      folder: of the version, with its warm-up file.
      requests: those of the file, in its order.
      ask: signature -> what answers as the exported functions do.
      means: see `largest`.
      bound: how far answers may differ; see `largest`.

    Raises:
      TfadrecError: where the bundle does not load there or answers otherwise.
    """
    answers, report = replay(folder, CALLS, SECONDS)
    asked = list(requests)
    if len(asked) != len(answers):
        raise TfadrecError(
            f"a warm-up file holds the requests that were written, {len(asked)}"
            f". Received: {len(answers)}. Nothing was exported; report this."
        )
    for (signature, request), found, told in zip(
        asked, answers, report["requests"], strict=True
    ):
        expected = ask[signature](**request)
        told["difference"] = largest(found, expected, means, tie=bound)
        if not told["difference"] <= bound:
            raise TfadrecError(
                f"a bundle must answer in TensorFlow's C library as in Python, "
                f"within {bound}. Received: a difference of "
                f"{told['difference']:.2g} in {signature}. Nothing was "
                "exported; report this with the ranker's settings."
            )
    report |= {"bound": bound}
    (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n")


def replay(
    folder: pathlib.Path, calls: int, seconds: float
) -> tuple[list[Answer], dict[str, Any]]:
    """Runs `tfadrec.native.replay`.

    Args:
      folder: of a version.
      calls: see there.
      seconds: see there.

    Returns:
      The answers to the requests of the warm-up file, texts as bytes, and the
      report.

    Raises:
      TfadrecError: where the process fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch, "answers.npz")
        command = [sys.executable, "-m", "tfadrec.native.replay"]
        done = subprocess.run(
            [*command, *map(str, (folder, file, calls, seconds))],
            env=_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no word"])[-1]
            raise TfadrecError(
                "a bundle must answer in TensorFlow's C library. Received: "
                f"{reason} Nothing was exported; report this with the ranker's "
                "settings."
            )
        report = json.loads(done.stdout.splitlines()[-1])
        answers: list[Answer] = [{} for _ in report["requests"]]
        with np.load(file) as found:
            for key, values in found.items():
                number, _, name = key.partition("/")
                answers[int(number)][name] = _texts(values)
    return answers, report


def _environment() -> dict[str, str]:
    root = str(pathlib.Path(__file__).parents[2])
    before = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "PYTHONPATH": root if not before else f"{root}{os.pathsep}{before}",
        # On the CPU, as this process may hold all of a GPU's memory.
        "CUDA_VISIBLE_DEVICES": "-1",
    }


def _texts(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "S":
        return values
    # Without the full stop that kept NULs at the end.
    return np.frompyfunc(lambda text: text[:-1], 1, 1)(values.astype(object))
