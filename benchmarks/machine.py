"""What a figure was measured on, and its spread."""

import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any


def describe() -> str:
    """Processor, cores and versions, in one line."""
    import numpy
    import tensorflow
    import tf_keras

    model = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    model = line.partition(":")[2].strip()
    versions = {
        "Python": platform.python_version(),
        "TensorFlow": tensorflow.__version__,
        "tf_keras": tf_keras.__version__,
        "NumPy": numpy.__version__,
    }
    cores = len(os.sched_getaffinity(0))
    named = ", ".join(f"{k} {v}" for k, v in versions.items())
    return f"{model}, {cores} cores; {named}"


def spread(values: Sequence[float], unit: str = "") -> str:
    """Median, smallest and largest."""
    return (
        f"{statistics.median(values):,.4g}{unit} "
        f"({min(values):,.4g} to {max(values):,.4g}, n={len(values)})"
    )


def peak() -> float:
    """Floating-point operations per second of a large float32 product."""
    import tensorflow as tf

    size = 2048
    square = tf.random.stateless_normal([size, size], [0, 0])
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(square, square)))
    times = []
    for _ in range(10):
        begun = time.perf_counter()
        product().numpy()
        times.append(time.perf_counter() - begun)
    return 2 * size**3 / min(times)


def run_in(root: pathlib.Path, code: str, *arguments: pathlib.Path) -> Any:
    """What code of a checkout prints last, as JSON, in a process of its own."""
    env = {"PYTHONPATH": str(root), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return told_by("-c", code, *arguments, env={**os.environ, **env}, cwd=root)


def told_by(*arguments: Any, **settings: Any) -> Any:
    """What Python prints last with some arguments, as JSON.

    Args:
      *arguments: of the interpreter.
      **settings: of `subprocess.run`.
    """
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **settings,
    )
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])
