"""Whether a bundle answers in TensorFlow's own loader, and how fast."""

import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TextIO

import numpy as np

from tfadrec.core.errors import TfadrecError
from tfadrec.serving.differences import largest
from tfadrec.serving.requests import Request

_LOG = logging.getLogger(__name__)
Answer = dict[str, np.ndarray]

#: See `tfadrec.native.replay`: for each request and number of threads, which
#: are some twenty and up to four; so a second more is a minute more.
CALLS, SECONDS = 200, 1.0
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
        with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
            code, last = _run(
                [*command, *map(str, (folder, file, calls, seconds))], errors
            )
            errors.seek(0)
            told = errors.read().strip().splitlines()
        if code:
            reason = (told or ["no word"])[-1]
            raise TfadrecError(
                "a bundle must answer in TensorFlow's C library. Received: "
                f"{reason} Nothing was exported; report this with the ranker's "
                "settings."
            )
        report = json.loads(last)
        answers: list[Answer] = [{} for _ in report["requests"]]
        with np.load(file) as found:
            for key, values in found.items():
                number, _, name = key.partition("/")
                answers[int(number)][name] = _texts(values)
    return answers, report


def _run(command: list[str], errors: TextIO) -> tuple[int, str]:
    """Runs a process, and logs what it prints before its report.

    Args:
      command: its words.
      errors: where its standard error goes.

    Returns:
      Its exit code and its last line.
    """
    last = ""
    with subprocess.Popen(
        command,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            last = line.strip()
            if not last.startswith("{"):  # as the report does
                _LOG.info("Replaying in TensorFlow's C library: %s", last)
    return process.returncode, last


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
