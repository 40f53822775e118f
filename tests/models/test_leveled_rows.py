"""Slopes of ads and users beside weights, against SciPy's minimiser."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special

from tfadrec.models.leveled_rows import (
    LeveledRows,
    choose_penalties,
    early_and_late,
    fit_slopes,
)
from tfadrec.models.term import Term

ROWS = 3000
#: Name -> how many keys there are, and how many values they lean on.
TERMS = {"ads": (8, 1), "users": (30, 1), "users by traits": (30, 3)}
START, PULLS = np.array([1.0, 0.0]), np.array([1e-3, 1e-9])


def rows(seed=0, count=ROWS, **deviations):
    """Rows, and slopes of these deviations by which they are clicked."""
    random = np.random.default_rng(seed)
    keys = {
        name: random.integers(0, size, count)
        for name, size in (("ads", 8), ("users", 30))
    }
    terms, logits = {}, random.normal(0, 0.5, count)
    columns = np.column_stack([random.normal(0, 1, count), np.ones(count)])
    known = logits.copy()
    logits += columns @ [0.7, -1.0]
    for name, (size, width) in TERMS.items():
        values = random.normal(0, 1, (count, width)).astype(np.float32)
        if width == 1:
            values[:] = 1
        slopes = random.normal(0, 1, (size, width))
        slopes *= deviations.get(name.replace(" ", "_"), 1.0)
        slopes[0] = 0
        of = keys[name.split()[0]]
        logits += (slopes[of] * values).sum(axis=1)
        terms[name] = Term(of, size, values)
    labels = random.random(count) < scipy.special.expit(logits)
    weights = random.choice([0.5, 1.0, 1.5], count)
    return LeveledRows(
        *(columns, known, terms, labels.astype(float)), weights / weights.mean()
    )


def chosen_of(of, kept=None):
    return choose_penalties(*early_and_late(of), START, PULLS, kept or {})[0]


def reference(rows, penalties):
    """The same sum, minimised by L-BFGS over all numbers at once."""
    shapes = {name: TERMS[name] for name in penalties}
    ends = np.cumsum([2, *(np.prod(shape) for shape in shapes.values())])

    def split(x):
        slopes = {
            name: x[start:end].reshape(shape)
            for (name, shape), start, end in zip(
                shapes.items(), ends[:-1], ends[1:], strict=True
            )
        }
        return x[:2], slopes

    def loss(x):
        weights, slopes = split(x)
        logits = rows.columns @ weights + rows.known
        total = len(rows.labels) * PULLS @ np.square(weights - START) / 2
        for name, of_keys in slopes.items():
            known = of_keys * (np.arange(len(of_keys)) > 0)[:, None]
            term = rows.terms[name]
            logits = logits + (known[term.keys] * term.values).sum(axis=1)
            total += penalties[name] * np.square(known).sum() / 2
        signed = np.where(rows.labels == 1, logits, -logits)
        return total - rows.weights @ scipy.special.log_expit(signed)

    found = scipy.optimize.minimize(loss, np.zeros(ends[-1]), method="L-BFGS-B")
    return split(found.x)


@pytest.mark.parametrize(
    "penalties",
    [
        {},
        {"ads": 3.0},
        {"ads": 3.0, "users": 30.0},
        {"ads": 3.0, "users": 30.0, "users by traits": 10.0},
    ],
)
def test_they_make_the_labels_most_likely(penalties):
    of = rows()
    weights, slopes = fit_slopes(of, START, PULLS, penalties)
    expected, of_keys = reference(of, penalties)
    assert weights[0] == pytest.approx(expected[0], abs=0.01)
    assert slopes.keys() == penalties.keys()
    # The intercept and the mean of levels come to their ends together, slowly.
    assert weights[1] == pytest.approx(expected[1], abs=0.1)
    for name, found in slopes.items():
        assert not found[0].any()
        assert np.abs(found).max() > 0.3
        np.testing.assert_allclose(found[1:], of_keys[name][1:], atol=0.05)
    known = np.prod([term.keys > 0 for term in of.terms.values()], axis=0) > 0
    others = {
        name: np.concatenate([np.zeros_like(s[:1]), s[1:]])
        for name, s in of_keys.items()
    }
    np.testing.assert_allclose(
        of.logits(weights, slopes)[known],
        of.logits(expected, others)[known],
        atol=0.02,
    )


def test_logits_of_rows():
    of = rows(count=2)
    slopes = {"users by traits": np.arange(90.0).reshape(30, 3)}
    term = of.terms["users by traits"]
    expected = [
        of.known[i]
        + of.columns[i] @ [2.0, 3.0]
        + slopes["users by traits"][term.keys[i]] @ term.values[i]
        for i in range(2)
    ]
    np.testing.assert_allclose(
        of.logits(np.array([2.0, 3.0]), slopes), expected
    )


def test_levels_stay_finite_where_an_ad_is_always_clicked():
    of = rows()
    all_clicked = of.labels.copy()
    all_clicked[of.terms["ads"].keys == 3] = 1.0
    of = LeveledRows(of.columns, of.known, of.terms, all_clicked, of.weights)
    _, slopes = fit_slopes(of, START, PULLS, {"ads": 1.0})
    assert 3 < slopes["ads"][3, 0] < 8


@pytest.mark.parametrize(
    "of_use", [{"ads"}, {"users"}, {"users by traits"}, set(TERMS)]
)
def test_late_rows_tell_whose_slopes_are_of_use(of_use):
    deviations = {
        name.replace(" ", "_"): 2.0 * (name in of_use) for name in TERMS
    }
    chosen = chosen_of(rows(**deviations, count=20_000))
    assert of_use <= chosen.keys()
    # Where there is much to tell, little is held.
    assert all(chosen[name] <= 10 for name in of_use)


def test_penalties_that_are_known_are_kept():
    """What rows tell is not asked then."""
    of = rows(ads=2.0, users=2.0, count=500)
    kept = {"ads": 0.0, "users": 30.0, "users by traits": 3.0}
    found = chosen_of(of, kept)
    assert found == {"users": 30.0, "users by traits": 3.0}
    # A term that is not known joins if it is of use.
    of = rows(ads=2.0, users=2.0, count=20_000)
    found = chosen_of(of, {"users": 30.0})
    assert found["users"] == 30.0
    assert found["ads"] <= 10


def test_keys_of_one_row_share_its_slope():
    """Three that mostly come together, and one that is not known."""
    random = np.random.default_rng(0)
    keys = random.integers(0, 6, (ROWS, 3))
    keys[: ROWS - 300] = [1, 2, 3]
    shares = random.dirichlet(30 * np.ones(3), ROWS) * [1, 1, -1]
    values = random.normal(0, 1, (ROWS, 2)).astype(np.float32)
    term = Term(keys, 6, values, shares.astype(np.float32))
    ones, penalty = np.ones(ROWS), 2.0
    truth = random.normal(0, 2, (6, 2)) * (np.arange(6) > 0)[:, None]
    labels = random.random(ROWS) < scipy.special.expit(term.told(truth))
    of = LeveledRows(
        *(ones[:, None], 0 * ones, {"speaks": term}, labels.astype(float)), ones
    )
    held = np.zeros(1), np.full(1, 1e9)  # the weight stays at zero

    def loss(slopes):
        told = np.einsum("nlk,nk->nl", slopes[keys], values)
        logits = (told * shares).sum(axis=1)
        lost = scipy.special.log_expit(np.where(labels, logits, -logits))
        return penalty * np.square(slopes).sum() / 2 - lost.sum()

    losses = [
        loss(fit_slopes(of, *held, {"speaks": penalty}, n)[1]["speaks"])
        for n in (1, 2, 4, 8, 60)
    ]
    assert (np.diff(losses) < 0).all()
    assert losses[0] < loss(0 * truth) - 100
    found = fit_slopes(of, *held, {"speaks": penalty}, 60)[1]["speaks"]
    assert not found[0].any()
    for key, place in np.ndindex(5, 2):
        for by in (-0.02, 0.02):
            moved = found.copy()
            moved[1 + key, place] += by
            assert loss(moved) > losses[-1]


def test_no_key_is_known():
    ones = np.ones(8)
    none = Term(np.zeros([8, 2], int), 3, ones[:, None], np.zeros([8, 2]))
    of = LeveledRows(ones[:, None], 0 * ones, {"speaks": none}, ones, ones)
    _, slopes = fit_slopes(of, np.zeros(1), np.ones(1), {"speaks": 1.0})
    np.testing.assert_array_equal(slopes["speaks"], np.zeros([3, 1]))


def test_slopes_of_little_use_are_left_out():
    nothing = {name.replace(" ", "_"): 0.02 for name in TERMS}
    of = rows(**nothing, count=20_000)
    assert chosen_of(of) == {}


def test_levels_that_have_changed_by_then_are_left_out():
    early, late = rows(seed=1, count=3000), rows(seed=2, count=1000)
    both = LeveledRows(
        *(
            np.concatenate([getattr(early, name), getattr(late, name)])
            for name in ("columns", "known")
        ),
        {
            name: Term(
                np.append(early.terms[name].keys, late.terms[name].keys),
                size,
                np.concatenate(
                    [early.terms[name].values, late.terms[name].values]
                ),
            )
            for name, (size, _) in TERMS.items()
        },
        np.append(early.labels, late.labels),
        np.append(early.weights, late.weights),
    )
    assert chosen_of(both).keys() < set(TERMS)


@pytest.mark.parametrize("rare", [0, 1])
def test_late_rows_of_one_label_tell_nothing(rare):
    """Those who have the other one are gone: the rest lose less without it."""
    keys = np.arange(ROWS) % 8
    others = keys == 3
    others[ROWS // 2 :] = False
    keys[(keys == 3) & ~others] = 4
    labels = np.where(others, rare, 1.0 - rare)
    ones = np.ones(ROWS)
    users = Term(keys, 8, np.ones([ROWS, 1], np.float32))
    of = LeveledRows(ones[:, None], 0 * ones, {"users": users}, labels, ones)
    start, pulls = np.zeros(1), np.full(1, 1e-9)
    assert choose_penalties(*early_and_late(of), start, pulls, {})[0] == {}
    # Ten that have it by then are told apart from them.
    keys[-10:], labels[-10:] = 3, rare
    assert choose_penalties(*early_and_late(of), start, pulls, {})[0]


def test_no_rows():
    of = rows(count=1)
    assert chosen_of(of) is not None
    none = of.take(slice(0))
    assert chosen_of(none) == {}
