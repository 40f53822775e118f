"""Columns with more distinct values than are held at a time."""

import collections

import numpy as np
import pyarrow as pa
import pytest
from data.features.reading import describe, encode

from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.features import value_counts, vocabulary


@pytest.fixture
def few(monkeypatch):
    """Vocabularies of ten values."""
    monkeypatch.setattr(value_counts, "_MOST", 7)
    monkeypatch.setattr(value_counts, "MOST_VALUES", 10)
    monkeypatch.setattr(vocabulary, "MOST_VALUES", 10)


def texts(seed=0, values=300):
    """A thousand texts, some of them often, and missing ones."""
    random = np.random.default_rng(seed)
    numbers = (values ** random.random(1000)).astype(int)
    return [f"v{n}" if n % 11 else None for n in numbers]


def chunks_of(values, size, kind="string"):
    chunks = [values[n : n + size] for n in range(0, len(values), size)]
    return pa.chunked_array(chunks, kind)


def column_of(kind, values, size):
    if kind == "category":
        return chunks_of(values, size)
    lists = [[] if text is None else [text] for text in values]
    return chunks_of(lists, size, pa.list_(pa.string()))


@pytest.mark.parametrize("size", [1, 33, 1000])
def test_counts_in_parts_are_those_of_the_column(few, size):
    reads = []

    def column():
        reads.append(1)
        return chunks_of(texts(), size).iterchunks()

    parts = list(value_counts.counts_in_parts(column))
    assert len(reads) > len(parts) > 1
    assert max(len(values) for values, _ in parts) <= 10
    found = [
        pair
        for values, counts in parts
        for pair in zip(values.to_pylist(), counts.to_pylist(), strict=True)
    ]
    expected = collections.Counter(t for t in texts() if t is not None)
    assert len(found) == len(expected)
    assert dict(found) == expected


def test_a_column_of_few_values_is_read_once(few):
    column = pa.array(["b", None, "a", "b"])
    ((values, counts),) = value_counts.counts_in_parts(lambda: iter([column]))
    assert values.to_pylist() == ["b", None, "a"]
    assert counts.to_pylist() == [2, 1, 1]
    more = chunks_of([f"v{n}" for n in range(11)], 11)
    parts = list(value_counts.counts_in_parts(more.iterchunks))
    assert sorted(len(values) for values, _ in parts)[-1] < 11


@pytest.mark.parametrize("kind", ["category", "categories"])
@pytest.mark.parametrize("size", [50, 1000])
def test_a_vocabulary_holds_the_values_that_are_seen_most(few, kind, size):
    values = texts()
    column = column_of(kind, values, size)
    feature = describe(kind, column)
    counts = collections.Counter(t for t in values if t is not None)
    least = feature.least_count
    often = {text for text, n in counts.items() if n >= least}
    assert feature.vocabulary == tuple(sorted(often))
    # Any lower count would let in more than ten.
    more = [text for text, n in counts.items() if n >= least - 1]
    assert 1 < len(often) <= 10 < len(more)
    # The order of the rows says nothing, and what is left out is unknown.
    assert describe(kind, column_of(kind, values[::-1], 90)) == feature
    codes = encode(column, feature)["x"]
    known = np.array([text in often for text in values])
    np.testing.assert_array_equal(codes.reshape(1000, -1)[:, 0] > 0, known)


def test_values_that_are_too_rare_take_no_place(few):
    """As many as fit are seen as often as `min_count` says."""
    often = [f"often {n}" for n in range(10)] * 3
    rare = [f"rare {n}" for n in range(500)]
    column = chunks_of(rare + often, 40)
    feature = describe("category", column, min_count=3)
    assert feature.vocabulary == tuple(sorted(set(often)))
    assert feature.least_count == 0
    raised = describe("category", column)
    assert raised.vocabulary == feature.vocabulary
    assert raised.least_count == 2


def test_values_that_are_all_as_often_are_unknown_where_they_are_too_many(few):
    column = chunks_of([f"v{n}" for n in range(11)], 3)
    feature = describe("category", column)
    assert (feature.vocabulary, feature.least_count) == ((), 2)
    ten = describe("category", column.slice(0, 10))
    assert (len(ten.vocabulary), ten.least_count) == (10, 0)


def test_the_schema_tells_it_only_where_it_is_so(few):
    feature = Feature("brand", "ad", "category", vocabulary=("a",))
    schema = Schema("s", "string", "string", (), ("clicked",), (feature,))
    assert "least_count" not in schema.to_json()
