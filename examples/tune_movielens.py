"""Twenty trials on MovieLens-100K, and what the best is worth on the test rows.

    tfadrec prepare movielens-100k --out data/ml
    python examples/tune_movielens.py data/ml sweeps/ml

Draws from the default space at random, trains the best three again with three
seeds, and compares the winner with the default settings, three seeds each, on
impressions that nothing was chosen by. It took 34 minutes of processor time on
one machine; killed and started again, it goes on.
"""

import argparse
import dataclasses
import time

from tfadrec import evaluation, training, tuning
from tfadrec.core.config import RunConfig
from tfadrec.tuning.finalists import SEEDS


def main() -> None:
    """Runs all of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dataset", help="a folder that `prepare` wrote")
    parser.add_argument("out", help="the folder of the search")
    arguments = parser.parse_args()
    begun = time.monotonic()
    search = tuning.tune(
        arguments.dataset, arguments.out, tuner="random", max_trials=20
    )
    print(search.leaderboard)
    print(search.final["verdict"])
    winner = search.final["finalists"][0]["trial"]
    defaults, tuned = [], []
    for seed in SEEDS:
        config = dataclasses.replace(RunConfig(), fit={"seed": seed})
        folder = search.folder / "defaults" / f"seed_{seed}"
        defaults.append(training.train(arguments.dataset, config, folder))
        folder = search.folder / "final" / f"trial_{winner}-seed_{seed}"
        tuned.append(training.load_run(folder / "run"))
    runs = {"defaults": defaults, "tuned": tuned}
    for name, trained in runs.items():
        scores = ", ".join(f"{run.best['val_auc']:.4f}" for run in trained)
        print(f"validation AUC, {name}: {scores}")
    print(
        evaluation.compare(
            {
                name: [
                    evaluation.evaluate(run.ranker, run.test, train=run.train)
                    for run in trained
                ]
                for name, trained in runs.items()
            }
        )
    )
    print(f"{(time.monotonic() - begun) / 60:.0f} minutes")


if __name__ == "__main__":
    main()
