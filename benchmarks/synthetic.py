"""How close the ranker comes to the true click probabilities.

    python benchmarks/synthetic.py

The synthetic world's AUC has a ceiling: that of the probabilities that the
clicks were drawn from.
"""

import pathlib
import tempfile
import time

import pyarrow.parquet as pq
from machine import describe, spread

import tfadrec  # noqa: F401  (chooses the Keras flavour before TensorFlow)
from tfadrec import data, evaluation, training
from tfadrec.core.config import RunConfig
from tfadrec.data import sources
from tfadrec.metrics import ranking

_SEEDS = (0, 1, 2)
_CONFIG = pathlib.Path(__file__).parents[1] / "examples" / "synthetic.yaml"


def main() -> None:
    print(describe())
    gaps = [_gap(seed) for seed in _SEEDS]
    print(f"AUC of the truth - AUC of the ranker: {spread(gaps)}")


def _gap(seed: int) -> float:
    config = RunConfig.from_yaml(_CONFIG.read_text())
    with tempfile.TemporaryDirectory() as folder:
        sources.prepare_synthetic(folder, seed)
        table = pq.read_table(pathlib.Path(folder, "impressions.parquet"))
        truth = table["true_click_probability"].to_numpy()
        dataset = training.with_text(
            data.open_dataset(folder), RunConfig().text
        )
    train, valid, test = data.split_by_time(dataset)
    # Impressions are sorted by time, so the test rows are the last ones.
    held_out = truth[-len(test) :]
    begun = time.perf_counter()
    ranker = training.build_ranker(config, dataset, seed)
    with tempfile.TemporaryDirectory() as folder:
        training.fit(
            ranker, train, valid, folder, **{**config.fit, "seed": seed}
        )
    found = evaluation.evaluate(ranker, test).metrics["clicked"]["auc"]
    ceiling = ranking.auc(test.impressions.labels["clicked"], held_out)
    print(
        f"seed {seed}: truth {ceiling:.4f}, ranker {found:.4f}, "
        f"{time.perf_counter() - begun:.0f} s"
    )
    return ceiling - found


if __name__ == "__main__":
    main()
