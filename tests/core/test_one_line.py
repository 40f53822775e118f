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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # A health worker, also with a tone of skin, a family, a rainbow flag.
        ("\U0001f469\u200d\u2695\ufe0f.", None),
        ("\U0001f469\U0001f3fd\u200d\u2695\ufe0f", None),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", None),
        ("\U0001f3f3\ufe0f\u200d\U0001f308", None),
        ("pay\u200dpal", "pay\\u200dpal"),
        ("\U0001f469\u200d", "\U0001f469\\u200d"),
        ("\u200d\U0001f469", "\\u200d\U0001f469"),
        (
            "\U0001f469\u200d\u200d\U0001f467",
            "\U0001f469\\u200d\\u200d\U0001f467",
        ),
        ("\U0001f469\u200da", "\U0001f469\\u200da"),
        ("\U0001f469\u200d\x1b[2J", "\U0001f469\\u200d\\x1b[2J"),
        ("\U0001f469\u202e\U0001f467", "\U0001f469\\u202e\U0001f467"),
        ("\U0001f469\u2028\U0001f467", "\U0001f469\\u2028\U0001f467"),
    ],
)
def test_emoji_are_joined_and_nothing_else(text, shown):
    assert visible(text) == (text if shown is None else shown)


def test_visible_lines_stay_as_they_are_but_for_commands():
    text = "Prix\u00a0bas\n\u5b89\u3044\u3000靴  é"
    assert visible(text) == text
    assert visible("\x1b]0;a\x07\r\u202eb\n") == "\\x1b]0;a\\x07\\r\\u202eb\n"
