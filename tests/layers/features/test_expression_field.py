"""Formulas of standardised numbers are those of the numbers of the log."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from data.features.reading import describe, encode

from tfadrec.core.door import tf
from tfadrec.layers.features.expression_field import ExpressionField
from tfadrec.ops.expression import in_units

AGES = np.arange(100.0)
COLUMNS = {
    "ages": AGES,
    "ages of adults": 18.0 + AGES[:60],
    "incomes": np.append(1000.0 * AGES, AGES),
    "ratings": np.arange(10, 51) / 10,
    "prices": np.random.default_rng(0).permutation(9999) / 100,
    "seconds": 1.7e9 + 60 * AGES,
    "shares": np.arange(1, 1000) / 1000,
    "alike": np.full(5, 0.3),
}


def described(name, values, log1p=False):
    """A number of these values, and its column."""
    number = describe("number", pa.array(values), log1p=log1p)
    number = dataclasses.replace(number, name=name, tensor=name)
    return number, encode(pa.array(values), number)


def found(formula, *columns):
    """The formula of columns, (values, log1p) each, as the layer has it."""
    known, tensors = {}, {}
    for name, column in zip("xyz", columns, strict=False):
        known[name], encoded = described(name, *column)
        tensors |= {key: tf.constant(part) for key, part in encoded.items()}
    feature = describe(
        "expression", None, known, of=tuple(known), expression=formula
    )
    layer = ExpressionField(feature.spec(), 1)
    layer.build()
    read = tf.function(layer)(tensors)
    assert read.dtype == tf.float32
    return np.sinh(read.numpy())


@pytest.mark.parametrize("log1p", [False, True])
@pytest.mark.parametrize("name", COLUMNS)
def test_the_values_of_the_log_come_back(name, log1p):
    if log1p and name == "seconds":
        pytest.skip("float32 tells logarithms of 1.7e9 to 100 seconds")
    number, encoded = described("x", COLUMNS[name], log1p)
    values = in_units(encoded["x"], number.mean, number.std, log1p)
    np.testing.assert_array_equal(values, COLUMNS[name])


@pytest.mark.parametrize(
    ("sign", "compare"),
    [("<", np.less), ("<=", np.less_equal), ("==", np.equal)],
)
def test_all_pairs_compare_as_in_the_log(sign, compare):
    for values, of_log1p in ((AGES, False), (COLUMNS["ratings"], True)):
        a, b = map(np.ravel, np.meshgrid(values, values))
        holds = found(f"a {sign} b", (a, of_log1p), (b, False))
        np.testing.assert_array_equal(holds > 0.5, compare(a, b))


@pytest.mark.parametrize("bound", [0, 17, 18, 40, 99])
def test_a_bound_of_the_formula(bound):
    np.testing.assert_array_equal(
        found(f"a >= {bound}", (AGES, False)) > 0.5, bound <= AGES
    )
    ratings = COLUMNS["ratings"]
    np.testing.assert_array_equal(
        found("a > 4.1", (ratings, True)) > 0.5, ratings > 4.1
    )


def test_what_is_missing_stays_missing():
    logs = found("log(a)", (np.array([1.0, np.nan, 3.0, -2.5]), False))
    np.testing.assert_allclose(logs, [0, np.nan, np.log(3), np.nan], rtol=1e-6)
