"""A feature's names, its number of codes, and what a layer is told."""

import pytest

from tfadrec.core.feature import Feature


def feature(kind="category", **fields):
    return Feature("The brand", "ad", kind, tensor="brand", **fields)


def test_the_names_of_its_tensors():
    assert feature().tensors == (
        "brand",
        "brand_weights",
        "brand_keys",
        "brand_values",
    )


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({}, 1),
        ({"vocabulary": ("a", "b")}, 3),
        ({"buckets": 10}, 11),
        # Two bounds cut a number into three, and a missing one has code 0.
        ({"bounds": (1.0, 2.0)}, 4),
    ],
)
def test_the_number_of_codes(fields, count):
    assert feature(**fields).num_codes == count


@pytest.mark.parametrize(
    ("made", "spec"),
    [
        (feature(vocabulary=("a", "b")), {"num_codes": 3}),
        (feature(share="make"), {"share": "make"}),
        (
            feature("categories", buckets=5, width=3, weighted=True),
            {
                "kind": "categories",
                "num_codes": 6,
                "width": 3,
                "weighted": True,
            },
        ),
        (
            feature("number", mean=2.0, std=3.0, low=0.0, high=9.0),
            {"kind": "number"},
        ),
        # In buckets a number is a category to a layer.
        (feature("number", bounds=(1.0,)), {"num_codes": 3}),
        (
            feature("overlap", of=("a", "b"), measure="count"),
            {"kind": "overlap", "of": ["a", "b"], "measure": "count"},
        ),
    ],
)
def test_what_a_layer_is_told(made, spec):
    plain = {
        "name": "brand",
        "entity": "ad",
        "kind": "category",
        "num_codes": 1,
        "width": 0,
    }
    assert made.spec() == plain | spec
