import numpy as np
import pytest

from tfadrec.core.door import keras
from tfadrec.layers import TextSpace


def test_its_products_are_those_of_the_bilinear_form():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(5, 8)).astype(np.float32)
    mean = random.normal(size=8).astype(np.float32) / 4
    space = TextSpace(rank=3)
    space(vectors)
    space.mean.assign(mean)
    key, query = random.normal(size=(2, 8, 3)).astype(np.float32)
    appeal = random.normal(size=8).astype(np.float32)
    space.set_weights([appeal, key, query, mean])
    parts = {k: v.numpy() for k, v in space(vectors).items()}
    found = parts["text_unit"] @ parts["text_unit"].T
    found += parts["text_key"] @ parts["text_query"].T

    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) - mean
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    form = np.eye(8) + key @ query.T
    np.testing.assert_allclose(found, units @ form @ units.T, rtol=1e-4)
    np.testing.assert_allclose(
        parts["text_appeal"], units @ appeal, rtol=1e-4, atol=1e-6
    )


def test_before_training_it_is_the_cosine():
    vectors = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    parts = TextSpace(rank=2)(vectors)
    assert not parts["text_query"].numpy().any()
    assert not parts["text_appeal"].numpy().any()
    cosine = keras.losses.cosine_similarity(vectors[:1], vectors[1:])
    np.testing.assert_allclose(
        parts["text_unit"][:1] @ np.transpose(parts["text_unit"][1:]),
        -cosine[None],
        atol=1e-6,
    )


def test_no_text_is_like_nothing():
    space = TextSpace(rank=2)
    space(np.zeros([1, 4], np.float32))
    space.mean.assign([0.5, 0, 0, 0])
    parts = space(np.zeros([2, 4], np.float32))
    assert all(not values.numpy().any() for values in parts.values())


def test_a_rank_of_zero_corrects_nothing():
    space = TextSpace(rank=0)
    parts = space(np.ones([1, 4], np.float32))
    assert sorted(parts) == ["text_appeal", "text_unit"]
    (weight,) = space.trainable_weights
    assert weight is space.appeal
    with pytest.raises(ValueError, match="`rank` must be >= 0"):
        TextSpace(rank=-1)
