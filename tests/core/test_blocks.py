"""Blocks of rows."""

import pytest

from tfadrec.core import blocks


@pytest.mark.parametrize("count", [0, 1, 7, 8, 14, 15])
def test_every_row_is_in_one_block(monkeypatch, count):
    monkeypatch.setattr(blocks, "ROWS", 7)
    found = [list(range(count))[part] for part in blocks.blocks(count)]
    assert [row for rows in found for row in rows] == list(range(count))
    assert all(1 <= len(rows) <= 7 for rows in found)
