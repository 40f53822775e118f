"""Python code in a process of its own."""

import pathlib
import subprocess
import sys

import tfadrec

ROOT = pathlib.Path(tfadrec.__file__).parents[1]


def run(code, *arguments):
    """What came of it; the arguments are `sys.argv[1:]` there."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
