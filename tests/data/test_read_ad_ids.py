"""Ids by themselves, and in files."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfadrec import data
from tfadrec.core.errors import InputError


def test_an_id_and_files_of_ids(tmp_path):
    assert data.read_ad_ids("a 1") == ["a 1"]
    lines = tmp_path / "gone.txt"
    lines.write_bytes("a1\r\n\n b2 \n \r\nb2\nÄ".encode())
    assert data.read_ad_ids(lines) == ["a1", " b2 ", "b2", "Ä"]
    table = tmp_path / "gone"
    pq.write_table(pa.table({"x": [1, 2], "ad_id": [7, None]}), table)
    assert data.read_ad_ids(str(table)) == [7]


def test_ids_that_look_like_something_else(tmp_path):
    """Longer than a file's name may be, and with odd ends of lines in them."""
    assert data.read_ad_ids("x" * 300) == ["x" * 300]
    lines = tmp_path / "gone.txt"
    # As a spreadsheet writes it, with a mark of its encoding.
    lines.write_bytes("\ufeffa1\r\na\u2028b\r\nc\x85d\r\n".encode())
    assert data.read_ad_ids(lines) == ["a1", "a\u2028b", "c\x85d"]


@pytest.mark.parametrize(
    ("column", "ids"),
    [
        ([1.0, None, 3.0], [1, 3]),
        ([b"a1", None], ["a1"]),
        (pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
    ],
)
def test_columns_of_ids(tmp_path, column, ids):
    file = tmp_path / "ids"
    pq.write_table(pa.table({"ad_id": column}), file)
    assert data.read_ad_ids(file) == ids


@pytest.mark.parametrize("what", ["latin-1", "other columns", "fractions"])
def test_files_of_something_else(tmp_path, what):
    file = tmp_path / "ids"
    if what == "latin-1":
        file.write_bytes("Ä".encode("latin-1"))
    else:
        columns = {"ad_id": [1.0, 3.7]} if what == "fractions" else {"x": [1]}
        pq.write_table(pa.table(columns), file)
    with pytest.raises(InputError, match=r"ad_id, or a text.*Received: .*ids"):
        data.read_ad_ids(file)
