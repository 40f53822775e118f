"""Benchmarks find what they import of each other: no test runs them."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1] / "benchmarks"
TREES = {file.stem: ast.parse(file.read_text()) for file in ROOT.glob("*.py")}


def names(tree):
    """What a module has at its top."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {each.asname or each.name for each in node.names}
        else:
            found |= {
                each.id for each in ast.walk(node) if isinstance(each, ast.Name)
            }
    return found


@pytest.mark.parametrize("name", sorted(TREES))
def test_what_is_imported_is_there(name):
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom) and node.module in TREES:
            imported = {each.name for each in node.names}
            assert imported <= names(TREES[node.module]), node.module
