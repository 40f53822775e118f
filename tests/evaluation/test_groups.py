"""Slices by columns, by what is derived of rows, and by several at once."""

import dataclasses

import numpy as np
import pytest

from tests.evaluation import rows
from tfadrec.core.errors import InputError
from tfadrec.data.origin import Origin
from tfadrec.evaluation import differences, measure
from tfadrec.evaluation.groups import groups_of

DAY = 86_400


def members(dataset, column):
    """Name -> the places of the group's rows."""
    names, codes = groups_of(dataset, column)
    return {
        name: np.flatnonzero(codes == place).tolist()
        for place, name in enumerate(names)
    }


def test_hours_of_the_day():
    times = [0, 5 * 3600 + 3599, 6 * 3600, 3 * DAY + 23 * 3600]
    dataset = rows.dataset([1] * 4, [0] * 4, times=times)
    assert members(dataset, "hour") == {
        **{"0 to 5": [0, 1], "6 to 11": [2], "18 to 23": [3]}
    }


def test_the_age_of_an_ad_is_since_its_first_row_in_all_of_the_dataset():
    """Ad 1 is as old as its rows of training; ad 2 is new; 0 is unknown."""
    whole = rows.dataset([1, 1, 2, 0], [0] * 4, times=[0, 4 * DAY, DAY, DAY])
    alone = whole.select(np.array([1, 2, 3]))
    later = dataclasses.replace(alone, origin=Origin("folder", whole))
    assert members(later, "ad_age") == {
        **{"missing": [2], "to 0": [1], "to 4": [0]}
    }
    assert members(alone, "ad_age") == {"missing": [2], "to 0": [0, 1]}


def test_length_and_script_of_texts():
    dataset = rows.dataset([1, 2, 3, 4, 0], [0] * 5)
    catalogue = dataclasses.replace(
        dataset.catalogue,
        titles=["Sale", "Скидка 50 % now", "", "割引"],
        descriptions=["", "", "!", "x"],
    )
    dataset = dataclasses.replace(dataset, catalogue=catalogue)
    assert members(dataset, "script") == {
        **{"missing": [2, 4], "cjk": [3], "cyrillic": [1], "latin": [0]}
    }
    assert members(dataset, "text_length") == {
        **{"missing": [4], "to 1": [2], "to 3": [3], "to 4": [0]},
        "above 4": [1],
    }


def test_length_of_histories():
    dataset = rows.dataset(
        [1] * 4, [0] * 4, events=[1] * 9, starts=[0] * 4, ends=[0, 1, 1, 9]
    )
    assert members(dataset, "history_length") == {
        **{"to 0": [0], "to 1": [1, 2], "above 1": [3]}
    }


def test_columns_are_crossed():
    dataset = rows.dataset(
        [1, 2, 1, 2], [0] * 4, brands=[1, 2, 1, 1], times=[0, 0, 7 * 3600, 0]
    )
    assert members(dataset, "brand+hour") == {
        "x & 0 to 5": [0],
        "x & 6 to 11": [2],
        "y & 0 to 5": [1, 3],
    }


def test_a_group_of_columns_is_a_slice_and_is_compared():
    rng = np.random.default_rng(0)
    clicked, users = rng.random(400) < 0.3, rng.integers(1, 60, 400)
    ads = rng.integers(1, 3, 400)
    dataset = rows.dataset(ads, clicked, users=users, brands=[1, 2, 1, 1])
    a, b = (
        measure({"clicked": rng.normal(size=400)}, dataset, columns=["brand"])
        for _ in range(2)
    )
    first = dataset.select(np.flatnonzero(ads == 1))
    alone = measure({"clicked": a.scores["clicked"][ads == 1]}, first)
    assert a.slices["brand=x"]["clicked"] == pytest.approx(
        alone.metrics["clicked"], nan_ok=True
    )
    found = differences(
        {"a": [a], "b": [b]}, dataset, columns=["brand"], replicates=20
    )
    assert {"brand=x", "brand=y"} < {d.part for d in found}


def test_what_is_no_column():
    dataset = rows.dataset([1], [0])
    with pytest.raises(InputError, match=r"Received: 'hours'.*mean hour\?"):
        groups_of(dataset, "hours")
    with pytest.raises(InputError, match="one of history_length, ad_age"):
        groups_of(dataset, "brand+hour")
