"""What two lists have in common, by hand and by Python's sets."""

import itertools
import math

import numpy as np
import pytest

from tests.layers.features import specs
from tfadrec.core.door import tf


def overlap(measure, first, second, **fields):
    feature = specs.spec(
        "taste", "overlap", of=["likes", "tags"], measure=measure, **fields
    )
    field, table = specs.make(feature)
    assert table is None
    assert field.columns(feature) == {}
    columns = {
        "likes": tf.constant(first, tf.int32),
        "tags": tf.constant(second, tf.int32),
    }
    return field(columns).numpy()


@pytest.mark.parametrize(
    ("first", "second", "count", "share", "jaccard"),
    [
        ([1, 2, 0, 0], [2, 3, 4], math.log(2), 1 / 2, 1 / 4),
        ([1, 2, 3, 0], [3, 1, 2], math.log(4), 1, 1),
        ([1, 2, 3, 4], [5, 0, 0], 0, 0, 0),
        # A value that stands in a list twice is one value.
        ([1, 1, 1, 2], [1, 3, 3], math.log(2), 1 / 2, 1 / 3),
        ([0, 6, 0, 6], [6, 6, 0], math.log(2), 1, 1),
        # Of an empty list nothing can be said.
        ([0, 0, 0, 0], [1, 0, 0], *[np.nan] * 3),
        ([1, 0, 0, 0], [0, 0, 0], *[np.nan] * 3),
        ([0, 0, 0, 0], [0, 0, 0], *[np.nan] * 3),
    ],
)
def test_measures(first, second, count, share, jaccard):
    for measure, expected in (
        ("count", count),
        ("share", share),
        ("jaccard", jaccard),
    ):
        found = overlap(measure, [first], [second])
        np.testing.assert_allclose(found, [expected], rtol=1e-6)


def test_of_a_user_and_each_candidate_against_sets():
    random = np.random.default_rng(0)
    first, second = (
        random.integers(0, 6, (5, 1, 3)),
        random.integers(0, 6, (5, 4, 4)),
    )
    found = overlap("jaccard", first, second)
    assert found.shape == (5, 4)
    for b, c in np.ndindex(5, 4):
        one, other = set(first[b, 0]) - {0}, set(second[b, c]) - {0}
        expected = np.nan
        if one and other:
            expected = len(one & other) / len(one | other)
        np.testing.assert_allclose(found[b, c], expected, rtol=1e-6)


@pytest.mark.parametrize(
    "listed", [*itertools.product([True, False], repeat=2)]
)
@pytest.mark.parametrize("measure", ["count", "share", "jaccard"])
def test_a_category_is_a_list_of_one(measure, listed):
    """Each candidate of a request is compared with that request's user."""
    random = np.random.default_rng(1)
    user = random.integers(0, 4, (5, 1, 2))
    ads = random.integers(0, 4, (5, 3, 2))
    user[..., 1] *= listed[0]
    ads[..., 1] *= listed[1]
    found = overlap(
        measure,
        user if listed[0] else user[..., 0],
        ads if listed[1] else ads[..., 0],
        listed=list(listed),
    )
    np.testing.assert_array_equal(found, overlap(measure, user, ads))
    assert found.shape == (5, 3)


def test_long_lists():
    """A comparison of all pairs would take 10 GB."""
    first = np.arange(1, 30_001)[None]
    second = np.stack([first, first + 10_000, 0 * first], 1)
    found = overlap("share", first[:, None], second)
    np.testing.assert_allclose(found, [[1, 2 / 3, np.nan]], rtol=1e-6)
