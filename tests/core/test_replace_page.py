"""A page is the old or the new one, and never that of somebody else."""

import hashlib
import os

import pytest

from tfadrec.core import replace_page as module
from tfadrec.core.errors import InputError
from tfadrec.core.replace_page import replace_page


def test_a_page_is_written_and_replaced(tmp_path):
    path = tmp_path / "deep" / "p.html"
    replace_page(path, "old\n", "report")
    replace_page(path, "new\n", "report")
    digest = hashlib.sha256(b"new\n").hexdigest()
    assert path.read_text() == (
        f"new\n<!-- written by tfadrec, sha256 {digest} -->\n"
    )
    assert os.listdir(path.parent) == ["p.html"]


def changed(path):
    path.write_text(path.read_text().replace("old", "OLD"))


def longer(path):
    path.write_text(path.read_text() + "<p>note</p>\n")


def foreign(path):
    path.write_text("my notes")


def binary(path):
    path.write_bytes(b"\xff")


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    "touch", [changed, longer, foreign, binary, folder, pipe]
)
def test_what_others_wrote_is_kept(tmp_path, touch):
    path = tmp_path / "p.html"
    replace_page(path, "old\n", "report")
    touch(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(InputError, match="only takes the place") as error:
        replace_page(path, "new\n", "report")
    assert "p.html" in str(error.value)
    assert "\n" not in str(error.value)
    assert (path.read_bytes() if path.is_file() else None) == before
    assert os.listdir(tmp_path) == ["p.html"]


def test_an_empty_file_and_one_of_an_older_version(tmp_path):
    path = tmp_path / "p.html"
    path.touch()
    replace_page(path, "new\n", "report")
    path.write_text("of old")
    replace_page(path, "new\n", "report", older="of old".__eq__)
    assert path.read_text().startswith("new\n")


def test_a_link_stays_a_link(tmp_path):
    link = tmp_path / "link.html"
    link.symlink_to("p.html")
    for content in ("old\n", "new\n"):
        replace_page(link, content, "report")
    assert link.is_symlink()
    assert (tmp_path / "p.html").read_text().startswith("new\n")


def test_a_failure_leaves_the_old_page(tmp_path, monkeypatch):
    path = tmp_path / "p.html"
    replace_page(path, "old\n", "report")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        replace_page(path, "new\n", "report")
    assert path.read_text().startswith("old\n")
    assert os.listdir(tmp_path) == ["p.html"]


def test_a_page_without_a_name():
    with pytest.raises(InputError, match="a report is written to a file that"):
        replace_page("", "new\n", "report")
