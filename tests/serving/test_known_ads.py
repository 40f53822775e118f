"""Ids of a bundle's ads to rows, and ads that join them."""

import numpy as np
import pytest

from tfadrec.core.door import tf
from tfadrec.serving.known_ads import KnownAds


@pytest.mark.parametrize(
    "ids",
    [
        np.array(["b", "a", "", "ä\0x"], object),
        np.array([7, -3, 2**62, 0]),
    ],
)
def test_rows_of_ids_before_and_after_others_join(ids):
    vectors = np.arange(10, dtype=np.float32).reshape(5, 2)
    ads = KnownAds(ids, {"fields": vectors[:, None]})
    new = np.array(["aa", "zz"], object) if ids.dtype == object else [5, 8]
    new = tf.constant(list(new), ads.id_type)
    known = tf.constant([ids.tolist()], ads.id_type)
    assert ads.rows(known).numpy().tolist() == [[1, 2, 3, 4]]
    assert ads.rows(new).numpy().tolist() == [0, 0]
    rows = ads.put(new, {"fields": tf.constant([[[8.0, 8]], [[9, 9]]])})
    assert rows.numpy().tolist() == [5, 6]
    assert ads.rows(known).numpy().tolist() == [[1, 2, 3, 4]]
    assert ads.rows(new).numpy().tolist() == [5, 6]
    assert ads.num_rows == 7
    found = ads.of_rows(tf.constant([4, 6]))["vector"].numpy()
    assert found.tolist() == [[8, 9], [9, 9]]
    # One that is there changes, in its row, beside one that is not.
    more = ["b", "a1"] if ids.dtype == object else [7, 9]
    more = tf.constant(more, ads.id_type)
    rows = ads.put(more, {"fields": tf.constant([[[5.0, 5]], [[6, 6]]])})
    assert rows.numpy().tolist() == [1, 7]
    assert ads.rows(more).numpy().tolist() == [1, 7]
    assert ads.rows(known).numpy().tolist() == [[1, 2, 3, 4]]
    assert ads.ids_of(rows).numpy().tolist() == more.numpy().tolist()
    found = ads.of_rows(tf.constant([1, 2, 7]))["vector"].numpy()
    assert found.tolist() == [[5, 5], [4, 5], [6, 6]]


def test_a_catalogue_without_ads_knows_none():
    ads = KnownAds(np.array([], object), {"fields": np.zeros((1, 1, 2))})
    assert ads.rows(tf.constant([["a", ""]])).numpy().tolist() == [[0, 0]]


def test_the_vector_is_the_sum_of_the_fields():
    fields = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    tables = {"vector": np.full((2, 2), 9.0), "fields": fields}
    ads = KnownAds(np.array(["a"], object), tables)
    assert (ads.parts, ads.width) == (("vector", "fields"), 2)
    found = ads.of_rows(tf.constant([[1], [0]]))
    np.testing.assert_array_equal(found["fields"], fields[[[1], [0]]])
    np.testing.assert_array_equal(
        found["vector"], [[[6 + 8 + 10, 7 + 9 + 11]], [[0 + 2 + 4, 1 + 3 + 5]]]
    )
    ids = tf.constant([["a", "new", "nobody"]])
    new = {"fields": tf.constant([[[[1.0, 2], [3, 4], [5, 6]]]])}
    found = ads.of_ids(ids, ["vector"], (tf.constant([["new"]]), new))
    assert found["vector"].numpy().tolist() == [[[24, 27], [9, 12], [6, 9]]]
    assert list(found) == ["vector"]


def test_looking_up_has_no_table_copied():
    """A variable that is gathered from is copied whenever it is read."""
    ads = KnownAds(np.array(["a"], object), {"fields": np.zeros((2, 1, 2))})

    def look_up(ids):
        rows = ads.rows(ids)
        return ads.ids_of(rows), ads.of_rows(rows), ads.num_rows

    spec = tf.TensorSpec([None], tf.string)
    looked_up = tf.function(look_up).get_concrete_function(spec)
    kinds = [op.type for op in looked_up.graph.get_operations()]
    assert kinds.count("ReadVariableOp") >= 4
    assert "ResourceGather" not in kinds
    ids, parts, total = looked_up(tf.constant(["a", "b"]))
    assert (ids.numpy().tolist(), total) == ([b"a", b""], 2)
    assert parts["vector"].shape == [2, 2]
