"""UserTower against gathers and sums in NumPy."""

import numpy as np
import pytest

from tests.layers.features import specs
from tfadrec import layers
from tfadrec.core.door import keras, register, tf
from tfadrec.layers.features import FeatureFields
from tfadrec.towers import UserTower

D, MAX_LENGTH = 3, 4


@register
class Sum(keras.layers.Layer):
    """An encoder that adds up the real events: [B, T, D] to [B, 1, D]."""

    def call(self, inputs):
        real = tf.where(inputs["mask"][..., None], inputs["events"], 0)
        return tf.reduce_sum(real, axis=1, keepdims=True)


def inputs(lengths, ages=None, time=6):
    random = np.random.default_rng(0)
    batch = len(lengths)
    if ages is None:
        ages = random.integers(0, 10**7, (batch, time))
    return {
        "history_vectors": tf.constant(
            random.normal(size=(batch, time, D)), tf.float32
        ),
        "history_events": tf.constant(
            random.integers(-1, 5, (batch, time)), tf.int32
        ),
        "history_ages": tf.constant(ages, tf.int32),
        "history_length": tf.constant(lengths, tf.int32),
        "user_id": tf.constant(np.arange(batch) % 4, tf.int32),
        "target": tf.constant(random.normal(size=(batch, 2, D)), tf.float32),
    }


def filled(encoder=None, **arguments):
    arguments = {"num_event_types": 3, "max_length": MAX_LENGTH, **arguments}
    tower = UserTower(encoder or Sum(), **arguments)
    tower(inputs([2]))
    random = np.random.default_rng(1)
    weights = {}
    for variable in tower.trainable_weights:
        variable.assign(random.normal(size=variable.shape))
        name = variable.name.removesuffix(":0").partition("/")[2]
        weights[name] = variable.numpy()
    return tower, weights


def test_events_and_user_vectors():
    tower, weights = filled(num_users=4)
    batch = inputs([6, 3, 1, 0, 6])
    out = tower(batch)
    events, types, ages, lengths = (
        batch[f"history_{name}"].numpy()
        for name in ("vectors", "events", "ages", "length")
    )
    np.testing.assert_array_equal(out["mask"], np.arange(6) < lengths[:, None])
    for b, length in enumerate(lengths):
        total = np.zeros(D)
        for t in range(length):
            # An event type that the tower does not know is the unknown one.
            kind = types[b, t] if 0 <= types[b, t] < 3 else 0
            age = int(np.floor(np.log2(1.0 + ages[b, t])))
            events_ago = min(length - 1 - t, MAX_LENGTH - 1)
            expected = (
                events[b, t]
                + weights["event_type_embedding"][kind]
                + weights["age_embedding"][age]
                + weights["position_embedding"][events_ago]
            )
            np.testing.assert_allclose(
                out["events"][b, t], expected, rtol=1e-4, atol=1e-5
            )
            total += expected
        known = weights["id/embedding_and_bias"][b % 4]
        np.testing.assert_allclose(
            out["user"][b, 0], total + known[:D], rtol=1e-4, atol=1e-4
        )
        np.testing.assert_allclose(out["bias"][b], known[D], rtol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_age_is_the_power_of_two_below(jit_compile):
    # 1 + age = 2^k belongs to k, one second less to k - 1.
    powers = np.arange(1, 31)
    ages = np.concatenate([2**powers - 1, 2**powers - 2, [2**31 - 1, -5]])
    buckets = np.concatenate([powers, powers - 1, [31, 0]])
    tower, weights = filled()
    for name in ("event_type_embedding", "position_embedding"):
        [variable] = [v for v in tower.weights if name in v.name]
        variable.assign(tf.zeros_like(variable))
    batch = inputs([len(ages)], ages[None], len(ages))
    function = tf.function(tower.__call__, jit_compile=jit_compile)
    described = function(batch)["events"] - batch["history_vectors"]
    np.testing.assert_allclose(
        described[0], weights["age_embedding"][buckets], atol=1e-5
    )


def test_padding_on_the_right_changes_no_user_vector():
    tower, _ = filled(layers.DIN())
    batch = inputs([3, 2])
    short = {
        name: value[:, :3] if name.startswith("history") and value.ndim > 1
        else value
        for name, value in batch.items()
    }  # fmt: skip
    batch["history_vectors"] = tf.where(
        (tf.range(6) < batch["history_length"][:, None])[..., None],
        batch["history_vectors"],
        np.nan,
    )
    np.testing.assert_allclose(
        tower(batch)["user"], tower(short)["user"], rtol=1e-4, atol=1e-5
    )


def test_an_empty_history_is_a_normal_user():
    tower, weights = filled(num_users=4)
    out = tower(inputs([0, 0]))
    for b in range(2):
        known = weights["id/embedding_and_bias"][b]
        np.testing.assert_allclose(out["user"][b, 0], known[:D], rtol=1e-6)
    assert not out["mask"].numpy().any()


def test_without_ids():
    tower, weights = filled()
    assert not any("id/" in name for name in weights)
    np.testing.assert_array_equal(tower(inputs([2, 3]))["bias"], [0, 0])


def test_a_new_user_is_the_average_user():
    keras.utils.set_random_seed(0)
    tower = UserTower(Sum(), num_event_types=3, num_users=4)
    batch = inputs([3])
    out = tower({**batch, "user_id": tf.constant([3])})
    np.testing.assert_allclose(
        out["user"],
        tf.reduce_sum(out["events"][:, :3], 1, keepdims=True),
        atol=0.05,
    )
    np.testing.assert_array_equal(out["bias"], [0])


def test_ids_are_dropped_in_training():
    tower, weights = filled(num_users=4, id_dropout=0.5)
    batch = {**inputs([0]), "user_id": tf.constant([2])}
    known = weights["id/embedding_and_bias"][2]
    seen = {
        round(float(tower(batch, training=True)["bias"][0]), 4)
        for _ in range(30)
    }
    assert seen == {0.0, round(float(2 * known[D]), 4)}
    np.testing.assert_allclose(tower(batch)["bias"], known[D:], rtol=1e-6)


@pytest.mark.parametrize(
    "argument",
    [{"num_event_types": 0}, {"max_length": 0}, {"num_users": -1}],
)
def test_bad_sizes(argument):
    name, value = next(iter(argument.items()))
    with pytest.raises(ValueError, match=rf">= 0\. Received: .*{name}={value}"):
        UserTower(Sum(), **{"num_event_types": 1, **argument})


USER = [
    specs.spec("age", "number"),
    specs.spec("gender", "category", num_codes=3),
]
EVENT = [
    specs.spec("history_dwell", "number"),
    specs.spec("history_tags", "categories", num_codes=4, width=2),
    specs.spec("history_liked", "category", num_codes=3, share="gender"),
]


def with_features():
    return {
        **inputs([6, 2]),
        "age": tf.constant([0.5, np.nan]),
        "gender": tf.constant([2, 1]),
        "history_dwell": tf.fill([2, 6], 1.5),
        "history_tags": tf.fill([2, 6, 2], 3),
        "history_liked": tf.fill([2, 6], 1),
    }


def featured(**arguments):
    """A tower with features, and its weights, random."""
    keras.utils.set_random_seed(0)
    tower = UserTower(
        Sum(),
        num_event_types=3,
        features=USER,
        event_features=EVENT,
        **arguments,
    )
    tower(with_features())
    random = np.random.default_rng(1)
    weights = {}
    for variable in tower.trainable_weights:
        variable.assign(random.normal(size=variable.shape))
        name = variable.name.removesuffix(":0").partition("/")[2]
        weights[name] = variable.numpy()
    return tower, weights


def test_fields_of_a_user_are_added_to_the_user_vector():
    """And those of an event to the event, of which the encoder makes more."""
    tower, weights = featured()
    batch = with_features()
    out = tower(batch)
    bare = UserTower(Sum(), num_event_types=3)
    bare(batch)
    for name in ("event_type", "age", "position"):
        bare._embeddings[name].assign(weights[f"{name}_embedding"])
    plain = bare(batch)
    own = (
        1.5 * weights["event_features/numbers_projection/kernel"][0]
        + weights["event_features/numbers_projection/bias"]
        + weights["event_features/history_tags/embedding"][3]
        # An embedding that the user's feature has.
        + weights["features/gender/embedding"][1]
    )
    assert "event_features/history_liked/embedding" not in weights
    np.testing.assert_allclose(
        out["events"], plain["events"] + own, rtol=1e-4, atol=1e-4
    )
    ages = np.array([0.5, weights["features/missing_numbers"][0]])
    users = (
        ages[:, None] * weights["features/numbers_projection/kernel"]
        + weights["features/numbers_projection/bias"]
        + weights["features/gender/embedding"][[2, 1]]
    )
    lengths = np.array([6, 2])
    np.testing.assert_allclose(
        out["user"][:, 0],
        plain["user"][:, 0] + lengths[:, None] * own + users,
        rtol=1e-4,
        atol=1e-4,
    )


def test_features_of_users_and_events_are_dropped_in_training():
    """At .99 nearly all values of 14 places are: all is as if missing."""
    tower, _ = featured(feature_dropout=0.99)
    batch = with_features()
    nothing = {
        **batch,
        "age": tf.fill([2], np.nan),
        "gender": tf.zeros([2], tf.int32),
        "history_dwell": tf.fill([2, 6], np.nan),
        "history_tags": tf.zeros([2, 6, 2], tf.int32),
        "history_liked": tf.zeros([2, 6], tf.int32),
    }
    missing, dropped = tower(nothing), tower(batch, training=True)
    same = np.isclose(missing["events"], dropped["events"], atol=1e-4).all(-1)
    assert same.sum() >= 9
    assert (
        not np.isclose(missing["events"], tower(batch)["events"]).all(-1).any()
    )


def test_an_embedding_of_another_layer():
    """The owner's gradient is that of all who use it."""
    owner = FeatureFields([specs.spec("brand", "category", num_codes=4)], D)
    owner.build(None)
    owner.weights[0].assign(np.arange(12, dtype=np.float32).reshape(4, 3))
    feature = specs.spec("searched", "category", num_codes=4, share="brand")
    tower = UserTower(Sum(), num_event_types=3, features=[feature])
    tower.share(owner.tables)
    with tf.GradientTape() as tape:
        user = tower({**inputs([0]), "searched": tf.constant([2])})["user"]
        total = tf.reduce_sum(user)
    np.testing.assert_array_equal(user, [[[6, 7, 8]]])
    assert not any("searched" in v.name for v in tower.weights)
    gradient = tape.gradient(total, owner.weights[0])
    np.testing.assert_array_equal(
        gradient, [[0] * 3, [0] * 3, [1] * 3, [0] * 3]
    )
    lonely = UserTower(Sum(), num_event_types=3, features=[feature])
    with pytest.raises(ValueError, match=r"'brand' must be of .*'searched'"):
        lonely(inputs([0]))
