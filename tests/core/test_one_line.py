"""What stands in a message."""

import pytest

from tfadrec.core.one_line import one_line, visible


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


def test_visible_lines_stay_as_they_are_but_for_commands():
    text = "Prix\u00a0bas\n\u5b89\u3044\u3000靴  é"
    assert visible(text) == text
    assert visible("\x1b]0;a\x07\r\u202eb\n") == "\\x1b]0;a\\x07\\r\\u202eb\n"
