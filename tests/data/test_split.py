"""Splits by time, or as published."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from tests.data import dataset_folder
from tfadrec.core.errors import InputError
from tfadrec.data.open_dataset import open_dataset
from tfadrec.data.split import split_by_time


@pytest.fixture
def dataset(tmp_path):
    tables, schema = dataset_folder.tables(), dataset_folder.schema()
    return open_dataset(dataset_folder.write(tmp_path, tables, schema))


def at(dataset, times, splits=None):
    """The dataset with one row for each time."""
    times = np.asarray(times, np.int64)
    rows = dataset.impressions.take(np.zeros(len(times), int))
    rows = dataclasses.replace(rows, times=times, splits=splits)
    return dataclasses.replace(dataset, impressions=rows)


def times_of(parts):
    return [part.impressions.times.tolist() for part in parts]


def test_oldest_newer_newest(dataset):
    times = np.random.default_rng(0).permutation(100)
    parts = split_by_time(at(dataset, times), valid=0.2, test=0.1)
    train, valid, test = (sorted(part) for part in times_of(parts))
    assert train == list(range(70))
    assert valid == list(range(70, 90))
    assert test == list(range(90, 100))
    for part in parts:
        assert part.catalogue is dataset.catalogue
        assert part.events is dataset.events


def test_the_shares_are_a_tenth(dataset):
    parts = split_by_time(at(dataset, range(50)))
    assert [len(part) for part in parts] == [40, 5, 5]


def test_ties_stay_together_on_the_later_side(dataset):
    times = [0, 1, 2, 3, 4, 5, 5, 5, 8, 8]
    parts = split_by_time(at(dataset, times), valid=0.4, test=0.1)
    assert times_of(parts) == [[0, 1, 2, 3, 4], [5, 5, 5], [8, 8]]


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_lost_or_twice(dataset, seed):
    random = np.random.default_rng(seed)
    times = random.integers(0, 60, 300)
    parts = times_of(split_by_time(at(dataset, times), valid=0.2, test=0.2))
    assert sorted(parts[0] + parts[1] + parts[2]) == sorted(times.tolist())
    assert max(parts[0]) < min(parts[1])
    assert max(parts[1]) < min(parts[2])


def test_a_published_split(tmp_path):
    tables = dataset_folder.tables()
    splits = ["test", "train", "valid", "train", "test"]
    tables["impressions"] = tables["impressions"].append_column(
        "split", pa.array(splits)
    )
    dataset = open_dataset(
        dataset_folder.write(tmp_path, tables, dataset_folder.schema())
    )
    parts = split_by_time(dataset)
    ads = [part.impressions.ads.tolist() for part in parts]
    assert ads == [[3, 2], [2], [1, 1]]
    # Shares have no say in it.
    parts = split_by_time(dataset, valid=0.4, test=0.3)
    assert [len(part) for part in parts] == [2, 1, 2]


def test_a_published_split_of_another_name(dataset):
    splits = np.array(["train", "valid", "dev", None, "test"], object)
    with pytest.raises(InputError, match=r"valid or test\. Received: .*dev"):
        split_by_time(at(dataset, range(5), splits))


@pytest.mark.parametrize(
    ("valid", "test"), [(0, 0.1), (0.1, 0), (1, 0.1), (0.5, 0.5), (-0.1, 0.2)]
)
def test_bad_shares(dataset, valid, test):
    with pytest.raises(
        InputError, match=rf"leave rows.*Received: valid={valid}, test={test}"
    ):
        split_by_time(dataset, valid=valid, test=test)


@pytest.mark.parametrize(
    ("times", "splits", "name"),
    [
        ([3, 3, 3], None, "train"),
        ([1, 3, 3], None, "valid"),
        ([], None, "train"),
        ([1, 2], ["train", "valid"], "test"),
    ],
)
def test_an_empty_split(dataset, times, splits, name):
    mend = r"Give more rows or other shares\."
    if times == [3, 3, 3]:
        mend = "All of these have one time. Prepare them with `split: "
    if splits is not None:
        # Shares would be ignored.
        splits = np.array(splits, object)
        mend = f"`split` column alone says .*: mark some as {name}, or prep"
    with pytest.raises(
        InputError,
        match=rf"needs rows\. Received: none in '{name}' of .*{mend}",
    ):
        split_by_time(at(dataset, times, splits), valid=0.3, test=0.3)
