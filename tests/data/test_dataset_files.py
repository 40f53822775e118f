"""A file of a dataset that is not as it was written is found."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfadrec.core.errors import InputError
from tfadrec.core.owned_folder import OwnedFolder
from tfadrec.data.dataset_files import DatasetFiles


@pytest.fixture
def folder(tmp_path):
    with OwnedFolder(tmp_path / "d", "dataset").replacing() as fresh:
        (fresh / "schema.json").write_text("{}")
        (fresh / "ads.parquet").write_bytes(bytes(1000))
        (fresh / "rejects.parquet").write_bytes(b"rejects")
    return tmp_path / "d"


def test_files_are_read(folder):
    files = DatasetFiles(folder)
    assert files.read("ads.parquet").to_pybytes() == bytes(1000)
    assert DatasetFiles(f"file://{folder}").read("schema.json").size == 2


def test_every_bit_counts(folder):
    for place in range(0, 8000, 501):
        content = bytearray(1000)
        content[place // 8] ^= 1 << place % 8
        (folder / "ads.parquet").write_bytes(content)
        files = DatasetFiles(folder)
        with pytest.raises(InputError, match=r"where ads\.parquet is not"):
            files.read("ads.parquet")


@pytest.mark.parametrize("name", ["ads.parquet", "rejects.parquet"])
def test_sizes_are_checked_at_once(folder, name):
    for content in (b"", b"longer" * 1000):
        (folder / name).write_bytes(content)
        with pytest.raises(InputError, match=f"where {name} is not") as error:
            DatasetFiles(folder)
        assert "\n" not in str(error.value)
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"where {name} is missing"):
        DatasetFiles(folder)


def test_a_file_that_the_manifest_does_not_list(folder):
    (folder / "users.parquet").write_bytes(b"not of the writer")
    with pytest.raises(InputError, match=r"where users\.parquet is not"):
        DatasetFiles(folder).read("users.parquet")


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"[" * 100_000])
def test_a_damaged_manifest(folder, content):
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(InputError, match="must list the files") as error:
        DatasetFiles(folder)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_manifest(folder):
    (folder / "manifest.json").unlink()
    (folder / "ads.parquet").write_bytes(b"anything")
    assert DatasetFiles(folder).read("ads.parquet").to_pybytes() == b"anything"


def test_what_is_no_dataset(folder):
    (folder / "schema.json").unlink()
    for path in (folder, folder / "ads.parquet", folder / "none"):
        with pytest.raises(InputError, match=r"a folder with a schema\.json"):
            DatasetFiles(path)


def test_a_pipe_is_no_table(folder):
    (folder / "manifest.json").unlink()
    (folder / "ads.parquet").unlink()
    os.mkfifo(folder / "ads.parquet")
    with pytest.raises(InputError, match="must be a regular file"):
        DatasetFiles(folder).table("ads")


def test_tables_are_read_and_damaged_ones_are_not(tmp_path):
    table = pa.table({"a": [1, 2]})
    with OwnedFolder(tmp_path / "d", "dataset").replacing() as fresh:
        (fresh / "schema.json").write_text("{}")
        pq.write_table(table, fresh / "ads.parquet")
        (fresh / "users.parquet").write_text("written so")
    files = DatasetFiles(tmp_path / "d")
    assert files.table("ads") == table
    for name in ("users", "events"):
        with pytest.raises(InputError, match=f"{name}.parquet") as error:
            files.table(name)
        assert "\n" not in str(error.value)
