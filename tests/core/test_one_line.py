"""What stands in a message."""

import pytest

from tfadrec.core.one_line import one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n\tb  c\r", "a b c"),
        ("\x1b[31mré", "\\x1b[31mré"),
        ("\u202e\ufeff\uffff\ud800", "\\u202e\\ufeff\\uffff\\ud800"),
        ("x" * 50, "x" * 50),
        ("x" * 51, "x" * 50 + " …"),
        ("\0" * 10**6, "\\x00" * 12 + "\\x" + " …"),
        ("", ""),
    ],
)
def test_one_line(text, line):
    found = one_line(text, 50)
    assert found == line
    assert found.isprintable()
