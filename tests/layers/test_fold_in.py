import numpy as np

from tfadrec.core.door import tf
from tfadrec.layers import FoldIn

VALUES = np.array([0.5, -1.0, 2.0], np.float32)


def layer_of(rank, text_rank=0):
    layer = FoldIn(3, rank=rank, text_rank=text_rank)
    layer.build()
    layer.values.assign(VALUES)
    layer.penalties.assign([4.0, 2.0, *[0.7] * rank, *[9.0] * text_rank])
    return layer


def test_a_user_is_the_ridge_regression_of_what_he_thought():
    random = np.random.default_rng(0)
    history = random.normal(size=(2, 4, 4)).astype(np.float32)
    candidates = random.normal(size=(2, 5, 4)).astype(np.float32)
    types = np.array([[1, 2, 2, 9], [2, 1, 0, 0]], np.int32)
    length = [4, 2]
    found = layer_of(2, 1)(
        {
            "history": history,
            "candidates": candidates,
            "mask": np.arange(4) < np.array(length)[:, None],
            "event_types": types,
        }
    ).numpy()
    for b, n in enumerate(length):
        newest = 2.0 ** -((n - 1 - np.arange(n)) / 5)
        x = np.column_stack([np.ones(n), newest, history[b, :n, 1:]])
        known = np.where(types[b, :n] < 3, types[b, :n], 0)
        y = VALUES[known] - history[b, :n, 0]
        # The same by penalties as rows of data.
        penalties = np.diag(np.sqrt([4.0, 2.0, 0.7, 0.7, 9.0]))
        rows, told = np.vstack([x, penalties]), np.append(y, np.zeros(5))
        user = np.linalg.lstsq(rows, told, rcond=None)[0]
        for c, (level, *factors, text) in enumerate(candidates[b]):
            parts = [level, *user[:2], user[2:4] @ factors, user[4] * text]
            np.testing.assert_allclose(found[b, c], parts, rtol=1e-4)


def test_without_a_history_there_is_the_level_of_the_ad():
    candidates = np.array([[[0.3, 9.0], [-1.0, 5.0]]], np.float32)
    found = layer_of(1)(
        {
            "history": np.full([1, 2, 2], np.nan, np.float32),
            "candidates": candidates,
            "mask": np.zeros([1, 2], bool),
            "event_types": np.ones([1, 2], np.int32),
        }
    )
    expected = candidates[..., :1] * np.eye(5)[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_nothing_is_mixed_in_until_it_is_found():
    layer = layer_of(1)
    learned, linear = tf.constant([[1.0, 2.0]]), tf.constant([[3.0, -1.0]])
    opinions = tf.constant([[[5.0, 1.0, 0.0, 0.0, 2.0], [7.0, 0, 0, 0, 0]]])
    mixed = layer.mixed(learned, linear, opinions)
    np.testing.assert_array_equal(mixed, learned + linear)
    layer.mix.assign([0.5, 2.0, 2.0, 1.0, 0.0, 0.0, 3.0, 1.0])
    mixed = layer.mixed(learned, linear, opinions)
    np.testing.assert_allclose(mixed, [[24.5, 14.0]])
    assert not layer.trainable_weights
