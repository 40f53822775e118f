"""Where a module is found: where Python finds it, and nothing is imported."""

import importlib.util
import pathlib
import subprocess
import sys

import pytest

from tfadrec.runs.source import Source


class Finder:
    """Finds one package outside the path, as an editable installation does."""

    def __init__(self, name: str, file: pathlib.Path) -> None:
        self.name, self.file = name, file

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.file)


def test_a_package_that_only_a_finder_knows(tmp_path, monkeypatch):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise SystemExit('was imported')")
    (folder / "mine.py").write_text("class Mine: pass")
    finder = Finder("a_found_package", folder / "__init__.py")
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, finder])
    source, node = Source("a_found_package.mine").follow("Mine")
    assert (source.module, node.name) == ("a_found_package.mine", "Mine")


def test_this_package_is_found_from_any_folder(tmp_path):
    """A command is started beside `tfadrec`, not from its checkout."""
    program = tmp_path / "read.py"
    program.write_text(
        "from tfadrec.runs.sections import arguments_of\n"
        "print(sorted(arguments_of('text')))\n"
    )
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "model" in done.stdout


@pytest.mark.parametrize("module", ["sys", "no_such_package.mine"])
def test_what_has_no_source(module):
    with pytest.raises(LookupError, match=module):
        Source(module)
