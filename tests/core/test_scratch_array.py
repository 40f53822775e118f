"""Arrays in files without a name."""

import gc
import os

import numpy as np
import pytest

from tfadrec.core.scratch_array import reserve, scratch_array


def test_its_room_is_a_file_without_a_name(tmp_path):
    gc.collect()  # what other tests have left open closes now
    before = set(os.listdir("/proc/self/fd"))
    made = scratch_array((3, 2), np.int16, tmp_path)
    assert (made.shape, made.dtype, made.any()) == ((3, 2), np.int16, False)
    assert list(tmp_path.iterdir()) == []
    with open("/proc/self/maps") as maps:
        (line,) = (line for line in maps if str(tmp_path) in line)
    assert "(deleted)" in line
    made[:] = 7
    assert (np.array(made) == 7).all()
    del made
    gc.collect()
    with open("/proc/self/maps") as maps:
        assert str(tmp_path) not in maps.read()
    assert set(os.listdir("/proc/self/fd")) == before


def test_room_that_is_missing_is_told(tmp_path):
    """And not by the end of the process, once it is written to."""
    with pytest.raises(OSError, match=r"too large|No space") as error:
        scratch_array((1 << 60,), np.int8, tmp_path)
    assert f"a temporary file of {1 << 60:,} bytes" in str(error.value)
    assert str(tmp_path) in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_without_a_way_to_reserve_room(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")
    with (tmp_path / "file").open("wb") as file:
        reserve(file, 5)
    assert (tmp_path / "file").read_bytes() == bytes(5)
