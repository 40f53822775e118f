"""A JSON file that holds anything is read, or is an OSError or ValueError."""

import os

import pytest

from tfadrec.core import read_json as module
from tfadrec.core.read_json import parse_json, read_json


def test_what_is_read(tmp_path):
    text = '{"a": [1, "\\ud83d\\ude00", "\\u00e9", "C:\\\\udir"]}'
    assert parse_json(text) == {"a": [1, "\U0001f600", "é", "C:\\udir"]}
    (tmp_path / "f").write_text(text)
    assert read_json(tmp_path / "f") == parse_json(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        '"\\ud800"',
        '{"\\uDFFF": 1}',
        b"\xff",
        "9" * 5000,
        '{"a": 1, "b": {"c": 1, "c": 1}}',
    ],
)
def test_what_is_no_json(text):
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_what_is_no_file(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", ".", "none"):
        with pytest.raises(OSError, match=r"no regular file|No such file"):
            read_json(tmp_path / name)
    monkeypatch.setattr(module, "_MOST_BYTES", 3)
    (tmp_path / "f").write_text("[1, 2]")
    with pytest.raises(ValueError, match="more than 3 bytes"):
        read_json(tmp_path / "f")
