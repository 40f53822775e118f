"""How far answers are apart, worked out by hand."""

import numpy as np
import pytest

from tfadrec.serving.differences import largest

MEANS = ("logits", "revenue")


def array(*values):
    return np.array([values], np.float32)


SCORED = {
    "logits": array(-43.0, 0.5),
    "score": array(0.5, 1e-4),
    "revenue": array(200.0, 3.0),
}


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("logits", array(-43.0 + 0.43, 0.5), 0.01),
        ("logits", array(-43.0, 0.6), 0.1),
        # p max(1, -log p): of 0.5 it is p, of 1e-4 9.21 p.
        ("score", array(0.6, 1e-4), 0.2),
        ("score", array(0.5, 2e-4), 1 / np.log(1e4)),
        ("revenue", array(202.0, 3.0), 0.01),
        ("logits", array(np.nan, 0.5), np.nan),
        ("logits", array(-43.0), np.inf),
        ("logits", array(-43.0, 0.5).astype(np.float64), np.inf),
    ],
)
def test_shares(name, values, expected):
    assert largest(SCORED, SCORED, MEANS) == 0
    found = largest(SCORED | {name: values}, SCORED, MEANS)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_places_without_an_ad_are_equal():
    blank = {"logits": array(1.0, -np.inf), "score": array(0.7, 0.0)}
    assert largest(blank, blank, MEANS) == 0
    other = blank | {"logits": array(1.0, 2.0)}
    assert not largest(other, blank, MEANS) <= 1


def test_vectors_are_no_probabilities():
    vectors = {"bias": array(-2.0, 0.0)}
    assert largest({"bias": array(-2.0, 0.1)}, vectors, MEANS) < 0.11


def test_texts_and_masks_are_the_same_or_not():
    answer = {
        "mask": np.array([True, False]),
        "id": np.array([b"a", b""], object),
    }
    assert largest(answer, answer, ()) == 0
    for other in (
        {"mask": np.array([True, True])},
        {"id": np.array([b"a", b"b"], object)},
    ):
        assert largest(answer | other, answer, ()) == np.inf


@pytest.mark.parametrize(
    ("order", "is_alike"),
    [
        ((3, 7, 5, 9), True),
        ((7, 3, 5, 9), True),  # 0.8 and 0.8
        ((3, 7, 5, 8), True),  # the next one may score alike
        ((3, 5, 7, 9), False),  # 0.8 and 0.6
        ((3, 7, 6, 9), False),
    ],
)
def test_ads_of_equal_scores_may_change_places(order, is_alike):
    score = array(0.8, 0.8 - 1e-6, 0.6, 0.4)
    expected = {"ad_ids": np.array([[3, 7, 5, 9]]), "score": score}
    found = {"ad_ids": np.array([order]), "score": score}
    difference = largest(found, expected, (), tie=1e-5)
    assert difference == (0 if is_alike else np.inf)
