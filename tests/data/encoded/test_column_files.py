"""A written dataset's arrays are mapped, and equal those of its tables."""

import json
import shutil

import numpy as np
import pytest

from tests.data import dataset_folder, rich_dataset
from tfadrec.core.errors import InputError
from tfadrec.core.manifest import Manifest
from tfadrec.data.encoded.encoded import Encoded
from tfadrec.data.intake.slice_dataset import slice_dataset
from tfadrec.data.open_dataset import open_dataset


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A dataset of features of all kinds, as `prepare` writes one."""
    folder = tmp_path_factory.mktemp("rich")
    tables, schema = rich_dataset.tables(), rich_dataset.schema()
    made = dataset_folder.write(folder / "made", tables, schema)
    slice_dataset(made, folder / "d", since=0)
    return folder / "d"


@pytest.fixture
def copy(written, tmp_path):
    return shutil.copytree(written, tmp_path / "d")


def arrays(dataset):
    parts = (dataset.users, dataset.events, dataset.impressions, dataset.rates)
    return Encoded(dataset.user_ids, *parts).arrays()


def is_mapped(array):
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


def test_arrays_are_mapped_and_equal_those_of_the_tables(written, copy):
    (copy / "manifest.json").unlink()  # so the tables are read
    mapped, made = open_dataset(written), open_dataset(copy)
    found, expected = arrays(mapped), arrays(made)
    assert list(mapped.impressions.labels) == list(made.impressions.labels)
    assert mapped.user_ids.tolist() == made.user_ids.tolist()
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        np.testing.assert_array_equal(found[name], array, name)
        assert is_mapped(found[name]), name
        assert not is_mapped(array), name


def test_batches_equal_those_of_the_tables(written, copy):
    (copy / "manifest.json").unlink()
    for by in ("row", "request"):
        pairs = zip(
            open_dataset(written).batches(7, by=by),
            open_dataset(copy).batches(7, by=by),
            strict=True,
        )
        for found, expected in pairs:
            for mine, theirs in zip(found[:2], expected[:2], strict=True):
                assert mine.keys() == theirs.keys()
                for name in mine:
                    np.testing.assert_array_equal(mine[name], theirs[name])


def test_stretches_of_rows_stay_mapped(written):
    dataset = open_dataset(written)
    rows = np.arange(len(dataset))
    part = dataset.select(rows > 5)
    for stretch in (part, dataset.select(rows[6:]), part.select(rows[:-6] < 9)):
        assert is_mapped(stretch.impressions.users)
    assert not is_mapped(dataset.select(rows % 2 == 0).impressions.users)
    np.testing.assert_array_equal(part.origin.numbers, rows[6:])
    assert part.origin.is_of(part)
    for wrong in (rows[1:] > 5, rows + 1, rows[-3:] + 3):
        with pytest.raises(IndexError):
            dataset.select(wrong)


@pytest.mark.parametrize(
    "name", ["columns/impressions.ads.npy", "impressions.parquet"]
)
def test_a_changed_file_is_found(copy, name):
    content = bytearray((copy / name).read_bytes())
    content[-1] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(InputError, match=f"where {name} is not") as error:
        open_dataset(copy)
    assert str(error.value).count("Received") == 1  # one fault, told once


def test_a_missing_file_is_not_to_be_removed(copy):
    (copy / "columns" / "events.ads.npy").unlink()
    message = r"columns/events\.ads\.npy is missing\. Write the dataset again"
    with pytest.raises(InputError, match=message):
        open_dataset(copy)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("impressions.ads", np.zeros(3, np.int32), "must have one length"),
        ("events.times", np.zeros((), np.int64), "must be readable"),
        ("events.ads", b"no array", "must be readable"),
        ("events.ads", None, "must be all that models read"),
        ("impressions.labels.0", None, "must be all that models read"),
    ],
)
def test_a_manifest_of_other_arrays_is_an_error(copy, name, content, message):
    file = copy / "columns" / f"{name}.npy"
    if content is None:
        file.unlink()
    elif isinstance(content, bytes):
        file.write_bytes(content)
    else:
        np.save(file, content)
    (copy / "manifest.json").unlink()
    Manifest.of(copy, "dataset").write(copy)
    with pytest.raises(InputError, match=message) as error:
        open_dataset(copy)
    assert "\n" not in str(error.value)


def test_a_dataset_without_arrays_is_read_by_its_tables(written, copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    for name in list(manifest["files"]):
        if name.startswith("columns/"):
            del manifest["files"][name]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    dataset = open_dataset(copy)
    assert not is_mapped(dataset.impressions.ads)
    ads = open_dataset(written).impressions.ads
    np.testing.assert_array_equal(dataset.impressions.ads, ads)
