"""Batches: every row, in a known order, from any step on."""

import dataclasses
import pathlib
from itertools import chain, islice, pairwise

import numpy as np
import pytest
import tensorflow as tf

from tests.data import dataset_folder, rich_dataset
from tfadrec.core.errors import InputError
from tfadrec.data.event_log import EventLog
from tfadrec.data.open_dataset import open_dataset
from tfadrec.data.pipeline import shuffled_rows
from tfadrec.data.user_keys import user_keys

N = 12
#: Of requests.
UNEQUAL = [1, 3, 2, 5, 4, 1, 2, 6, 2, 1]


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


def test_user_keys_come_where_they_are_asked_for(dataset, monkeypatch):
    """They are worked out once, for all slices."""
    made = []
    monkeypatch.setattr(
        "tfadrec.data.dataset.user_keys",
        lambda ids: made.append(ids) or user_keys(ids),
    )
    keyed = dataset.with_user_keys()
    for part in (keyed, keyed.select(np.arange(4)), keyed.with_user_keys()):
        inputs, _ = next(iter(part.batches(4)))
        users = inputs["user_id"].numpy()
        np.testing.assert_array_equal(
            inputs["user_key"], user_keys(dataset.user_ids)[users]
        )
    assert len(made) == 1
    other = dataset.with_history_length(2).read_as(keyed)
    assert other.history_length == keyed.history_length
    assert "user_key" in next(iter(other.batches(4)))[0]
    assert dataset.read_as(dataset).user_keys is None


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


@pytest.mark.parametrize(
    "batch_size", [4, 50, pytest.param(5, marks=pytest.mark.slow)]
)
def test_a_stream_is_taken_up_at_any_step(dataset, batch_size):
    whole = numbers(dataset.batches(batch_size, seed=3), 14)
    for first in (1, 4, 7):
        rest = dataset.batches(batch_size, seed=3, first_step=first)
        assert numbers(rest, 14 - first) == whole[first:]


@pytest.mark.parametrize(
    ("arguments", "length", "received"),
    [
        ({"batch_size": 0}, 5, "batch_size=0"),
        ({"batch_size": 2.5}, 5, "batch_size=2.5"),
        ({"batch_size": "2"}, 5, "batch_size='2'"),
        ({"batch_size": True}, 5, "batch_size=True"),
        ({"batch_size": 2, "seed": "a"}, 5, "seed='a'"),
        ({"batch_size": 2, "seed": 1, "first_step": -1}, 5, "first_step=-1"),
        ({"batch_size": 2}, -1, "history_length=-1"),
        ({"batch_size": 2}, 1.5, "history_length=1.5"),
    ],
)
def test_bad_arguments(dataset, arguments, length, received):
    with pytest.raises(InputError, match=rf">= .\. Received: .*{received}"):
        dataset.with_history_length(length).batches(**arguments)


def test_no_rows(dataset):
    with pytest.raises(InputError, match="batches need rows"):
        dataset.select(np.array([], int)).batches(2)


def by_request(dataset, sizes):
    """The dataset with requests of these sizes, rows told apart by label."""
    n = sum(sizes)
    rows = dataset.impressions.take(np.zeros(n, int))
    rows = dataclasses.replace(
        rows,
        requests=np.repeat(np.arange(len(sizes)), sizes),
        labels={"clicked": np.arange(n, dtype=np.float32)},
    )
    return dataclasses.replace(dataset, impressions=rows)


def real(batches, count=None):
    """The labels of each batch's requests, without what is padding."""
    return [
        [
            request[mask].astype(int).tolist()
            for request, mask in zip(
                labels["clicked"].numpy(),
                inputs["candidate_mask"].numpy(),
                strict=True,
            )
        ]
        for inputs, labels in islice(batches, count)
    ]


def test_requests_in_order_padded_to_the_largest_of_a_batch(dataset):
    dataset = by_request(dataset, [2, 1, 3, 1])
    batches = list(dataset.batches(3, by="request"))
    assert real(batches) == [[[0, 1], [2], [3, 4, 5]], [[6]]]
    masks = [inputs["candidate_mask"].numpy().tolist() for inputs, _ in batches]
    true, false = True, False
    assert masks == [
        [[true, true, false], [true, false, false], [true, true, true]],
        [[true]],
    ]
    # What fills a request up is its own first row.
    first = batches[0][1]["clicked"].numpy().tolist()
    assert first == [[0, 1, 0], [2, 2, 2], [3, 4, 5]]


def test_the_inputs_of_a_request_are_those_of_its_rows(tmp_path):
    """Of users, histories and the context once, of candidates for each."""
    dataset = rich_dataset.make(tmp_path, length=3)
    candidate = {"candidate_ads", "bid", "slot", "reasons", "look"}
    [(rows, row_labels, row_weights)] = dataset.batches(10**6)
    slates = dataset.slates()
    [(inputs, labels, weights)] = dataset.batches(10**6, by="request")
    assert set(inputs) == {*rows, "candidate_mask"}
    mask = inputs["candidate_mask"].numpy()
    assert mask.shape == (len(slates.sizes), max(slates.sizes))
    np.testing.assert_array_equal(mask.sum(1), slates.sizes)
    for name, values in rows.items():
        wanted = values.numpy()
        if name in candidate:
            np.testing.assert_array_equal(
                inputs[name].numpy()[mask],
                wanted[in_order(slates)],
                err_msg=name,
            )
        else:
            np.testing.assert_array_equal(
                inputs[name], wanted[slates.rows[slates.starts]], err_msg=name
            )
    for name, values in row_labels.items():
        np.testing.assert_array_equal(
            labels[name].numpy()[mask], values.numpy()[in_order(slates)]
        )
    np.testing.assert_array_equal(
        weights.numpy()[mask], row_weights.numpy()[in_order(slates)]
    )


def in_order(slates):
    """Rows, request after request."""
    return np.concatenate(
        [
            slates.rows[start : start + size]
            for start, size in zip(slates.starts, slates.sizes, strict=True)
        ]
    )


def test_features_of_users_and_events(tmp_path):
    """Those of the user's row, and of the newest events; nothing else."""
    dataset = rich_dataset.make(tmp_path, length=3)
    [(inputs, *_)] = dataset.batches(10**6)
    shown, log = dataset.impressions, dataset.events
    np.testing.assert_array_equal(
        inputs["age"], dataset.users["age"][shown.users]
    )
    np.testing.assert_array_equal(
        inputs["likes"], dataset.users["likes"][shown.users]
    )
    # Nothing is known of the first user, who has impressions.
    [first] = np.flatnonzero(dataset.user_ids == "u0") + 1
    assert np.isnan(inputs["age"].numpy()[shown.users == first]).all()
    assert (shown.users == first).any()
    for row in range(len(dataset)):
        end = shown.history_ends[row]
        begin = max(shown.history_starts[row], end - 3)
        found = inputs["history_terms"][row].numpy()
        np.testing.assert_array_equal(
            found[: end - begin], log.columns["history_terms"][begin:end]
        )
        np.testing.assert_array_equal(found[end - begin :], 0)


def test_weights_have_the_mean_one(tmp_path):
    dataset = rich_dataset.make(tmp_path)
    weights = dataset.impressions.weights
    assert weights.std() > 0.5
    found = np.concatenate([batch[2] for batch in dataset.batches(16)])
    np.testing.assert_allclose(found, weights / weights.mean(), rtol=1e-6)
    assert found.mean() == pytest.approx(1)
    bare = dataclasses.replace(dataset.impressions, weights=None)
    [batch] = dataclasses.replace(dataset, impressions=bare).batches(10**6)
    assert len(batch) == 2


def test_a_request_of_many_ads_becomes_several(dataset):
    dataset = by_request(dataset, [5, 1])
    found = real(dataset.batches(4, by="request", max_candidates=2))
    assert found == [[[0, 1], [2, 3], [4], [5]]]


def test_every_request_once_in_a_pass_and_sizes_alike_in_a_batch(dataset):
    random = np.random.default_rng(0)
    sizes = random.integers(1, 40, 128)
    dataset = by_request(dataset, sizes)
    passes = real(dataset.batches(8, by="request", seed=1), 32)
    for batches in (passes[:16], passes[16:]):
        flat = sorted(
            row for batch in batches for slate in batch for row in slate
        )
        assert flat == list(range(sizes.sum()))
    # 16 batches are one window: together they are in the order of size.
    spreads = sorted(
        (min(map(len, batch)), max(map(len, batch))) for batch in passes[:16]
    )
    for (_, most), (least, _) in pairwise(spreads):
        assert most <= least
    # But the batches come in any order, another one in each pass.
    order = [len(batch[0]) for batch in passes]
    assert order[:16] != sorted(order[:16])
    assert order[:16] != order[16:]


def test_a_window_is_sorted_by_itself(dataset):
    """Of 20 batches of two, 16 are one window and 4 another."""
    dataset = by_request(dataset, np.arange(1, 41))
    batches = real(dataset.batches(2, by="request", seed=2), 20)
    sizes = [sorted(map(len, batch)) for batch in batches]
    assert sorted(chain(*sizes)) == list(range(1, 41))
    # Sorted as a whole, the two of each batch would differ by 1.
    assert max(large - small for small, large in sizes) > 1


@pytest.mark.parametrize(
    ("sizes", "batch_size"),
    [
        (UNEQUAL, 3),
        (UNEQUAL, 50),
        pytest.param(UNEQUAL, 4, marks=pytest.mark.slow),
        *(
            pytest.param([2] * 12, batch_size, marks=pytest.mark.slow)
            for batch_size in (3, 4, 50)
        ),
    ],
)
def test_a_stream_of_requests_is_taken_up_at_any_step(
    dataset, sizes, batch_size
):
    dataset = by_request(dataset, sizes)
    whole = real(dataset.batches(batch_size, by="request", seed=3), 9)
    for first in (1, 3, 8):
        rest = dataset.batches(
            batch_size, by="request", seed=3, first_step=first
        )
        assert real(rest, 9 - first) == whole[first:]
    other = real(dataset.batches(batch_size, by="request", seed=4), 9)
    assert other != whole


def test_neither_rows_nor_requests(dataset):
    with pytest.raises(InputError, match=r"or request\. Received: 'slate'"):
        dataset.batches(2, by="slate")


def rows_of(stream, count):
    return [rows.numpy().tolist() for rows in stream.take(count)]


def resident():
    """MiB of memory that is no file's."""
    status = pathlib.Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if "RssAnon" in line]
    return int(line.split()[1]) / 1024


def test_events_are_not_copied(dataset, tmp_path):
    """TensorFlow copies what a pipeline reads where it rewrites that."""
    np.save(tmp_path / "a.npy", np.zeros(8_000_001, np.int32))
    column = np.load(tmp_path / "a.npy", mmap_mode="c")[:-1]
    events = EventLog(column, column, column, None)
    large = dataclasses.replace(dataset, events=events)
    next(iter(dataset.batches(4)))
    before = resident()
    next(iter(large.batches(4)))
    assert resident() - before < 15  # of 30 MiB each


def test_windows_of_shuffled_blocks():
    """103 rows, 20 steps of 5 a pass: windows of 20, 20, 20, 20 and 23."""
    near = {"window": 20, "block": 8}
    batches = rows_of(shuffled_rows(103, 5, 3, 0, **near), 40)
    passes = [list(chain(*batches[:20])), list(chain(*batches[20:]))]
    for rows in passes:
        assert len(set(rows)) == 100
        assert 0 <= min(rows) <= max(rows) < 103
        for begin in range(0, 100, 20):
            window = rows[begin : begin + 20]
            # 20 rows of a few blocks in no order, and not of all 13.
            assert len({row // 8 for row in window}) <= 5
            assert window != sorted(window)
    assert passes[0] != passes[1]
    first = [{row // 8 for row in rows[:20]} for rows in passes]
    assert first[0] != first[1]
    for step in (1, 4, 19, 20, 33):
        found = rows_of(shuffled_rows(103, 5, 3, step, **near), 6)
        assert found == batches[step : step + 6][: len(found)]


def test_windows_of_like_sizes():
    sizes = np.arange(64) % 4 + 1
    near = {"window": 32, "block": 8}
    batches = rows_of(shuffled_rows(64, 4, 0, 0, sizes, **near), 16)
    assert sorted(chain(*batches)) == list(range(64))
    assert all(len(set(sizes[rows])) == 1 for rows in batches)


def test_rows_of_one_window_are_shuffled_as_one():
    expected = tf.random.experimental.stateless_shuffle(
        tf.range(30, dtype=tf.int64), seed=[5, 1]
    )
    batches = rows_of(shuffled_rows(30, 10, 5, 3, block=4), 3)
    assert list(chain(*batches)) == expected.numpy().tolist()
