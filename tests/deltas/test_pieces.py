"""What a changed file is made of."""

import numpy as np
import pytest

from tfadrec.deltas import pieces as room
from tfadrec.deltas.pieces import find_pieces, own_bytes

RANDOM = np.random.default_rng(7)
OLD = RANDOM.integers(0, 256, 60_000, np.uint8)


def made(old, new):
    """The new bytes again, and how many of them were not copied."""
    pieces = find_pieces(old, new)
    own = np.concatenate([new[:0], *own_bytes(new, pieces)])
    assert pieces.dtype == np.int64
    assert (pieces >= 0).all()
    parts, taken = [new[:0]], 0
    for begin, copied, size in pieces:
        assert begin + copied <= len(old) or not copied
        parts += [old[begin : begin + copied], own[taken : taken + size]]
        taken += size
    np.testing.assert_array_equal(np.concatenate(parts), new)
    return taken


def test_touched_rows_are_the_own_bytes():
    """Rows of 64 bytes, of which one in forty has other numbers."""
    new = OLD[:57_600].copy().reshape(-1, 64)
    rows = RANDOM.permutation(len(new))[:22]
    new[rows] ^= 0x55
    assert made(OLD[:57_600], new.reshape(-1)) == 22 * 64


def test_one_changed_byte():
    new = OLD.copy()
    new[31_111] += 1
    assert made(OLD, new) == 1
    assert len(find_pieces(OLD, new)) == 2


@pytest.mark.parametrize("more", [1, 64, 4099])
def test_what_moved_is_found(more):
    """Rows that join in the middle move all that comes after them."""
    rows = RANDOM.integers(0, 256, more, np.uint8)
    new = np.concatenate([OLD[:20_000], rows, OLD[20_000:]])
    # The end of the chunk that they joined is theirs too.
    assert more <= made(OLD, new) < more + 3000
    assert made(new, OLD) < 3000


def test_changed_rows_that_moved():
    rows = RANDOM.integers(0, 256, 640, np.uint8)
    new = np.concatenate([OLD[:20_000], rows, OLD[20_000:]])
    new[np.arange(30_000, 60_000, 3000)] ^= 1
    assert made(OLD, new) < 640 + 3000 + 10


def test_files_that_have_nothing_in_common():
    other = RANDOM.integers(0, 256, 5_000, np.uint8)
    nothing = OLD[:0]
    assert made(nothing, other) == 5_000
    assert made(other, nothing) == 0
    assert made(nothing, nothing) == 0
    assert made(OLD[:3], OLD[:5]) == 2
    # Bytes agree by chance, and are not worth a piece.
    assert made(OLD, other) == 5_000


def test_bytes_that_never_end_a_chunk():
    zeros = np.zeros(100_000, np.uint8)
    new = zeros.copy()
    new[77] = 1
    assert made(zeros, new) == 1
    assert made(zeros, np.zeros(130_000, np.uint8)) <= 30_000


def test_windows_do_not_matter(monkeypatch):
    new = OLD.copy()
    new[::777] ^= 1
    expected = made(OLD, new)
    monkeypatch.setattr(room, "_WINDOW", 1000)
    assert made(OLD, new) == expected == len(new[::777])
