"""A file that takes its place in one step."""

import os

import pytest

from tfadrec.core.errors import InputError
from tfadrec.core.replace_file import replace_text, replacing_file


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_a_link(tmp_path, is_there):
    (tmp_path / "far").mkdir()
    if is_there:
        (tmp_path / "far" / "a.txt").write_text("old")
    link = tmp_path / "link.txt"
    link.symlink_to("far/a.txt")
    replace_text(link, "new")
    assert os.readlink(link) == "far/a.txt"
    assert (tmp_path / "far" / "a.txt").read_text() == "new"
    assert os.listdir(tmp_path / "far") == ["a.txt"]


def test_a_circle_of_links(tmp_path):
    link = tmp_path / "a"
    link.symlink_to("a")
    with pytest.raises(InputError, match="leads back to itself"):
        replace_text(link, "new")
    assert link.is_symlink()


def test_what_is_not_finished_changes_nothing(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("old")

    def interrupted():
        with replacing_file(file) as fresh:
            fresh.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]
