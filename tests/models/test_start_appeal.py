import numpy as np
import pytest

from tfadrec.models import start_appeal
from tfadrec.models.start_appeal import fit_appeal

WIDTH, ADS, USERS, ROWS = 6, 50, 400, 8000


def world(seed=0, strength=1.0):
    """Clicks by the text's worth and a level of the user, and what is true."""
    random = np.random.default_rng(seed)
    units = random.normal(size=[ADS, WIDTH]) / WIDTH**0.5
    appeal = strength * random.normal(size=WIDTH)
    level = random.normal(size=USERS) * 2
    users = random.integers(USERS, size=ROWS)
    # Users who click much are shown what is worth little.
    liked = np.argsort(units @ appeal)
    half = np.where(level[users] > 0, 0, ADS // 2)
    places = liked[half + random.integers(ADS // 2, size=ROWS)]
    logits = units[places] @ appeal + level[users]
    labels = (random.random(ROWS) < 1 / (1 + np.exp(-logits))).astype(float)
    return (units, places, users, labels, np.ones(ROWS)), appeal


def test_the_level_of_a_user_has_no_part():
    rows, appeal = world(seed=1)
    found = fit_appeal(*rows)
    # One step of Newton's from levels that are all alike falls short by the
    # users' spread, and not in its direction.
    assert np.corrcoef(found, appeal)[0, 1] > 0.95
    assert 0.5 < found @ appeal / (appeal @ appeal) < 1.1
    units, places, _, labels, weights = rows
    together = fit_appeal(units, places, np.arange(ROWS) % 4, labels, weights)
    assert np.corrcoef(together, appeal)[0, 1] < 0


def test_the_sums_are_those_of_every_user(monkeypatch):
    units, places, users, labels, _ = world()[0]
    weights = np.random.default_rng(1).random(ROWS)
    curve, slope = np.zeros([WIDTH, WIDTH]), np.zeros(WIDTH)
    for user in range(USERS):
        x, y = units[places[users == user]], labels[users == user]
        w = weights[users == user]
        x = x - np.average(x, axis=0, weights=w)
        y = y - np.average(y, weights=w)
        curve += np.einsum("i,ij,ik->jk", w, x, x)
        slope += np.einsum("i,ij,i->j", w, x, y)
    for at_once in (1, 700, ROWS):
        monkeypatch.setattr(start_appeal, "_AT_ONCE", at_once)
        found = start_appeal._sums(units, places, users, labels, weights)
        np.testing.assert_allclose(found[0].sum(0), curve, atol=1e-8)
        np.testing.assert_allclose(found[1].sum(0), slope, atol=1e-8)


def test_rows_of_more_weight_count_as_more_rows():
    units, places, users, labels, _ = world()[0]
    times = np.random.default_rng(1).integers(0, 3, size=ROWS)
    repeated = np.repeat(np.arange(ROWS), times)
    np.testing.assert_allclose(
        fit_appeal(units, places, users, labels, times.astype(float)),
        fit_appeal(
            units,
            places[repeated],
            users[repeated],
            labels[repeated],
            np.ones(len(repeated)),
        ),
        atol=1e-8,
    )


@pytest.mark.parametrize("seed", range(5))
def test_texts_that_tell_nothing_are_worth_next_to_nothing(seed):
    rows, _ = world(seed, strength=0.0)
    assert np.abs(rows[0] @ fit_appeal(*rows)).max() < 0.1


@pytest.mark.parametrize(
    ("late", "is_new"),
    [
        ([5, 5, 5], True),  # never seen before
        ([0, 0, 0], False),  # nine rows before are few, ten are not
        ([5, 0, 1], True),
    ],
)
def test_ads_are_new_by_what_was_shown_before(late, is_new):
    early = [0] * 10 + [1] * 9
    ads = np.array([*late, *early])
    times = np.array([9] * len(late) + [1] * len(early))
    found = start_appeal._mostly_new(ads, times, np.ones(len(ads)))
    assert found == is_new
    assert not start_appeal._mostly_new(ads, 0 * times, np.ones(len(ads)))


def test_rows_that_cannot_be_compared_tell_nothing():
    units, places, users, labels, weights = world()[0]
    each = np.arange(ROWS)
    for given in (
        (units, places, each, labels, weights),
        (units, places, users, np.ones(ROWS), weights),
        (units, places, users, labels, np.zeros(ROWS)),
        (0 * units, places, users, labels, weights),
    ):
        np.testing.assert_array_equal(fit_appeal(*given), np.zeros(WIDTH))
