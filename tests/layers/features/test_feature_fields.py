"""All kinds of features in one layer: order, sharing, what is missing."""

import numpy as np
import pytest

from tests.layers.features.specs import spec
from tfadrec.core.door import keras, tf
from tfadrec.layers.features import FeatureFields

D = 4
#: One feature of each kind, numbers between the others.
FEATURES = [
    spec("age", "number"),
    spec("brand", "category", num_codes=4),
    spec("image", "vector", width=3),
    spec("tags", "categories", num_codes=5, width=2),
    spec("clicks", "lookup", width=2, of=["brand"]),
    spec("both", "cross", num_codes=8, of=["brand", "size"]),
    spec("size", "category", num_codes=3),
    spec("taste", "overlap", of=["likes", "tags"], measure="count"),
]
COLUMNS = {
    "age": [1.5, np.nan],
    "brand": [2, 0],
    "image": [[3.0, 0, 4.0], [0, 0, 0]],
    "tags": [[1, 4], [0, 0]],
    "clicks_keys": [[2, 1], [1, 0]],
    "clicks_values": [[0.5, 9], [7, 0]],
    "size": [1, 2],
    "likes": [[4, 1], [1, 0]],
}


def columns(**changes):
    return {
        name: tf.constant(
            values, tf.float32 if np.array(values).dtype == float else tf.int32
        )
        for name, values in {**COLUMNS, **changes}.items()
    }


def made(features=FEATURES, width=D, **arguments):
    """A layer whose weights are random, and those by their short names."""
    keras.utils.set_random_seed(0)
    layer = FeatureFields(features, width, name="layer", **arguments)
    layer.build(None)
    random = np.random.default_rng(1)
    for variable in layer.trainable_weights:
        variable.assign(random.normal(size=variable.shape))
    return layer, {
        v.name.removesuffix(":0"): v.numpy() for v in layer.trainable_weights
    }


def parts(layer, weights, given):
    """What each feature is by itself, in NumPy."""
    cross = next(f for f in layer._fields if f.name == "both")
    numbers = weights["missing_numbers"]
    likes = np.log(3) if given["tags"].numpy()[0].any() else np.nan
    tags = weights["tags/embedding"]
    values = {
        "age": [1.5, numbers[0]],
        "brand": weights["brand/embedding"][[2, 0]],
        "image": [[0.6, 0, 0.8], [0, 0, 0]] @ weights["image_projection/kernel"]
        + weights["image_projection/bias"],
        "tags": [(tags[1] + tags[4]) / 2, tags[0]],
        # Of the second ad the brand is unknown: the map says nothing.
        "clicks": [0.5, numbers[1]],
        "both": cross(given),
        "size": weights["size/embedding"][[1, 2]],
        "taste": [likes, numbers[2]],
    }
    return {name: np.array(value) for name, value in values.items()}


def test_fields_come_in_their_order():
    """Embeddings, then vectors, then one of all numbers."""
    layer, weights = made()
    given = columns()
    found = layer(given)
    value = parts(layer, weights, given)
    numbers = np.stack([value[n] for n in ("age", "clicks", "taste")], -1)
    expected = [value[n] for n in ("brand", "tags", "both", "size", "image")]
    expected.append(
        numbers @ weights["numbers_projection/kernel"]
        + weights["numbers_projection/bias"]
    )
    assert layer.num_fields == 6
    assert found.shape == [2, 6, D]
    np.testing.assert_allclose(found, np.stack(expected, 1), atol=1e-5)


def test_flat_features_stand_as_they_are_given():
    layer, weights = made(flat=True)
    given = columns()
    found = layer(given)
    value = parts(layer, weights, given)
    wide = [v[:, None] if v.ndim == 1 else v for v in value.values()]
    assert layer.num_columns == sum(part.shape[1] for part in wide) == 5 * D + 3
    np.testing.assert_allclose(found, np.concatenate(wide, 1), atol=1e-5)
    assert not any("numbers_projection" in name for name in weights)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("kept", ["age", "brand", "image"])
def test_one_feature_alone(kept, flat):
    feature = next(f for f in FEATURES if f["name"] == kept)
    layer, _ = made([feature], flat=flat)
    found = layer(columns())
    width = 1 if kept == "age" else D
    assert found.shape == ([2, width] if flat else [2, 1, D])
    assert layer.num_fields == 1
    assert layer.num_columns == width


def test_leading_axes_are_those_of_all_together():
    """The user's once, the candidates' each: [B, 1] and [B, C]."""
    features = [
        spec("age", "number"),
        spec("brand", "category", num_codes=4),
        spec("both", "cross", num_codes=8, of=["brand", "slot"]),
    ]
    layer, weights = made(features)
    age, brand = [[0.5], [1.0]], [[2], [3]]
    slot = np.array([[1, 2, 1], [2, 2, 1]])
    found = layer(
        {
            "age": tf.constant(age),
            "brand": tf.constant(brand),
            "slot": tf.constant(slot, tf.int32),
        }
    )
    assert found.shape == [2, 3, 3, D]
    embedding = weights["brand/embedding"]
    for b, c in np.ndindex(2, 3):
        np.testing.assert_allclose(
            found[b, c, 0], embedding[brand[b][0]], rtol=1e-6
        )
        one = layer(
            {
                "age": tf.constant(age[b]),
                "brand": tf.constant(brand[b]),
                "slot": tf.constant([slot[b, c]], tf.int32),
            }
        )
        np.testing.assert_allclose(found[b, c], one[0], atol=1e-6)


def test_what_is_missing_starts_as_the_average():
    layer = FeatureFields(FEATURES, D, flat=True)
    found = layer(
        columns(
            age=[np.nan] * 2,
            brand=[0, 0],
            image=[[0.0] * 3] * 2,
            tags=[[0, 0]] * 2,
            size=[0, 0],
        )
    )
    np.testing.assert_array_equal(found, np.zeros(found.shape))


def gradients(total, variables, tape):
    return [tf.convert_to_tensor(g) for g in tape.gradient(total, variables)]


def test_an_embedding_is_shared_inside_a_layer():
    """Also with a feature that comes later, and in lists."""
    features = [
        spec("searched", "category", num_codes=4, share="brand"),
        spec("brand", "category", num_codes=4),
        spec("seen", "categories", num_codes=4, width=2, share="brand"),
    ]
    layer, weights = made(features)
    assert list(weights) == ["brand/embedding"]
    table = weights["brand/embedding"]
    with tf.GradientTape() as tape:
        found = layer(
            {
                "searched": tf.constant([3]),
                "brand": tf.constant([1]),
                "seen": tf.constant([[1, 2]]),
            }
        )
        total = tf.reduce_sum(found * [[[100.0], [10.0], [2.0]]])
    expected = [table[3], table[1], (table[1] + table[2]) / 2]
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)
    # 1: 10 of itself and half of 2; 2: half of 2; 3: 100.
    [gradient] = gradients(total, layer.trainable_weights, tape)
    np.testing.assert_allclose(gradient[:, 0], [0, 11, 1, 100])


def test_an_embedding_is_shared_across_layers():
    owner, weights = made([spec("brand", "category", num_codes=4)], 3)
    assert list(owner.tables) == ["brand"]
    keras.utils.set_random_seed(0)
    borrower = FeatureFields(
        [
            spec("searched", "category", num_codes=4, share="brand"),
            spec("age", "number"),
            # A map's keys are codes: there is nothing to embed.
            spec("by", "lookup", width=1, of=["searched"], share="brand"),
        ],
        8,
        flat=True,
    )
    borrower.share(owner.tables)
    given = {
        "searched": tf.constant([2]),
        "age": tf.constant([5.0]),
        "by_keys": tf.constant([[2]]),
        "by_values": tf.constant([[7.0]]),
    }
    with tf.GradientTape() as tape:
        found = borrower(given)
        total = tf.reduce_sum(found * 3)
    table = weights["brand/embedding"]
    # It has the owner's width, not that of its layer.
    np.testing.assert_allclose(found, [[*table[2], 5, 7]], rtol=1e-6)
    assert borrower.num_columns == 3 + 2
    assert not any("embedding" in v.name for v in borrower.weights)
    [gradient] = gradients(total, owner.trainable_weights, tape)
    np.testing.assert_array_equal(gradient, [[0] * 3] * 2 + [[3] * 3, [0] * 3])


def test_nothing_to_share():
    feature = spec("searched", "category", num_codes=4, share="brand")
    with pytest.raises(
        ValueError,
        match=r"'brand' must be of this .*no embeddings to share, .*'sea",
    ):
        FeatureFields([feature], D).share({})
    with pytest.raises(
        ValueError, match=r"`share` must be called with .*'brand"
    ):
        FeatureFields([feature], D).build(None)


def test_values_are_dropped_each_by_itself_and_only_in_training():
    """What is dropped is what is missing; of 300 places about 90 are."""
    features = [
        spec("age", "number"),
        spec("brand", "category", num_codes=4),
        spec("image", "vector", width=3),
        spec("tags", "categories", num_codes=5, width=2),
    ]
    layer, weights = made(features, flat=True, dropout=0.3)
    n = 300
    given = {
        "age": tf.fill([n], 1.5),
        "brand": tf.fill([n], 2),
        "image": tf.tile([[0.0, 2.0, 0.0]], [n, 1]),
        "tags": tf.tile([[1, 4]], [n, 1]),
    }
    kept, dropped = layer(given), layer(given, training=True)
    np.testing.assert_array_equal(kept, np.repeat(kept[:1], n, 0))
    missing = np.concatenate(
        [
            weights["missing_numbers"],
            weights["brand/embedding"][0],
            weights["image_projection/bias"],
            weights["tags/embedding"][0],
        ]
    )
    ends = np.cumsum([1, D, D, D])
    patterns = []
    for begin, end in zip([0, *ends], ends, strict=False):
        is_missing = np.isclose(
            dropped[:, begin:end], missing[begin:end], atol=1e-5
        ).all(1)
        # 300 draws of .3: sigma = 7.9.
        assert abs(is_missing.sum() - 90) < 32
        np.testing.assert_allclose(
            dropped.numpy()[~is_missing, begin:end],
            kept.numpy()[~is_missing, begin:end],
            atol=1e-5,
        )
        patterns.append(is_missing)
    assert len(np.unique(np.stack(patterns), axis=1).T) == 16  # independent


def test_dropping_teaches_what_is_missing():
    """The gradient reaches code 0 and the missing number."""
    features = [
        spec("age", "number"),
        spec("brand", "category", num_codes=3000),
    ]
    layer, _ = made(features, dropout=0.5)
    given = {"age": tf.ones([64]), "brand": tf.ones([64], tf.int32)}
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(given, training=True))
    by_name = dict(
        zip(
            [v.name for v in layer.trainable_weights],
            tape.gradient(total, layer.trainable_weights),
            strict=True,
        )
    )
    assert isinstance(by_name["brand/embedding:0"], tf.IndexedSlices)
    rows = tf.convert_to_tensor(by_name["brand/embedding:0"]).numpy()[:, 0]
    assert 16 < rows[0] < 48
    assert rows[0] + rows[1] == 64
    assert np.abs(by_name["missing_numbers:0"]).max() > 0


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_numbers_of_any_size_come_in_under_half_precision(policy):
    """70,000 is infinite in float16."""
    features = [
        spec("age", "number"),
        spec("image", "vector", width=3),
        spec("tags", "categories", num_codes=5, width=2, weighted=True),
    ]
    given = {
        "age": tf.constant([1.0]),
        "image": tf.constant([[3e5, 0.0, 4e5]]),
        "tags": tf.constant([[1, 2]]),
        "tags_weights": tf.constant([[7e4, 7e4]]),
    }
    half, full = (
        made(features, dtype=dtype)[0](given) for dtype in (policy, "float32")
    )
    assert half.dtype == policy.removeprefix("mixed_")
    np.testing.assert_allclose(
        tf.cast(half, tf.float32), full, rtol=0.02, atol=0.02
    )


@pytest.mark.parametrize(
    ("features", "width", "message"),
    [
        (FEATURES, 0, r"`width` must be >= 1\. Received: width=0"),
        ([], 4, r"of the kinds category, .*Received: no feature"),
        ([spec("a", "numeric")], 4, r"kinds category, .*Received: numeric"),
        ("x", 8, r"list of what `Feature\.spec\(\)` gives.*Received: 'x'\."),
        (["x"], 8, r"list of what `Feature\.spec\(\)` gives.*Received: 'x'\."),
        (spec("a", "number"), 8, "must be a list .*Received: {'name': 'a'"),
        (None, 8, r"must be a list of .*Received: None\."),
        ([{"name": "a"}], 8, "with at least a name and a kind"),
    ],
)
def test_bad_arguments(features, width, message):
    with pytest.raises(ValueError, match=message):
        FeatureFields(features, width)
