"""GGUF files, written here number by number."""

import struct

import numpy as np
import pytest

from tests.core.gguf_files import Q4_1, Q8_0, write_gguf
from tfadrec.core.errors import InputError
from tfadrec.core.gguf import Gguf


def read(path):
    return dict(Gguf.of(path).tensors())


def test_settings(tmp_path):
    told = {
        "general.name": "Größe",
        "a.number": 7,
        "a.share": 0.5,
        "is.it": True,
        "texts": ["ä", "", "Ġ t"],
        "numbers": [3, 1],
    }
    assert Gguf.of(write_gguf(tmp_path / "a", told, {})).told == told


def test_plain_numbers(tmp_path):
    wide = np.arange(6, dtype=np.float32).reshape(2, 3)
    half = np.array([0.5, -2.0], np.float16)
    found = read(write_gguf(tmp_path / "a", {}, {"w": wide, "h": half}))
    np.testing.assert_array_equal(found["w"], wide)
    np.testing.assert_array_equal(found["h"], [0.5, -2.0])
    assert found["h"].dtype == np.float32


def test_eight_bits(tmp_path):
    """Each of 32 numbers is d q: 0.5 times -16 to 15."""
    block = struct.pack("<e32b", 0.5, *range(-16, 16))
    tensor = (Q8_0, (2, 32), block + struct.pack("<e32b", 2.0, *[3] * 32))
    found = read(write_gguf(tmp_path / "a", {}, {"w": tensor}))["w"]
    np.testing.assert_array_equal(found[0], np.arange(-16, 16) / 2)
    np.testing.assert_array_equal(found[1], np.full(32, 6.0))


def test_four_bits(tmp_path):
    """Numbers d q + m; byte i holds q of number i, and of 16 + i above it."""
    low, high = range(16), range(15, -1, -1)
    halves = bytes(b * 16 + a for a, b in zip(low, high, strict=True))
    block = struct.pack("<2e", 0.5, -3.0) + halves
    tensor = (Q4_1, (1, 32), block)
    found = read(write_gguf(tmp_path / "a", {}, {"w": tensor}))["w"]
    expected = np.array([*low, *high]) * 0.5 - 3
    np.testing.assert_array_equal(found, [expected])


def test_a_tensor_behind_others(tmp_path):
    """Each begins at a multiple of the alignment."""
    tensors = {
        name: np.full([count], count, np.float32)
        for name, count in (("a", 1), ("b", 9), ("c", 2))
    }
    told = {"general.alignment": 64}
    found = read(write_gguf(tmp_path / "a", told, tensors))
    for name, value in tensors.items():
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("length", [0, 3, 9, 30, 60])
def test_a_head_that_is_cut_short(length, tmp_path):
    made = write_gguf(tmp_path / "a", {"name": "x" * 90}, {})
    made.write_bytes(made.read_bytes()[:length])
    with pytest.raises(InputError, match=r"whole GGUF file .*Received: .*/a:"):
        Gguf.of(made)


def test_another_version(tmp_path):
    made = write_gguf(tmp_path / "a", {}, {})
    made.write_bytes(b"GGUF" + struct.pack("<I", 1) + made.read_bytes()[8:])
    with pytest.raises(InputError, match="it is of version 1"):
        Gguf.of(made)


def test_a_tensor_that_is_cut_short(tmp_path):
    made = write_gguf(tmp_path / "a", {}, {"w": np.ones(9, np.float32)})
    made.write_bytes(made.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"Received: w of .*/a, which is cut"):
        read(made)


def test_a_type_that_is_not_read(tmp_path):
    made = write_gguf(tmp_path / "a", {}, {"w": (2, (1, 32), bytes(18))})
    with pytest.raises(
        InputError, match=r"types 0, 1, 3, 8. Received: w of typ"
    ):
        read(made)
