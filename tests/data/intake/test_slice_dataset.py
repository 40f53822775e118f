"""A stretch of time as a dataset: who and what is in it, and no more."""

import numpy as np
import pytest

from tests.data import dataset_folder, rich_dataset
from tfadrec.core.errors import InputError
from tfadrec.data import join_datasets, open_dataset
from tfadrec.data.intake.slice_dataset import slice_dataset

MIDDLE = 1500


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sliced")
    # Few rows, so that some users, ads and values are in one half alone.
    tables = rich_dataset.tables(users=12, ads=25, requests=12, events=12)
    whole = dataset_folder.write(folder / "all", tables, rich_dataset.schema())
    slice_dataset(whole, folder / "before", until=MIDDLE)
    slice_dataset(whole, folder / "after", since=MIDDLE)
    return folder


def facts(dataset, day=None):
    """Each impression with all that is known of it, without codes."""
    if day is not None:
        dataset = dataset.select(dataset.impressions.days == day)
    rows, log = dataset.impressions, dataset.events
    users = np.append("?", dataset.user_ids)
    ads = np.append("?", dataset.catalogue.ad_ids)
    types = np.append("?", dataset.schema.event_types)
    return sorted(
        (
            int(time),
            users[user],
            ads[ad],
            float(label),
            [
                (int(log.times[e]), ads[log.ads[e]], types[log.types[e]])
                for e in range(start, end)
            ],
        )
        for time, user, ad, label, start, end in zip(
            rows.times,
            rows.users,
            rows.ads,
            rows.labels["clicked"],
            rows.history_starts,
            rows.history_ends,
            strict=True,
        )
    )


def test_a_half_knows_what_is_in_it(folders):
    whole, half = (
        open_dataset(folders / "all"),
        open_dataset(folders / "before"),
    )
    assert half.impressions.times.max() < MIDDLE
    assert half.events.times.max() < MIDDLE
    assert facts(half) == [f for f in facts(whole) if f[0] < MIDDLE]
    assert set(half.user_ids) < set(whole.user_ids)
    assert set(half.catalogue.ad_ids) < set(whole.catalogue.ad_ids)
    # The ads' features are what they were, under codes of their own.
    for mine, its in zip(
        whole.schema.of("ad"), half.schema.of("ad"), strict=True
    ):
        if mine.kind == "category":
            names = [np.array(["", *f.vocabulary]) for f in (mine, its)]
            codes = whole.catalogue.columns[mine.tensor]
            np.testing.assert_array_equal(
                names[1][half.catalogue.columns[mine.tensor]],
                names[0][codes[half_rows(whole, half)]],
            )


def half_rows(whole, half):
    return np.flatnonzero(
        np.isin(whole.catalogue.ad_ids, half.catalogue.ad_ids)
    )


def test_both_halves_are_the_whole(folders, tmp_path):
    join_datasets(folders / "before", folders / "after", tmp_path / "joined")
    whole, joined = (
        open_dataset(folders / "all"),
        open_dataset(tmp_path / "joined"),
    )
    assert facts(joined) == facts(whole)
    first = open_dataset(folders / "before")
    assert facts(joined, 0) == facts(first)
    # A stretch of that has no days: those of a replay are its own.
    slice_dataset(tmp_path / "joined", tmp_path / "again", until=MIDDLE + 200)
    again = tmp_path / "again"
    assert open_dataset(again).impressions.days is None
    slice_dataset(tmp_path / "joined", tmp_path / "rest", since=MIDDLE + 200)
    join_datasets(again, tmp_path / "rest", tmp_path / "twice")
    twice = open_dataset(tmp_path / "twice").impressions
    np.testing.assert_array_equal(twice.days, twice.times >= MIDDLE + 200)
    assert set(twice.days) == {0, 1}


def test_values_of_the_time_alone(tmp_path):
    """The vocabulary is that of the rows, and codes are made anew."""
    whole = dataset_folder.write(
        tmp_path / "all", dataset_folder.tables(), dataset_folder.schema()
    )
    rows = open_dataset(whole).impressions
    first = int(rows.times.min())
    slice_dataset(whole, tmp_path / "first", until=first + 1)
    half = open_dataset(tmp_path / "first")
    (device,) = [f for f in half.schema.features if f.name == "device"]
    codes = rows.columns["device"][rows.times == first]
    names = np.array(["", "phone", "tv"])[codes]
    assert set(device.vocabulary) == set(names) - {""}
    again = np.array(["", *device.vocabulary])[
        half.impressions.columns["device"]
    ]
    np.testing.assert_array_equal(again, names)


def test_an_empty_time(folders, tmp_path):
    with pytest.raises(
        InputError, match=r"must have impressions\. Received: none"
    ):
        slice_dataset(folders / "all", tmp_path / "none", since=9999)
    assert not (tmp_path / "none").exists()
