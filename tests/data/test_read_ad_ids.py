"""Ids by themselves, and in files."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfadrec import data
from tfadrec.core.errors import InputError


def test_an_id_and_files_of_ids(tmp_path):
    assert data.read_ad_ids("a 1") == ["a 1"]
    lines = tmp_path / "gone.txt"
    lines.write_bytes("a1\r\n\n b2 \nÄ".encode())
    assert data.read_ad_ids(lines) == ["a1", "b2", "Ä"]
    table = tmp_path / "gone"
    pq.write_table(pa.table({"x": [1, 2], "ad_id": [7, None]}), table)
    assert data.read_ad_ids(str(table)) == [7]


@pytest.mark.parametrize("what", ["latin-1", "other columns"])
def test_files_of_something_else(tmp_path, what):
    file = tmp_path / "ids"
    if what == "latin-1":
        file.write_bytes("Ä".encode("latin-1"))
    else:
        pq.write_table(pa.table({"x": [1]}), file)
    with pytest.raises(InputError, match=r"ad_id, or a text.*Received: .*ids"):
        data.read_ad_ids(file)
