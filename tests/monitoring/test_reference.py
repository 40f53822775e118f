"""Bins, distances and the bounds that hold without drift."""

import numpy as np
import pytest

from tfadrec.monitoring.bins import Bins, gaps, psi
from tfadrec.monitoring.observed import Observed
from tfadrec.monitoring.reference import Reference


def observed(values, rows=None, blank=None):
    values = np.asarray(values)
    nothing = np.zeros(len(values), bool)
    rows = np.arange(len(values)) if rows is None else rows
    blank = nothing if blank is None else blank
    return Observed(rows, values, blank, nothing)


def test_numbers_fall_into_quantiles():
    bins = Bins.of_numbers(np.arange(1, 101))
    np.testing.assert_allclose(bins.edges, np.arange(5, 100, 5), atol=1)
    assert bins.places(np.array([5, 5.1, 100, 1e9])).tolist() == [0, 1, 19, 19]


def test_few_numbers_are_told_apart():
    bins = Bins.of_numbers(np.array([0.0] * 60 + [1.0] * 30 + [2.0] * 10))
    assert bins.edges == (0.0, 1.0, 2.0)
    assert bins.counts(np.array([0, 1, 1, 2, 3])).tolist() == [1, 2, 1, 1]


def test_rare_categories_are_the_rest():
    codes = np.repeat([1, 2, 3, 9], [500, 490, 5, 5])
    bins = Bins.of_categories(codes)
    assert bins.codes == (1, 2)
    assert bins.counts(np.array([2, 1, 9, 7, 2])).tolist() == [1, 2, 2]


def test_psi_is_the_formula():
    """Of shares 1/2, 1/2 and 3/4, 1/4: (1/4) log(3/2) - (1/4) log(1/2)."""
    value = psi(np.array([7.5e6, 2.5e6]), np.array([5e6, 5e6]))
    assert value == pytest.approx(0.25 * np.log(3), abs=1e-6)


def test_gaps_are_those_of_distribution_functions():
    found = gaps(np.array([2.0, 2.0, 0.0]), np.array([1.0, 1.0, 2.0]))
    np.testing.assert_allclose(found, [0.25, 0.5])


def test_bounds_of_independent_rows_are_those_of_theory():
    """PSI is then chi-squared with B - 1 degrees over n, in the limit."""
    values = np.random.default_rng(0).normal(size=20_000)
    found = Reference.of(observed(values), np.arange(20_000), is_number=True)
    assert found.psi_mean == pytest.approx(19, rel=0.15)
    assert found.psi_shape == pytest.approx(19 / 2, rel=0.35)
    assert found.gap_deviation == pytest.approx(0.5, rel=0.15)
    # chi2.isf(1e-4, 19) = 50.8, of two samples of 20,000.
    assert found.psi_bound(20_000, 1e-4) == pytest.approx(50.8e-4, rel=0.2)


def test_users_who_come_again_widen_the_bounds():
    """Ten equal rows of each user are worth one."""
    values = np.repeat(np.random.default_rng(0).normal(size=1_000), 10)
    users = np.repeat(np.arange(1_000), 10)
    found = Reference.of(observed(values), users, is_number=True)
    assert found.psi_mean == pytest.approx(190, rel=0.15)
    assert found.gap_deviation == pytest.approx(0.5 * np.sqrt(10), rel=0.2)


def test_blanks():
    """Of one in ten, 10,000 values: six of their deviations above."""
    blank = np.arange(10_000) % 10 == 0
    values = np.zeros(10_000)
    found = Reference.of(
        observed(values, blank=blank), np.arange(10_000), is_number=True
    )
    assert found.blank == 0.1
    deviation = np.sqrt(0.09 * (1 / 10_000 + 1 / 2_500))
    bound = found.blank_bound(2_500, 9.866e-10)
    assert bound - 0.1 == pytest.approx(6 * deviation, rel=0.2)


def test_it_survives_as_plain_data():
    for is_number in (True, False):
        found = Reference.of(
            observed(np.arange(50) % 5), np.arange(50), is_number=is_number
        )
        assert Reference.from_dict(found.to_dict()) == found


def test_nothing_has_no_reference():
    assert Reference.of(observed([]), np.array([]), is_number=True) is None
