import numpy as np
import pytest

from tfadrec.core.door import keras, tf
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
    space.set_weights([key, query, mean, appeal])
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


def test_a_rank_of_zero_has_nothing_to_train():
    space = TextSpace(rank=0)
    parts = space(np.ones([1, 4], np.float32))
    assert sorted(parts) == ["text_appeal", "text_unit"]
    assert space.trainable_weights == []
    with pytest.raises(ValueError, match="`rank` must be >= 0"):
        TextSpace(rank=-1)


def test_vectors_near_the_mean_are_the_same_in_every_batch():
    """Of a model whose vectors are nearly parallel, few digits are left."""
    random = np.random.default_rng(0)
    vectors = random.normal(size=16) + 1e-3 * random.normal(size=(64, 16))
    vectors = vectors.astype(np.float32)
    space = TextSpace(rank=0)
    space(vectors)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    space.mean.assign(units.mean(axis=0))
    read = tf.function(lambda x: space(x)["text_unit"])
    together = read(vectors).numpy()
    apart = np.concatenate([read(vectors[i : i + 1]) for i in range(64)])
    np.testing.assert_allclose(apart, together, atol=1e-6)


def test_what_it_magnifies_by():
    """Of vectors at an angle of 45 degrees around their mean."""
    space = TextSpace(rank=0)
    assert space(np.eye(2, dtype=np.float32))["text_unit"].shape == [2, 2]
    assert space.magnification() == 1
    space.mean.assign([0.5, 0.5])
    assert space.magnification() == pytest.approx(2**0.5)
    space.mean.assign([0.8, 0.6])
    assert space.magnification() > 1e3
