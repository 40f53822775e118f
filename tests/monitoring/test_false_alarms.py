"""Windows without drift, and with one, of a made log."""

import numpy as np
import pytest

from tests.data import rich_dataset
from tfadrec.monitoring import Profile, measure_window
from tfadrec.monitoring.observed import Observed
from tfadrec.monitoring.reference import Reference
from tfadrec.monitoring.tally import Tally

TRAINED, WINDOW, ROWS_OF_USER = 20_000, 10_000, 5
NUMBERS, CATEGORIES = 12, 8


def draw(random, rows, shift=0.0):
    """The values of every signal; those of users come five times each."""
    users = np.arange(rows) // ROWS_OF_USER
    nothing = np.zeros(rows, bool)
    found = {}
    for n in range(NUMBERS):
        values = random.normal(size=users[-1] + 1)[users]
        if n % 2:
            values = random.normal(size=rows)
        values = {0: values, 1: np.exp(values), 2: np.round(values)}[n % 3]
        missing = random.random(rows) < 0.03 * n
        found[f"number {n}"] = Observed(
            np.arange(rows), values + shift * (n == 0), missing, nothing
        )
    for n in range(CATEGORIES):
        shares = 1 / np.arange(1, 6 + 20 * n) ** 1.1
        codes = 1 + random.choice(len(shares), rows, p=shares / shares.sum())
        moved = (random.random(rows) < shift) & (n == 0)
        codes = np.where(moved, 1, codes)
        unknown = random.random(rows) < 0.01 * n
        found[f"category {n}"] = Observed(
            np.arange(rows), codes, nothing, unknown
        )
    return found, users


def profile_of(random):
    found, users = draw(random, TRAINED)
    references = {
        name: Reference.of(o, users, is_number=name.startswith("number"))
        for name, o in found.items()
    }
    return Profile(rich_dataset.schema(), 4, {}, references, TRAINED)


def alarms(profile, random, shift=0.0):
    found, _ = draw(random, WINDOW, shift)
    tallies = {
        name: Tally.of(profile.references[name].bins, observed)
        for name, observed in found.items()
    }
    measures = measure_window.measure(profile, tallies)
    assert len(measures) == 2 * (NUMBERS + CATEGORIES) + NUMBERS
    return [m.line for m in measures if m.is_alarm]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_at_most_one_false_alarm_in_200_windows(monkeypatch, seed):
    """Also where the smallest change counts."""
    for least in ("PSI", "GAP", "SHARE"):
        monkeypatch.setattr(measure_window, f"LEAST_{least}", 0.0)
    random = np.random.default_rng(seed)
    profile = profile_of(random)
    windows = [alarms(profile, random) for _ in range(200)]
    assert sum(bool(found) for found in windows) <= 1, windows


def test_a_planted_shift_is_alarmed_in_the_first_window():
    """A quarter of a deviation, and of a category's rows."""
    random = np.random.default_rng(0)
    found = alarms(profile_of(random), random, shift=0.25)
    assert {line.split(":")[0] for line in found} == {
        "number 0",
        "category 0",
    }
