"""Counts of a window to measures, with bounds that hold without drift."""

import functools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tfadrec.metrics import probabilities
from tfadrec.monitoring.bins import gaps, psi
from tfadrec.monitoring.measure import Measure
from tfadrec.monitoring.profile import SCORE, Profile
from tfadrec.monitoring.reference import Reference
from tfadrec.monitoring.request import Request
from tfadrec.monitoring.tally import Tally

#: The chance of any false alarm in a window, over all of its measures.
FALSE_ALARMS = 1 / 2000
#: Smaller changes are no alarm, however many rows show them: differences of
#: PSI, of distribution functions, of shares, and of predicted over observed.
LEAST_PSI, LEAST_GAP, LEAST_SHARE, LEAST_RATIO = 0.02, 0.05, 0.01, 0.05

#: A measure, once the chance of a false alarm is known that it may have.
Test = Callable[[float], Measure]
#: Request -> labels of its scores, nan where one is not known.
Labels = Mapping[str, NDArray[np.float64]]


def measure(
    profile: Profile,
    tallies: Mapping[str, Tally],
    *,
    left_out: Collection[str] = (),
    others: Sequence[Test] = (),
) -> tuple[Measure, ...]:
    """Measures what was counted of some requests.

    Each measure has its share of `FALSE_ALARMS` (Bonferroni), so all of them
    together alarm without drift in one of 2,000 windows at most.

    Args:
      profile: of the bundle.
      tallies: by signal, of those that the profile has.
      left_out: the signals whose missing values are no sign.
      others: measures of something else.
    """
    tests = list(others)
    for name, found in tallies.items():
        reference = profile.references[name]
        if found.slots and name not in left_out and name != SCORE:
            tests.append(functools.partial(_blank, name, reference, found))
        tests += _drift(name, reference, found)
    alpha = FALSE_ALARMS / max(len(tests), 1)
    return tuple(test(alpha) for test in tests)


def _blank(
    name: str, reference: Reference, found: Tally, alpha: float
) -> Measure:
    slots = found.slots
    bound = max(
        reference.blank_bound(slots, alpha), reference.blank + LEAST_SHARE
    )
    share = (found.missing + found.unknown) / slots
    return Measure(name, "blank", share, -np.inf, bound, slots)


def _drift(name: str, reference: Reference, found: Tally) -> Iterator[Test]:
    counts, given = found.counts, found.given
    if not given or not sum(reference.counts):
        return
    before = np.asarray(reference.counts)

    def of_psi(alpha: float) -> Measure:
        bound = max(reference.psi_bound(given, alpha), LEAST_PSI)
        value = float(psi(counts, before))
        return Measure(name, "psi", value, -np.inf, bound, given)

    def of_gap(alpha: float) -> Measure:
        bound = max(reference.gap_bound(given, alpha), LEAST_GAP)
        value = float(np.abs(gaps(counts, before)).max(initial=0))
        return Measure(name, "ks", value, -np.inf, bound, given)

    yield of_psi
    if reference.bins.edges:
        yield of_gap


def calibration(known: Sequence[Request], labels: Labels) -> Iterator[Test]:
    """Predicted over observed labels, where one is known.

    Args:
      known: requests that `labels` fit.
      labels: of their scores.
    """
    if not known:
        return
    clicked = np.concatenate([labels[r.name] for r in known])
    scores = np.concatenate([r.scores for r in known if r.scores is not None])
    users = np.concatenate([r.score_users for r in known])
    there = ~np.isnan(clicked)
    if not there.any():
        return
    probs = np.clip(scores[there], 1e-7, 1 - 1e-7)
    if not clicked[there].any():
        yield functools.partial(_no_click, probs, users[there])
        return
    if len(np.unique(users[there])) == 1:
        return  # one user tells no interval

    def of_ratio(alpha: float) -> Measure:
        ratio, _, high = probabilities.predicted_over_observed(
            clicked[there],
            np.log(probs / (1 - probs)),
            groups=users[there],
            confidence=1 - alpha,
        )
        # 1 lies between the ends of the interval of the ratio where the ratio
        # lies between these.
        reach = high / ratio
        return Measure(
            SCORE,
            "calibration",
            ratio,
            min(1 / reach, 1 - LEAST_RATIO),
            max(reach, 1 + LEAST_RATIO),
            int(there.sum()),
        )

    yield of_ratio


def _no_click(probs: NDArray, users: NDArray, alpha: float) -> Measure:
    """Predicted clicks where none came, as if one had.

    A user u clicks nothing with a chance of 1 - max p_u at most, however his
    rows depend on each other, and all users with the product of these.
    """
    names, place = np.unique(users, return_inverse=True)
    largest = np.zeros(len(names))
    np.maximum.at(largest, place, probs)
    evidence = -np.log1p(-largest).sum()
    value = float(probs.sum())
    bound = max(value * np.log(2 / alpha) / evidence, 1 + LEAST_RATIO)
    return Measure(
        SCORE, "calibration", value, -np.inf, float(bound), len(probs)
    )


def fits(request: Request, labels: Labels) -> bool:
    """Whether labels are of a request's scores, and one of them is known."""
    return (
        request.scores is not None
        and request.name in labels
        and len(labels[request.name]) == len(request.scores)
        and not np.isnan(labels[request.name]).all()
    )
