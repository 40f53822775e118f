"""AdTower against gathers and products in NumPy."""

import numpy as np
import pytest

from tfadrec.core.door import keras, tf
from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.catalogue import Catalogue
from tfadrec.towers import AdTower

N, D = 6, 4
SCHEMA = Schema(
    "made",
    "string",
    "string",
    (),
    features=(
        Feature("brand", "ad", "category", vocabulary=("x", "y")),
        Feature("size", "ad", "number"),
        Feature("price", "ad", "number"),
        Feature("copy", "ad", "vector", width=3),
    ),
)


def catalogue():
    random = np.random.default_rng(0)
    return Catalogue(
        ad_ids=np.arange(N),
        titles=[""] * N,
        descriptions=[""] * N,
        tags=[[]] * N,
        features=SCHEMA.features,
        columns={
            "brand": np.array([1, 2, 0, 2, 1, 1], np.int32),
            # The price of ad 2 is missing.
            "size": random.normal(size=N).astype(np.float32),
            "price": np.array([3, np.nan, 1, 0, -2, 1], np.float32),
            "copy": random.normal(size=(N, 3)).astype(np.float32),
        },
    )


def filled(**arguments):
    """A tower whose weights are all random, and those by their short names."""
    keras.utils.set_random_seed(0)
    tower = AdTower(catalogue(), D, **arguments)
    tower(tf.constant([1]))
    random = np.random.default_rng(1)
    values = {}
    for variable in tower.trainable_weights:
        variable.assign(random.normal(size=variable.shape))
        name = variable.name.removesuffix(":0").partition("/")[2]
        values[name] = variable.numpy()
    return tower, values


ROWS = np.array([[1, 6, 6, 0], [3, 1, 0, 5]], np.int32)

#: XLA finds repeats in another way.
EACH_WAY = pytest.mark.parametrize("by_xla", [False, True])


@EACH_WAY
def test_fields_are_gathered_and_projected(by_xla):
    tower, weights = filled()
    ads = catalogue()
    out = tf.function(tower, jit_compile=by_xla)(tf.constant(ROWS))
    for place in np.ndindex(ROWS.shape):
        row = ROWS[place]
        # Row 0, the unknown ad: no brand, no number, no vector.
        brand = ads.columns["brand"][row - 1] if row else 0
        numbers = np.array(  # in the order of their names
            [
                ads.columns[name][row - 1] if row else np.nan
                for name in ("price", "size")
            ]
        )
        missing = weights["features/missing_numbers"]
        numbers = np.where(np.isnan(numbers), missing, numbers)
        copy = ads.columns["copy"][row - 1] if row else np.zeros(3)
        copy = copy / max(np.linalg.norm(copy), 1e-6)  # at unit length
        known = weights["id/embedding_and_bias"][row]
        fields = [
            known[:D],
            weights["features/brand/embedding"][brand],
            copy @ weights["features/copy_projection/kernel"]
            + weights["features/copy_projection/bias"],
            numbers @ weights["features/numbers_projection/kernel"]
            + weights["features/numbers_projection/bias"],
        ]
        np.testing.assert_allclose(out["fields"][place], fields, atol=1e-5)
        np.testing.assert_allclose(
            out["vector"][place], np.sum(fields, axis=0), atol=1e-5
        )
        np.testing.assert_allclose(out["bias"][place], known[D], atol=1e-6)


@pytest.mark.parametrize("use_id", [True, False])
def test_an_ad_without_a_row_is_encoded_by_its_columns(use_id):
    """Columns alone, in any leading shape; its id is that of row 0."""
    tower, weights = filled(use_id=use_id, category="brand")
    ads = catalogue()
    row = 4
    given = {
        name: tf.constant(column[[[row - 1]]])
        for name, column in ads.columns.items()
    }
    known = tower(tf.constant([[row]]))
    unknown = np.zeros(D + 1, np.float32)
    if use_id:
        table = weights["id/embedding_and_bias"]
        # The known ad differs from it by what its id adds.
        unknown = table[0] - table[row]
        columns = tower.columns(tf.constant([[0]]))
        np.testing.assert_array_equal(columns["id"], table[None, :1, :D])
        given |= {name: columns[name] for name in ("id", "bias")}
    out = tower.encode_columns(given)
    assert set(out) == set(known)
    np.testing.assert_array_equal(out["brand"], known["brand"])
    np.testing.assert_allclose(
        out["vector"], known["vector"] + unknown[:D], atol=1e-5
    )
    np.testing.assert_allclose(
        out["bias"], known["bias"] + unknown[D], atol=1e-6
    )
    first = 1 if use_id else 0
    np.testing.assert_allclose(
        out["fields"][..., first:, :],
        known["fields"][..., first:, :],
        atol=1e-6,
    )


def test_the_tables_are_not_trained():
    _, weights = filled()
    assert sorted(weights) == [
        "features/brand/embedding",
        "features/copy_projection/bias",
        "features/copy_projection/kernel",
        "features/missing_numbers",
        "features/numbers_projection/bias",
        "features/numbers_projection/kernel",
        "id/embedding_and_bias",
    ]


def test_vectors_of_the_catalogue():
    tower, _ = filled()
    np.testing.assert_array_equal(
        tower.vectors("copy"), catalogue().columns["copy"]
    )
    assert tower.vectors("text") is None


def gradients(tower):
    with tf.GradientTape() as tape:
        out = tower(tf.constant(ROWS))
        random = np.random.default_rng(2)
        total = tf.add_n(
            [
                tf.reduce_sum(out[name] * random.normal(size=out[name].shape))
                for name in sorted(out)
            ]
        )
    variables = tower.trainable_weights
    return dict(
        zip(
            [v.name.partition("/")[2] for v in variables],
            tape.gradient(total, variables),
            strict=True,
        )
    )


def test_repeats_change_no_gradient():
    tower, _ = filled()
    one, other = (
        tf.function(lambda: gradients(tower), jit_compile=by_xla)()
        for by_xla in (False, True)
    )
    for name in one:
        np.testing.assert_allclose(
            tf.convert_to_tensor(one[name]),
            tf.convert_to_tensor(other[name]),
            rtol=1e-4,
            atol=1e-5,
        )


def test_each_distinct_row_is_worked_out_once():
    tower, _ = filled()
    calls = []
    encode = tower._encode
    tower._encode = lambda rows, training: (
        calls.append(rows.numpy().tolist()) or encode(rows, training)
    )
    tower(tf.constant(ROWS))
    assert [sorted(call) for call in calls] == [[0, 1, 3, 5, 6]]


def test_the_gradient_of_the_ids_is_row_sparse():
    tower, _ = filled()
    gradient = gradients(tower)["id/embedding_and_bias:0"]
    assert isinstance(gradient, tf.IndexedSlices)
    assert sorted(gradient.indices.numpy()) == [0, 1, 3, 5, 6]


def test_ids_are_dropped_whole_and_only_in_training():
    tower, weights = filled(id_dropout=0.5, feature_dropout=0)
    rows = tf.constant(np.arange(1, N + 1, dtype=np.int32))
    kept = tower(rows)
    dropped, scaled = 0, 0
    for _ in range(20):
        out = tower(rows, training=True)
        for i in range(N):
            known = np.append(out["fields"][i, 0], out["bias"][i])
            if (known == 0).all():
                dropped += 1
            else:
                expected = 2 * weights["id/embedding_and_bias"][i + 1]
                np.testing.assert_allclose(known, expected, rtol=1e-5)
                scaled += 1
        np.testing.assert_allclose(out["fields"][:, 1:], kept["fields"][:, 1:])
    # 120 draws of a half; sigma = 5.5.
    assert abs(dropped - 60) < 25
    assert dropped + scaled == 120


def test_id_l2():
    tower, weights = filled(id_l2=0.1)
    tower(tf.constant(ROWS), training=True)
    read = weights["id/embedding_and_bias"][[0, 1, 3, 5, 6]]
    np.testing.assert_allclose(
        tower.losses, [0.1 * 0.5 * (read**2).sum()], rtol=1e-5
    )
    tower(tf.constant(ROWS))
    assert tower.losses == []


def test_an_ad_without_an_id():
    tower, weights = filled(use_id=False)
    assert "id/embedding_and_bias" not in weights
    out = tower(tf.constant(ROWS))
    assert out["fields"].shape == [2, 4, 3, D]
    np.testing.assert_array_equal(out["bias"], np.zeros([2, 4]))


def test_new_ads_begin_as_the_average_id():
    tower = AdTower(catalogue().spec(), D)
    out = tower(tf.constant(ROWS))
    np.testing.assert_allclose(out["fields"][..., 0, :], 0, atol=0.05)
    np.testing.assert_array_equal(out["bias"], np.zeros([2, 4]))


def test_biases_keep_float32_under_mixed_precision():
    tower = AdTower(catalogue(), D, dtype="mixed_bfloat16")
    tower(tf.constant([1]))
    [table] = [v for v in tower.weights if "embedding_and_bias" in v.name]
    value = np.float32(1.2345678)  # bfloat16 has 8 bits of it
    table.assign(tf.fill(table.shape, value))
    out = tower(tf.constant([1]))
    assert out["vector"].dtype == tf.bfloat16
    np.testing.assert_array_equal(out["bias"], [value])


def test_the_number_of_rows():
    assert AdTower(catalogue()).num_rows == N + 1


@pytest.mark.parametrize(
    ("kinds", "use_id", "count"),
    [
        # Numbers are one field together.
        ("category number vector", True, 4),
        ("category number vector", False, 3),
        ("category vector", False, 2),
        ("number", True, 2),
        ("", True, 1),
    ],
)
def test_the_number_of_fields(kinds, use_id, count):
    spec = catalogue().spec()
    spec["features"] = [
        f for f in spec["features"] if f["kind"] in kinds.split()
    ]
    tower = AdTower(spec, D, use_id=use_id)
    assert tower.num_fields == count
    assert tower(tf.constant(ROWS))["fields"].shape == [2, 4, count, D]


@EACH_WAY
def test_what_kind_an_ad_is_of(by_xla):
    tower, _ = filled(category="brand")
    out = tf.function(tower, jit_compile=by_xla)(tf.constant(ROWS))
    assert out["brand"].dtype == tf.int32
    # Brands of the ads 1 to 6 are 1, 2, 0, 2, 1, 1; the unknown ad has none.
    brands = [[1, 1, 1, 0], [0, 1, 0, 1]]
    np.testing.assert_array_equal(out["brand"], brands)
    out = tower.encode({"a": (tf.constant(ROWS), ["vector", "brand"])})
    np.testing.assert_array_equal(out["a"]["brand"], brands)
    assert "brand" not in filled()[0](tf.constant(ROWS))


def test_columns_are_passed_on_as_they_are():
    """For what is worked out of an ad's features and those of others."""
    tower, _ = filled(passed=("brand", "price"), category="brand")
    out = tower(tf.constant(ROWS))
    tables = catalogue().tables()
    for name in ("brand", "price"):
        np.testing.assert_array_equal(out[name], tables[name][ROWS])
    assert {"size", "copy"}.isdisjoint(out)
    assert tower.parts == (
        *("vector", "fields", "bias"),
        *("brand", "price"),
    )


def test_features_are_dropped_in_training():
    """An ad whose values are all dropped is one of which nothing is known."""
    tower, _ = filled(feature_dropout=0.9, use_id=False)
    rows = tf.range(1, N + 1)
    nothing, kept = tower(tf.constant([0]))["vector"], tower(rows)["vector"]
    dropped = tower(rows, training=True)["vector"]
    unknown = np.isclose(dropped, nothing, atol=1e-5).all(1)
    assert unknown.any()  # each with a chance of .9^4, all known with 1e-3
    assert not np.isclose(kept, nothing, atol=1e-5).all(1).any()


EMPTY = {"num_ads": 3, "features": []}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, r"`width` must be >= 1\. Received: width=0"),
        ({"use_id": False}, r"at least one field\. Received: use_id=False"),
        (
            {"category": "brand"},
            r"of kind category, one of none\. Received: category='brand'",
        ),
        (
            {"passed": ["brand"]},
            r"columns of the catalogue, of none\. Received: brand",
        ),
        ({"id_l2": -1.0}, r"`l2` >= 0\. Received: .*l2=-1"),
        ({"id_dropout": 1.0}, r"\[0, 1\)\. Received: rate=1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        AdTower(EMPTY, **arguments).build()


@EACH_WAY
def test_sets_of_rows_are_encoded_as_each_alone(by_xla):
    tower, _ = filled()
    other = np.array([6, 2, 6], np.int32)

    @tf.function(jit_compile=by_xla)
    def encode(one, other):
        wanted = {"a": (one, ["vector"]), "b": (other, ["bias", "fields"])}
        return tower.encode(wanted)

    out = encode(tf.constant(ROWS), tf.constant(other))
    assert {name: sorted(part) for name, part in out.items()} == {
        "a": ["vector"],
        "b": ["bias", "fields"],
    }
    alone = {"a": tower(tf.constant(ROWS)), "b": tower(tf.constant(other))}
    for name, part in out.items():
        for key, values in part.items():
            np.testing.assert_allclose(values, alone[name][key], atol=1e-6)
