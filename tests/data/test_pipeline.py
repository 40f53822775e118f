"""Batches: every row, in a known order, from any step on."""

import dataclasses
from itertools import chain, islice

import numpy as np
import pytest

from tests.data import dataset_folder
from tfadrec.core.errors import InputError
from tfadrec.data.open_dataset import open_dataset

N = 12


@pytest.fixture
def dataset(tmp_path):
    """Rows that are told apart by their label, 0 to 11."""
    tables, schema = dataset_folder.tables(), dataset_folder.schema()
    dataset = open_dataset(dataset_folder.write(tmp_path, tables, schema))
    return numbered(dataset, N)


def numbered(dataset, n):
    rows = dataset.impressions.take(np.arange(n) % 5)
    number = np.arange(n, dtype=np.float32)
    rows = dataclasses.replace(rows, labels={"clicked": number})
    return dataclasses.replace(dataset, impressions=rows)


def numbers(batches, count=None):
    return [
        labels["clicked"].numpy().astype(int).tolist()
        for _, labels in islice(batches, count)
    ]


def test_in_order(dataset):
    batches = numbers(dataset.batches(5))
    assert batches == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]
    assert numbers(dataset.batches(100)) == [list(range(N))]


def test_the_inputs_of_the_contract(dataset):
    dataset = dataset.with_history_length(3)
    inputs, labels = next(iter(dataset.batches(5)))
    shapes = {k: (v.dtype.name, v.shape.as_list()) for k, v in inputs.items()}
    assert shapes == {
        "user_id": ("int32", [5]),
        "history_ads": ("int32", [5, 3]),
        "history_events": ("int32", [5, 3]),
        "history_ages": ("int32", [5, 3]),
        "history_length": ("int32", [5]),
        "candidate_ads": ("int32", [5]),
        "device": ("int32", [5]),
        "scroll": ("float32", [5]),
    }
    assert labels["clicked"].dtype.name == "float32"
    # Row 3 has four events, at 5, 7, 7 and 9; the newest three are kept.
    assert inputs["history_ads"][3].numpy().tolist() == [2, 3, 1]
    assert inputs["history_events"][3].numpy().tolist() == [2, 0, 1]
    assert inputs["history_ages"][3].numpy().tolist() == [5, 5, 3]
    assert inputs["history_length"].numpy().tolist() == [1, 1, 1, 3, 0]
    assert inputs["history_ads"][0].numpy().tolist() == [1, 0, 0]
    assert inputs["history_ages"][0].numpy().tolist() == [2, 0, 0]


def test_a_history_of_no_length(dataset):
    inputs, _ = next(iter(dataset.with_history_length(0).batches(4)))
    assert inputs["history_ads"].shape == [4, 0]
    assert inputs["history_length"].numpy().tolist() == [0] * 4


def test_an_age_beyond_int32(dataset):
    rows = dataclasses.replace(
        dataset.impressions, times=dataset.impressions.times + 2**33
    )
    late = dataclasses.replace(dataset, impressions=rows)
    inputs, _ = next(iter(late.batches(1)))
    assert inputs["history_ages"][0, 0] == 2**31 - 1


def test_a_pass_has_every_row_once(dataset):
    passes = numbers(dataset.batches(4, seed=1), 9)
    orders = [list(chain(*passes[i : i + 3])) for i in (0, 3, 6)]
    for order in orders:
        assert sorted(order) == list(range(N))
        assert order != list(range(N))
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_full_batches_where_the_size_does_not_divide(dataset):
    # 12 rows make two batches of 5: a pass leaves out two rows, and another
    # pass others, so that all are seen in the long run.
    batches = numbers(dataset.batches(5, seed=1), 20)
    assert {len(batch) for batch in batches} == {5}
    for one, other in zip(batches[::2], batches[1::2], strict=True):
        assert len(set(one + other)) == 10
    assert set(chain(*batches)) == set(range(N))


def test_more_than_there_are(dataset):
    for batch in numbers(dataset.batches(50, seed=1), 3):
        assert sorted(batch) == list(range(N))


def test_the_seed_is_the_order(dataset):
    def stream(seed):
        return numbers(dataset.batches(4, seed=seed), 7)

    assert stream(1) == stream(1)
    assert stream(1) != stream(2)
    assert stream(0) != numbers(dataset.batches(4))


@pytest.mark.parametrize("batch_size", [4, 5, 50])
def test_a_stream_is_taken_up_at_any_step(dataset, batch_size):
    whole = numbers(dataset.batches(batch_size, seed=3), 14)
    for first in range(8):
        rest = dataset.batches(batch_size, seed=3, first_step=first)
        assert numbers(rest, 14 - first) == whole[first:]


@pytest.mark.parametrize(
    ("arguments", "length", "received"),
    [
        ({"batch_size": 0}, 5, "batch_size=0"),
        ({"batch_size": 2, "seed": 1, "first_step": -1}, 5, "first_step=-1"),
        ({"batch_size": 2}, -1, "history_length=-1"),
    ],
)
def test_bad_arguments(dataset, arguments, length, received):
    dataset = dataset.with_history_length(length)
    with pytest.raises(InputError, match=rf">= 0\. Received: .*{received}"):
        dataset.batches(**arguments)


def test_no_rows(dataset):
    with pytest.raises(InputError, match="batches need rows"):
        dataset.select(np.array([], int)).batches(2)
