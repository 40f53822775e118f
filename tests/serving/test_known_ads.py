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
    ads = KnownAds(ids, {"vector": vectors})
    new = np.array(["aa", "zz"], object) if ids.dtype == object else [5, 8]
    new = tf.constant(list(new), ads.id_type)
    known = tf.constant([ids.tolist()], ads.id_type)
    assert ads.rows(known).numpy().tolist() == [[1, 2, 3, 4]]
    assert ads.rows(new).numpy().tolist() == [0, 0]
    rows = ads.append(new, {"vector": tf.constant([[8.0, 8], [9, 9]])})
    assert rows.numpy().tolist() == [5, 6]
    assert ads.rows(known).numpy().tolist() == [[1, 2, 3, 4]]
    assert ads.rows(new).numpy().tolist() == [5, 6]
    assert ads.num_rows == 7
    found = ads.of_rows(tf.constant([4, 6]))["vector"].numpy()
    assert found.tolist() == [[8, 9], [9, 9]]


def test_a_catalogue_without_ads_knows_none():
    ads = KnownAds(np.array([], object), {"vector": np.zeros((1, 2))})
    assert ads.rows(tf.constant([["a", ""]])).numpy().tolist() == [[0, 0]]


def test_the_number_of_rows_copies_nothing():
    """A variable that is gathered from would be copied when it is read."""
    ads = KnownAds(np.array(["a"], object), {"vector": np.zeros((2, 2))})
    looked_up = tf.function(
        lambda: ads.of_rows(ads.rows(tf.constant(["a"])))
    ).get_concrete_function()
    inner = {
        op.inputs[0].name
        for op in looked_up.graph.get_operations()
        if op.type == "ResourceGather"
    }
    gathered = {
        id(outer)
        for outer, placeholder in looked_up.graph.captures
        if placeholder.name in inner
    }
    assert len(gathered) == 3
    total = tf.function(lambda: ads.num_rows).get_concrete_function()
    assert total() == 2
    assert not gathered & {id(outer) for outer, _ in total.graph.captures}
