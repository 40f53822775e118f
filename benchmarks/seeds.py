"""Whether the default ranker is ahead of the best baseline, seed by seed.

    python benchmarks/seeds.py data/LOG [SEEDS]

Validation rows; ten seeds unless fewer are asked for. What `train` says at its
end stands behind each seed.
"""

import sys
import tempfile
import time

from machine import describe

import tfadrec  # noqa: F401  (chooses the Keras flavour)
from tfadrec import data, evaluation, training
from tfadrec.core.config import RunConfig

_METRICS = ("auc", "gauc", "uauc", "log_loss")


def main() -> None:
    folder, *rest = sys.argv[1:]
    config = RunConfig()
    log = training.with_text(data.open_dataset(folder), config.text)
    train, valid, _ = data.split_by_time(log)
    baselines = evaluation.evaluate_baselines(train, valid)
    print(describe())
    print(f"{len(train):,} rows to train, {len(valid):,} to validate")
    print("validation rows: " + " / ".join(_METRICS))
    for name, found in baselines.items():
        print(f"{name}: {_row(found)}")
    for seed in range(int(*rest or [10])):
        begun = time.process_time()
        ranker = training.build_ranker(config, train, seed)
        with tempfile.TemporaryDirectory() as out:
            training.fit(ranker, train, valid, out, seed=seed, progress=False)
        found = evaluation.evaluate(ranker, valid, train=train)
        seconds = time.process_time() - begun
        said = evaluation.verdicts("the ranker", found, baselines, valid)
        line = " ".join(said) or "ahead"
        print(f"{seed}: {_row(found)}; {seconds:.0f} s; {line}", flush=True)


def _row(found):
    metrics = found.to_dict()["metrics"]["clicked"]
    return " / ".join(f"{metrics[name]:.4f}" for name in _METRICS)


if __name__ == "__main__":
    main()
