"""What matching in the language model's space brings, setting by setting.

    tfadrec prepare table --config examples/amazon_industrial.yaml --out data/a
    python benchmarks/text_matching.py data/a

Each way is trained at the defaults but for what its line names, by three seeds;
the epoch with the best AUC on the validation rows is measured. The default is
also measured on the test rows, beside the cosine of the text vectors.
"""

import statistics
import sys
import tempfile

from machine import describe

import tfadrec  # noqa: F401  (chooses the Keras flavour)
from tfadrec import evaluation, training
from tfadrec.core.config import RunConfig

_SEEDS = (0, 1, 2)
_WAYS: dict[str, dict] = {
    "defaults": {},
    "the cosines alone, nothing corrected": {"ad_tower": {"text_rank": 0}},
    "starts at zero": {"text_matching": {"weights_at_start": [0.0] * 4}},
    "without": {"text_matching": None},
}
_METRICS = ("auc", "gauc")


def main() -> None:
    folder = sys.argv[1]
    print(describe())
    print("AUC and GAUC, mean ± standard deviation; validation rows.")
    runs = {}
    for name, settings in _WAYS.items():
        runs[name] = [_train(folder, settings, seed) for seed in _SEEDS]
        print(f"{name}: {_row(runs[name], 'valid')}")
    print("Test rows.")
    print(f"defaults: {_row(runs['defaults'], 'test')}")
    run = runs["defaults"][0]
    vectors = run.ranker.ad_tower.vectors("text")
    catalogue = run.dataset.catalogue.with_vectors("text", vectors)
    train, test = (
        rows.with_catalogue(catalogue) for rows in (run.train, run.test)
    )
    tasks = {"clicked": True}
    found = evaluation.evaluate_baselines(train, test, tasks)
    for name, baseline in found.items():
        metrics = baseline.to_dict()["metrics"]["clicked"]
        figures = " / ".join(f"{metrics[m]:.4f}" for m in _METRICS)
        print(f"{name}: {figures}")


def _train(folder, settings, seed):
    config = RunConfig(**{**settings, "fit": {"seed": seed}})
    with tempfile.TemporaryDirectory() as out:
        return training.train(folder, config, f"{out}/run", progress=False)


def _row(runs, part):
    """The figures of several runs on their rows of one part."""
    found = [
        evaluation.evaluate(
            run.ranker, getattr(run, part), train=run.train
        ).to_dict()["metrics"]["clicked"]
        for run in runs
    ]
    return " / ".join(
        f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"
        for values in ([f[m] for f in found] for m in _METRICS)
    )


if __name__ == "__main__":
    main()
