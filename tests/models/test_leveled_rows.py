"""Levels of ads and users beside weights, against SciPy's minimiser."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special

from tfadrec.models.leveled_rows import (
    PENALTIES,
    LeveledRows,
    choose_penalties,
    fit_levels,
)

ADS, USERS, ROWS = 8, 6, 3000
SIZES = {"ads": ADS, "users": USERS}
START, PULLS = np.array([1.0, 0.0]), np.array([1e-3, 1e-9])


def rows(seed=0, ads=1.0, users=1.0, count=ROWS):
    """Rows of which ads and users have levels of that deviation."""
    random = np.random.default_rng(seed)
    keys = {
        name: random.integers(0, size, count) for name, size in SIZES.items()
    }
    levels = {
        "ads": random.normal(0, ads, ADS),
        "users": random.normal(0, users, USERS),
    }
    for level in levels.values():
        level[0] = 0
    columns = np.column_stack([random.normal(0, 1, count), np.ones(count)])
    known = random.normal(0, 0.5, count)
    logits = columns @ [0.7, -1.0] + known
    logits += sum(levels[name][keys[name]] for name in levels)
    labels = random.random(count) < scipy.special.expit(logits)
    weights = random.choice([0.5, 1.0, 1.5], count)
    return LeveledRows(
        *(columns, known, keys, labels.astype(float)), weights / weights.mean()
    )


def reference(rows, penalties):
    """The same sum, minimised by L-BFGS over all numbers at once."""

    def split(x):
        return x[:2], {"ads": x[2 : 2 + ADS], "users": x[2 + ADS :]}

    def loss(x):
        weights, levels = split(x)
        logits = rows.columns @ weights + rows.known
        total = len(rows.labels) * PULLS @ np.square(weights - START) / 2
        for name, level in levels.items():
            level = np.where(np.arange(len(level)) == 0, 0, level)
            if name in penalties:
                logits = logits + level[rows.keys[name]]
                total += penalties[name] * level @ level / 2
        signed = np.where(rows.labels == 1, logits, -logits)
        return total - rows.weights @ scipy.special.log_expit(signed)

    found = scipy.optimize.minimize(
        loss, np.zeros(2 + ADS + USERS), method="L-BFGS-B"
    )
    return split(found.x)


@pytest.mark.parametrize(
    "penalties", [{}, {"ads": 3.0}, {"ads": 3.0, "users": 30.0}]
)
def test_they_make_the_labels_most_likely(penalties):
    of = rows()
    weights, levels = fit_levels(of, SIZES, START, PULLS, penalties)
    expected, of_keys = reference(of, penalties)
    assert weights[0] == pytest.approx(expected[0], abs=0.01)
    assert levels.keys() == penalties.keys()
    # The intercept and the mean of levels come to their ends together, slowly.
    assert weights[1] == pytest.approx(expected[1], abs=0.05)
    logits, others = of.columns @ weights, of.columns @ expected
    for name, level in levels.items():
        assert level[0] == 0
        assert np.abs(level).max() > 0.3
        np.testing.assert_allclose(level[1:], of_keys[name][1:], atol=0.05)
        logits = logits + level[of.keys[name]]
        others = others + of_keys[name][of.keys[name]]
    known = np.prod([of.keys[name] > 0 for name in SIZES], axis=0) > 0
    np.testing.assert_allclose(logits[known], others[known], atol=0.01)


def test_levels_stay_finite_where_an_ad_is_always_clicked():
    of = rows()
    all_clicked = of.labels.copy()
    all_clicked[of.keys["ads"] == 3] = 1.0
    of = LeveledRows(of.columns, of.known, of.keys, all_clicked, of.weights)
    _, levels = fit_levels(of, SIZES, START, PULLS, {"ads": 1.0})
    assert 3 < levels["ads"][3] < 8


@pytest.mark.parametrize(
    ("deviations", "expected"),
    [
        ({"ads": 2.0, "users": 0.0}, {"ads"}),
        ({"ads": 0.0, "users": 2.0}, {"users"}),
        ({"ads": 2.0, "users": 2.0}, {"ads", "users"}),
    ],
)
def test_late_rows_tell_whose_levels_are_of_use(deviations, expected):
    of = rows(**deviations, count=20_000)
    chosen = choose_penalties(of, SIZES, START, PULLS)
    assert expected <= chosen.keys()
    # Where there is much to tell, less is held than where there is nothing.
    assert all(chosen[name] <= 30 for name in expected)
    others = chosen.keys() - expected
    assert all(chosen[name] == PENALTIES[0] for name in others)


def test_levels_that_have_changed_by_then_are_left_out():
    early, late = rows(seed=1, count=3000), rows(seed=2, count=1000)
    both = LeveledRows(
        *(
            np.concatenate([getattr(early, name), getattr(late, name)])
            for name in ("columns", "known")
        ),
        {n: np.append(early.keys[n], late.keys[n]) for n in SIZES},
        np.append(early.labels, late.labels),
        np.append(early.weights, late.weights),
    )
    assert choose_penalties(both, SIZES, START, PULLS).keys() < {"ads", "users"}


def test_no_rows():
    of = rows(count=1)
    assert choose_penalties(of, SIZES, START, PULLS) is not None
    none = of.slice(slice(0))
    assert choose_penalties(none, SIZES, START, PULLS) == {}
