"""What reading user and ad in one text brings: alone, mixed in, as a teacher.

    tfadrec prepare table --config examples/amazon_industrial.yaml --out data/a
    tfadrec train --data data/a --config cross.yaml --out runs/cross
    tfadrec train --data data/a --config seed-0.yaml --out runs/a0
    tfadrec train --data data/a --config taught-0.yaml --out runs/t0
    python benchmarks/cross_encoder.py runs/cross runs/a0 [RUN ...] [test]

`cross.yaml` is `model: cross_encoder`, `seed-0.yaml` is `fit: {seed: 0}`, and
`taught-0.yaml` has `distil: runs/cross` beside it. Of each run of a ranker: its
AUC and GAUC alone; with the cross-encoder's logit mixed in by the share that is
best for the AUC of the validation rows. With `test`, the test rows too. A
request of this log has ten ads, fewer than the best ones that would be ordered
anew: so mixing all of them is the same.
"""

import sys
import time

import numpy as np
from machine import describe

import tfadrec  # noqa: F401  (chooses the Keras flavour)
from tfadrec import training
from tfadrec.core.door import tf
from tfadrec.metrics import ranking

_SHARES = np.arange(0, 1.01, 0.05)
_BATCH, _TIMED, _BEST = 4096, 50, 20


def main() -> None:
    names = [name for name in sys.argv[1:] if name != "test"]
    parts = ["valid", "test"][: 1 + ("test" in sys.argv)]
    print(describe())
    reads = training.load_cross_encoder(names[0])
    print(f"a slate of {_BEST} ads: {_latency(reads):.1f} ms of a processor")
    read = {part: reads.logits(getattr(reads, part)) for part in parts}
    for part in parts:
        rows = getattr(reads, part).impressions
        print(f"{part}: cross-encoder {_row(rows, read[part])}")
    for name in names[1:]:
        run = training.load_run(name)
        rows = {part: getattr(run, part) for part in parts}
        own = {
            part: run.ranker.predict(some.batches(_BATCH))["clicked"]
            for part, some in rows.items()
        }
        shown = rows["valid"].impressions
        share = max(
            _SHARES,
            key=lambda s: _auc(shown, _mixed(own["valid"], read["valid"], s)),
        )
        for part in parts:
            shown = rows[part].impressions
            mixed = _mixed(own[part], read[part], share)
            cold = _cold(run.train.impressions, shown)
            print(
                f"{part}: {name} {_row(shown, own[part])}, "
                f"mixed {share:.2f}: {_row(shown, mixed)}; "
                f"ads without rows: {_row(shown, own[part], cold)}, "
                f"mixed: {_row(shown, mixed, cold)}"
            )


def _mixed(own, read, share):
    return (1 - share) * own + share * read


def _auc(rows, logits):
    return ranking.auc(rows.labels["clicked"], logits, rows.weights)


def _row(rows, logits, some=slice(None)):
    rows = rows.take(np.arange(len(rows.ads))[some])
    logits = logits[some]
    gauc = ranking.group_auc(
        rows.labels["clicked"], logits, rows.users, rows.weights
    )
    return f"{_auc(rows, logits):.4f} / {gauc:.4f}"


def _cold(train, rows):
    """Rows of ads that the training rows do not show."""
    return ~np.isin(rows.ads, train.ads)


def _latency(reads):
    """Milliseconds of processor time for a request."""
    inputs, *_ = next(iter(reads.valid.batches(1, by="request")))
    ads = np.arange(1, 1 + _BEST, dtype=np.int32)[None]
    inputs = {**inputs, "candidate_ads": tf.constant(ads)}
    score = tf.function(reads.reader)
    score(inputs)
    start = time.process_time()
    for _ in range(_TIMED):
        score(inputs)
    return 1000 * (time.process_time() - start) / _TIMED


if __name__ == "__main__":
    main()
