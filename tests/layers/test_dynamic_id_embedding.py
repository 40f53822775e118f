"""Embeddings of ids without bound: rows and moments begin again."""

import numpy as np
import pytest

from tfadrec.core.door import keras, tf
from tfadrec.layers import DynamicIdEmbedding
from tfadrec.models.training_step import training_step
from tfadrec.optimizers import CompositeOptimizer, LazyAdam


class Model(keras.Model):
    """Moves what is known of ids towards -inf."""

    def __init__(self, **settings):
        super().__init__()
        self.ids = DynamicIdEmbedding(name="ids", **settings)

    def call(self, ids, training=None):
        found = self.ids(ids, training=training)
        return tf.reduce_sum(found["vector"], -1) + found["bias"]

    def compute_loss(self, inputs, training=None):
        return tf.reduce_sum(self(inputs, training=training))

    def train_step(self, data):
        return training_step(self, data)


OPTIMIZERS = {
    "LazyAdam": lambda: LazyAdam(0.1),
    "Adam": lambda: keras.optimizers.Adam(0.1),
    "CompositeOptimizer": lambda: CompositeOptimizer(
        {"id/": LazyAdam(0.1)}, keras.optimizers.SGD()
    ),
}


def step(model, *ids):
    model.train_step(tf.constant(ids, tf.int64))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_row_that_changes_hands_begins_again(optimizer):
    model = Model(capacity=1, ways=1, width=2, eviction="oldest")
    model.compile(OPTIMIZERS[optimizer]())
    for _ in range(3):
        step(model, 5)
    assert model(tf.constant([5], tf.int64)).numpy()[0] < -0.5
    step(model, 9)
    # Adam (algorithm 1) in step 4, of moments that were 0 and a gradient of 1.
    moved = 0.1 * np.sqrt(1 - 0.999**4) / (1 - 0.9**4) * 0.1 / np.sqrt(0.001)
    np.testing.assert_allclose(model.ids.table[1], -moved, rtol=1e-4)
    assert model(tf.constant([5], tf.int64)).numpy()[0] == pytest.approx(0)


def test_an_id_that_stays_keeps_its_moments():
    model = Model(capacity=2, ways=2, width=2, eviction="oldest")
    model.compile(LazyAdam(0.1))
    for ids in ([5, 6], [5], [5, 7], [5]):  # 7 takes the row of 6
        step(model, *ids)
    # A constant gradient moves Adam by its rate in every step.
    row = model.ids.table[1]
    np.testing.assert_allclose(row, -0.4, rtol=1e-4)


def test_ids_that_are_not_admitted_share_a_row():
    model = Model(capacity=8, width=2, admission=2)
    model.compile(LazyAdam(0.1))
    step(model, 5, 6)
    ids = tf.constant([5, 6, 7], tf.int64)
    assert len(set(model(ids).numpy())) == 1
    step(model, 5)
    known = model(ids).numpy()
    assert known[1] == known[2] != known[0]


def test_compiled_as_in_python():
    random = np.random.default_rng(0)
    batches = [random.integers(1, 30, size=7) for _ in range(12)]
    found = []
    for eager in (False, True):
        keras.utils.set_random_seed(0)
        model = Model(capacity=8, ways=4, width=2, admission=2)
        model.compile(LazyAdam(0.1), run_eagerly=eager)
        data = tf.data.Dataset.from_tensor_slices(batches)
        model.fit(data, verbose=0)
        found.append(model.get_weights())
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-7)


def test_resumes_to_equal_weights(tmp_path):
    def make():
        keras.utils.set_random_seed(0)
        model = Model(capacity=8, ways=4, width=2, eviction="oldest")
        model.compile(LazyAdam(0.1))
        step(model, 1)
        return model

    random = np.random.default_rng(1)
    batches = [random.integers(1, 30, size=7) for _ in range(10)]
    whole, first, second = make(), make(), make()
    for ids in batches:
        step(whole, *ids)
    for ids in batches[:5]:
        step(first, *ids)
    tf.train.Checkpoint(model=first).write(str(tmp_path / "epoch"))
    tf.train.Checkpoint(model=second).read(
        str(tmp_path / "epoch")
    ).assert_existing_objects_matched()
    for ids in batches[5:]:
        step(second, *ids)
    assert len(whole.variables) == len(second.variables) > 4
    for one, two in zip(whole.variables, second.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


def test_read_again_from_its_config():
    layer = DynamicIdEmbedding(
        16, 3, ways=4, admission=2, eviction="oldest", dropout=0.5, l2=0.1
    )
    again = DynamicIdEmbedding.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
