"""Every promise of SECURITY.md names a test that exists."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
NAMED = re.findall(r"`(tests/[^`]+\.py)::(\w+)`", TEXT)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_named_test_exists(file, name):
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert name in {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef)
    }


def test_every_promise_names_one():
    promises = re.split(r"\n- \*\*", TEXT)[1:]
    assert len(promises) >= 10
    for promise in promises:
        assert "`tests/" in promise.split("\n\n")[0], promise
