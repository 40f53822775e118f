"""Parsers read or refuse what atheris makes of good texts.

It is asked for by nobody but this test: pip install atheris.
"""

import os
import subprocess
import sys

import pytest
import yaml

from tests.fuzz import kinds
from tests.processes import ROOT

#: Inputs of each parser; see `test_files`.
RUNS = int(os.environ.get("TFADREC_FUZZ", "2000"))
GOOD = {
    "yaml": [yaml.safe_dump(kinds.TABLE), "a: &a {b: 1}\nc: {<<: *a}\n"],
    "run_config": [yaml.safe_dump(kinds.RUN)],
    "json": ['{"a": [1, 2.5e3, null, "\\ud83d\\ude00"]}'],
    "manifest": ['{"tfadrec": "dataset", "files": {"a/b.npy": [1, "00"]}}'],
    "schema": [],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", GOOD)
def test_inputs_that_take_new_paths(name, tmp_path):
    pytest.importorskip("atheris")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    good = GOOD[name]
    if name == "schema":
        good = [(kinds.prepared() / "schema.json").read_text()]
    for number, text in enumerate(good):
        (corpus / str(number)).write_text(text)
    options = (f"-runs={RUNS}", "-seed=1", "-timeout=10", "-rss_limit_mb=2048")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.fuzz.guided", name, *options),
            *(f"-artifact_prefix={tmp_path}/", corpus),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"Done {RUNS} runs" in done.stderr
