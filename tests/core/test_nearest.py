"""The name that was probably meant."""

import pytest

from tfadrec.core.nearest import nearest

KNOWN = ["separator", "columns", "column_type", "min_count", "Buckets"]


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
    ],
)
def test_names(received, meant):
    expected = f" Did you mean {meant}?" if meant else ""
    assert nearest([received], KNOWN) == expected
