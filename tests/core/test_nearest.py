"""The name that was probably meant."""

import pytest

from tfadrec.core.nearest import nearest

KNOWN = ["separator", "columns", "column_type", "min_count", "Buckets", "BST"]


@pytest.mark.parametrize(
    ("received", "meant"),
    [
        ("seperator", "separator"),
        ("buckets", "Buckets"),
        ("mc", "min_count"),
        # Cut short, where one name alone begins so.
        ("sep", "separator"),
        ("se", ""),
        ("co", ""),
        ("colums", "columns"),
        ("x", ""),
        # Of the same letters, and a part of the name.
        ("bts", "BST"),
        ("count", "min_count"),
    ],
)
def test_names(received, meant):
    expected = f" Did you mean {meant}?" if meant else ""
    assert nearest([received], KNOWN) == expected


def test_two_words_with_some_letters_in_common():
    assert nearest(["nothere"], ["three"]) == ""
