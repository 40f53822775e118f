"""Where the public logs lie that some slow tests read, if they are there."""

import os
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
#: `$TFADREC_LOGS`, or a folder beside the project.
DATA = pathlib.Path(
    os.environ.get("TFADREC_LOGS", ROOT.parent / "shared" / "data")
)


def example(name):
    """The text of an example, and its files; skips where one is missing."""
    text = (ROOT / "examples" / f"{name}.yaml").read_text("utf-8")
    files = sorted(set(re.findall(r"file: ([^\s,]+)", text)))
    for file in files:
        if not (DATA / file).exists():
            pytest.skip(f"needs {file} in $TFADREC_LOGS")
    return text, files
