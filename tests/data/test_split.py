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


def at(dataset, times, splits=None, days=None):
    """The dataset with one row for each time."""
    times = np.asarray(times, np.int64)
    rows = dataset.impressions.take(np.zeros(len(times), int))
    rows = dataclasses.replace(rows, times=times, splits=splits, days=days)
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
    mend = "one time stay together: give rows of more times, or other shares"
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


def joined(dataset, *days):
    """The dataset of days that came one after another, split."""
    times = np.concatenate([np.asarray(day, np.int64) for day in days])
    numbers = np.repeat(np.arange(len(days)), list(map(len, days)))
    rows = at(dataset, times, days=numbers)
    return times_of(split_by_time(rows, newest_day=True))


FIRST = list(range(20))


def test_the_newest_day_is_split(dataset):
    day = list(range(100, 110))
    assert joined(dataset, FIRST, day) == [FIRST + day[:8], [108], [109]]
    # What came late is to train on, whatever its time.
    assert joined(dataset, day, FIRST)[0] == day + FIRST[:16]


def test_shares_are_of_all_days_otherwise(dataset):
    """So a training from nothing has more to be chosen by than one day's."""
    times = [*FIRST, *range(100, 110)]
    numbers = np.repeat([0, 1], [20, 10])
    parts = times_of(split_by_time(at(dataset, times, days=numbers)))
    assert parts == [times[:24], times[24:27], times[27:]]


@pytest.mark.parametrize(
    ("days", "held"),
    [
        ([[100]], [[18, 19], [100]]),
        ([[100, 100, 100]], [[18, 19], [100] * 3]),
        # Days of one time: each is met, then validated on, then learned.
        ([[100] * 9, [200] * 9], [[100] * 9, [200] * 9]),
        ([[100] * 9, [200] * 9, [300]], [[200] * 9, [300]]),
        # A day that can be split again is split by itself.
        ([[100], list(range(200, 210))], [[208], [209]]),
        # A day whose rows were all known brings none.
        ([[]], [[16, 17], [18, 19]]),
    ],
)
def test_a_short_day_is_to_test_on(dataset, days, held):
    train, *found = joined(dataset, FIRST, *days)
    assert found == held
    every = np.concatenate([FIRST, *days]).tolist()
    assert sorted(train + found[0] + found[1]) == sorted(every)


@pytest.mark.parametrize("seed", range(20))
def test_what_was_to_train_on_is_never_held_out_again(dataset, seed):
    random = np.random.default_rng(seed)
    days, learned, begin = [FIRST], set(FIRST[:16]), 20
    for _ in range(8):
        size = random.choice([0, 1, 1, 2, 3, 30])
        span = random.choice([1, 2, 40])
        day = np.sort(begin + random.integers(0, span, size))
        days.append(day.tolist())
        begin += 50
        train, valid, test = joined(dataset, *days)
        assert valid
        assert test
        assert max(valid) < min(test)
        assert learned <= set(train)
        assert not learned & {*valid, *test}
        learned = set(train)
