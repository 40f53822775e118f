"""What the exact metrics of an evaluation cost, in memory and in time.

    python benchmarks/metrics.py                    # a million rows
    python benchmarks/metrics.py --rows 20000000

Made-up rows: a click in ten, eight rows a user and five a request. Each metric
tells the most that NumPy holds for it, beside the rows, in bytes for each of
them, and the processor time for a million of them.
"""

import argparse
import time
import tracemalloc

import numpy as np
from machine import describe

from tfadrec.metrics import probabilities, ranking, top

_SEED = 0
_RANKS = 10
_METRICS = {
    "auc": lambda y, z, u, r: ranking.auc(y, z),
    "gauc": lambda y, z, u, r: ranking.group_auc(y, z, u),
    "uauc": lambda y, z, u, r: ranking.uauc(y, z, u),
    "log_loss": lambda y, z, u, r: ranking.log_loss(y, z),
    "normalized_entropy": lambda y, z, u, r: ranking.normalized_entropy(y, z),
    "calibration": lambda y, z, u, r: ranking.calibration_ratio(y, z),
    "ndcg": lambda y, z, u, r: ranking.ndcg(y, z, r, _RANKS),
    "mrr": lambda y, z, u, r: ranking.mrr(y, z, r),
    "hit": lambda y, z, u, r: top.hit_rate(y, z, r, _RANKS),
    "recall": lambda y, z, u, r: top.recall(y, z, r, _RANKS),
    "pr_auc": lambda y, z, u, r: top.pr_auc(y, z),
    "brier": lambda y, z, u, r: probabilities.brier_score(y, z),
    "ece": lambda y, z, u, r: probabilities.calibration_error(y, z),
    "calibration_low": lambda y, z, u, r: probabilities.predicted_over_observed(
        y, z, groups=u
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    print(describe())
    print(f"{rows:,} rows\n\n| metric | bytes a row | s per million rows |")
    print("|---|---|---|")
    random = np.random.default_rng(_SEED)
    logits = random.normal(-2.5, 1, rows).astype(np.float32)
    labels = (random.random(rows) < 0.1).astype(np.float32)
    users = random.integers(1, max(2, rows // 8), rows, np.int32)
    requests = np.arange(rows) // 5
    peaks, seconds = [], []
    for name, metric in _METRICS.items():
        begun = time.process_time()
        metric(labels, logits, users, requests)
        seconds.append((time.process_time() - begun) / rows * 1e6)
        tracemalloc.start()
        metric(labels, logits, users, requests)
        peaks.append(tracemalloc.get_traced_memory()[1] / rows)
        tracemalloc.stop()
        print(f"| {name} | {peaks[-1]:.1f} | {seconds[-1]:.3f} |", flush=True)
    print(f"| all | {max(peaks):.1f} | {sum(seconds):.2f} |")


if __name__ == "__main__":
    main()
