"""The README's examples run as they stand."""

import os
import re
import shutil
import socket
import subprocess
import sys

import pytest

from tests.test_docs import ROOT, blocks

README = ROOT / "README.md"


def run(*command, folder, **environment):
    found = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def asks_for_ads():
    """The request for ads by the client, of the page on serving."""
    (found,) = (
        block
        for block in blocks(ROOT / "docs/serving.md", "python")
        if 'client.predict(\n    "recommend"' in block
    )
    return found


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("curl")),
    reason="needs bash and curl",
)
def test_your_own_log_ends_with_an_answer(tmp_path):
    section = README.read_text("utf-8").partition("## Your own log")[2]
    section = section.partition("\n## ")[0]
    named = r"`(\w+\.\w+)`(?:(?!```).)*?```(?:csv|yaml)\n(.*?)```"
    files = dict(re.findall(named, section, re.DOTALL))
    assert set(files) == {"log.csv", "shop.yaml", "run.yaml"}
    for name, text in files.items():
        (tmp_path / name).write_text(text, "utf-8")
    (script,) = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    assert "serve saved_models/shop &" in script
    script = script.replace(
        "serve saved_models/shop", f"serve saved_models/shop --port {port}"
    ).replace("8501", port)
    (tmp_path / "ask.py").write_text(asks_for_ads().replace("8501", port))
    script = script.replace("kill %1", '"$PYTHON" ask.py\nkill %1')
    start = 'set -em; tfadrec() { "$PYTHON" -m tfadrec "$@"; }\n'
    said = run(
        *("bash", "-c", start + script), folder=tmp_path, PYTHON=sys.executable
    )
    assert "12 impressions read = 12 kept" in said
    # In the table of `train`, that of `evaluate`, and that of its choices.
    assert said.count("logistic regression") == 3, said
    assert "cannot be told from chance" in said
    assert '"pctr": [[0.' in said
    # By the client, as the page on serving has it.
    assert re.search(r"shoe 0\.\d+\ncoat 0\.\d+$", said, re.MULTILINE), said


@pytest.mark.slow
@pytest.mark.network
def test_the_examples_in_python_end_with_answers(tmp_path):
    """That of the README, and then those of two pages, with its objects."""
    (example,) = blocks(README, "python")
    example = example.replace("epochs=3", "epochs=1")
    assert "epochs=1" in example
    (measured, *_) = blocks(ROOT / "docs" / "evaluation.md", "python")
    served = blocks(ROOT / "docs" / "serving.md", "python")[-1]
    assert 'open_bundle("saved_models/a")' in served
    served = served.replace("saved_models/a", "saved_models/first")
    said = run(
        sys.executable,
        "-c",
        "\n".join([example, measured, "rows = [0, 1, 2]", served]),
        folder=tmp_path,
    )
    assert "gauc" in said
    assert "text cosine" in said
    assert (tmp_path / "saved_models/first/1/saved_model.pb").is_file()
    assert (tmp_path / "report.html").is_file()
