"""Small files of a sweep, which may hold anything."""

import pytest

from tfadrec.core.errors import InputError
from tfadrec.tuning.files import read_json


def test_what_was_written_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [1, null]}')
    assert read_json(tmp_path / "a.json") == {"a": [1, None]}
    assert read_json(tmp_path / "b.json") == {}


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[1]", b"\xff", b"9" * 5000, b"[" * 99_999, b"null"]
)
def test_junk_is_one_line(tmp_path, data):
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(
        InputError, match=r"files that it wrote.*a\.json"
    ) as error:
        read_json(tmp_path / "a.json")
    assert "\n" not in str(error.value)
