"""Which of two texts of an A/B test was clicked more, told by the ranker.

    tfadrec prepare table --config examples/upworthy.yaml --out data/upworthy
    python benchmarks/text_tests.py data/upworthy [test]

Pairs of ads of one test whose click rates differ: all of them, and those that a
test of two proportions tells apart at 5 % on both sides. Each way is trained by
three seeds; its best epoch by AUC is measured, on the validation rows, or with
`test` on the test rows.
"""

import itertools
import statistics
import sys
import tempfile

import numpy as np
from machine import describe

import tfadrec  # noqa: F401  (chooses the Keras flavour)
from tfadrec import training
from tfadrec.core.config import RunConfig

_SEEDS = (0, 1, 2)
_WAYS: dict[str, dict] = {
    "defaults": {},
    "clicks and the order within tests": {
        "fit": {"by": "request"},
        "ranker": {"losses": {"clicked": {"binary": 1, "softmax": 1}}},
    },
    "joint, by request": {
        "fit": {"by": "request", "batch_size": 64},
        "ranker": {"losses": {"clicked": "jrc"}},
    },
    "without matching of texts": {"text_matching": None},
}
#: Of a normal distribution: 5 % on both sides.
_APART = 1.96


def main() -> None:
    folder, *rest = sys.argv[1:]
    part = "test" if rest else "valid"
    print(describe())
    print(f"Pairs in their right order, significant / all; {part} rows.")
    for name, settings in _WAYS.items():
        found = [_pairs(folder, settings, seed, part) for seed in _SEEDS]
        significant, every = (
            f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"
            for values in zip(*(shares for shares, _ in found), strict=True)
        )
        print(f"{name}: {significant} / {every}; pairs {found[0][1]}")


def _pairs(folder, settings, seed, part):
    """Shares in their right order of significant and of all, and how many."""
    fit = {**settings.get("fit", {}), "seed": seed}
    config = RunConfig(**{**settings, "fit": fit})
    with tempfile.TemporaryDirectory() as out:
        run = training.train(folder, config, f"{out}/run", progress=False)
    rows = getattr(run, part)
    scores = run.ranker.predict(rows.batches(4096))["clicked"]
    right, count = np.zeros(2), np.zeros(2, int)
    for one, other in _compared(rows.impressions, scores):
        gap = one["rate"] - other["rate"]
        if not gap:
            continue
        agrees = (one["score"] - other["score"]) * gap > 0
        kinds = [_is_significant(one, other), True]
        right += np.multiply(agrees, kinds)
        count += kinds
    return (right / np.maximum(count, 1)).tolist(), count.tolist()


def _compared(rows, scores):
    """The pairs of ads of every test: impressions, rate and score of each."""
    keys = np.stack([rows.requests, rows.ads], axis=1)
    ads, places = np.unique(keys, axis=0, return_inverse=True)
    places = places.reshape(-1)
    shown = np.bincount(places, rows.weights)
    clicked = np.bincount(places, rows.weights * rows.labels["clicked"])
    score = np.zeros(len(ads))
    score[places] = scores
    found = [
        {"shown": n, "rate": k / n, "score": s}
        for n, k, s in zip(shown, clicked, score, strict=True)
    ]
    for _, members in itertools.groupby(range(len(ads)), lambda i: ads[i, 0]):
        for i, j in itertools.combinations(members, 2):
            yield found[i], found[j]


def _is_significant(one, other):
    shown = one["shown"] + other["shown"]
    rate = (one["rate"] * one["shown"] + other["rate"] * other["shown"]) / shown
    deviation = rate * (1 - rate) * (1 / one["shown"] + 1 / other["shown"])
    return abs(one["rate"] - other["rate"]) > _APART * deviation**0.5


if __name__ == "__main__":
    main()
