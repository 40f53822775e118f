"""How much longer one version of a bundle takes than another one."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfadrec.data.dataset import Dataset
from tfadrec.serving.requests import replay, with_candidates

#: Rounds, in each of which a version answers so many calls and then the other
#: one as many. Ten of the calls lie above the percentile.
_ROUNDS, _CALLS = 50, 20
#: After so many seconds no round begins, however few there were.
_SECONDS = 60.0
#: Rounds that tell an interval, at least. In 400 simulated tries a version that
#: is 1.5 times as slow lay below 1.5 in 23 % of two rounds, 5.5 % of five and
#: 1.5 % of fifty.
LEAST_ROUNDS = 5
_SLATE = 100
_PERCENTILE = 99
_SAMPLES = 2_000

Signatures = Mapping[str, Callable[..., Any]]


def latencies(
    opened: Mapping[str, Signatures], dataset: Dataset
) -> dict[str, np.ndarray]:
    """How long versions take to score a slate of 100 ads.

    They take turns in rounds, so that what else the machine does meets all of
    them alike.

    Args:
      opened: name -> signatures of a version.
      dataset: of whose newest row's user the slate is.

    Returns:
      Name -> milliseconds, float64 [rounds, calls].
    """
    user = {
        k: v
        for k, v in replay(dataset, np.array([len(dataset) - 1])).items()
        if k != "candidate_ads"
    }
    request = with_candidates(
        dataset, user, dataset.catalogue.ad_ids[None, :_SLATE]
    )
    spent: dict[str, list[list[float]]] = {name: [] for name in opened}
    end = time.perf_counter() + _SECONDS
    for number in range(1 + _ROUNDS):
        for name, signatures in opened.items():
            times = [_call(signatures, request) for _ in range(_CALLS)]
            # The first calls are those that a server's warm-up has made.
            if number:
                spent[name].append(times)
        if number > 1 and time.perf_counter() > end:
            break
    return {name: np.array(times) for name, times in spent.items()}


def slower(
    stable: np.ndarray, canary: np.ndarray, seed: int = 0
) -> dict[str, float]:
    """The 99th percentiles of two versions, and the interval of their ratio.

    A bootstrap draws rounds with replacement, the same of both versions, as
    calls of one round are alike (Efron and Tibshirani, 1993).

    Args:
      stable: milliseconds, [rounds, calls].
      canary: those of the other version, in the same rounds.
      seed: of the bootstrap.

    Returns:
      `stable` and `canary`, their percentiles in milliseconds, and `low` and
      `high`, the 95 % interval of canary / stable; nan of fewer than five
      rounds, which tell none.
    """
    random = np.random.default_rng(seed)
    drawn = random.integers(len(stable), size=(_SAMPLES, len(stable)))
    ratios = [_slow(canary[rows]) / _slow(stable[rows]) for rows in drawn]
    low, high = np.percentile(ratios, (2.5, 97.5))
    if len(stable) < LEAST_ROUNDS:
        low = high = np.nan
    return {
        "stable": _slow(stable),
        "canary": _slow(canary),
        "low": float(low),
        "high": float(high),
    }


def _call(signatures: Signatures, request: Mapping[str, Any]) -> float:
    begun = time.perf_counter()
    signatures["score_slate"](**request)
    return 1000 * (time.perf_counter() - begun)


def _slow(times: np.ndarray) -> float:
    return float(np.percentile(times, _PERCENTILE))
