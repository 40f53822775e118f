"""What opinions folded in bring, on validation rows.

    python benchmarks/opinions.py [DATA [SEEDS]]

One training per seed at the defaults, of MovieLens-100K unless a folder
that was prepared is named. Its ranker is measured with the mix that the
validation rows gave it, and with none.
"""

import sys
import tempfile
import time

import numpy as np
from machine import describe

from tfadrec import data, evaluation, training
from tfadrec.core.config import RunConfig

_METRICS = ("auc", "gauc", "uauc", "log_loss")


def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    seeds = range(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    log = data.open_dataset(folder) if folder else data.load("movielens-100k")
    log = training.with_text(log, RunConfig().text)
    train, valid, _ = data.split_by_time(log)
    print(describe())
    print("validation rows: " + " / ".join(_METRICS))
    for seed in seeds:
        begun = time.process_time()
        ranker = training.build_ranker(RunConfig(), train, seed)
        with tempfile.TemporaryDirectory() as out:
            training.fit(ranker, train, valid, out, seed=seed, progress=False)
        seconds = time.process_time() - begun
        mix = ranker.fold_in.mix.numpy()
        print(f"seed {seed}, mix {np.round(mix, 3)}, {seconds:.0f} s")
        for name, given in (
            ("mixed", mix),
            ("ranker", np.eye(2, len(mix)).sum(0)),
        ):
            ranker.fold_in.mix.assign(given)
            found = evaluation.evaluate(ranker, valid, train=train).to_dict()
            metrics = found["metrics"]["clicked"]
            figures = " / ".join(f"{metrics[m]:.4f}" for m in _METRICS)
            print(f"  {name}: {figures}", flush=True)


if __name__ == "__main__":
    main()
