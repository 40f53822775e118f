"""Parts of logits beside exact Shapley values, which shap computes.

    pip install shap
    python benchmarks/shapley.py runs/a --rows 20

The game: a feature is as it was read, or as where nothing is known; what is won
is the logit. Integrated gradients are its Aumann-Shapley values: both add up to
the same, and are the same where features do not work together.
"""

import argparse
import itertools

import numpy as np
import shap

from tfadrec import training
from tfadrec.core.door import tf
from tfadrec.explanation import Question, explain
from tfadrec.explanation.recorder import Recorder
from tfadrec.explanation.replacer import Replacer
from tfadrec.explanation.tensors import labels_of

#: Features whose parts are smaller than this share of the largest one stay as
#: they were read.
_LEAST = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--rows", type=int, default=20)
    asked_for = parser.parse_args()
    run = training.load_run(asked_for.run)
    random = np.random.default_rng(0)
    places = random.choice(len(run.valid), asked_for.rows, replace=False)
    rows = run.valid.select(np.sort(places))
    inputs, *_ = next(iter(rows.batches(len(rows))))
    asked = Question.of_inputs(run.ranker, inputs)
    schema = run.dataset.schema
    found = explain(run.ranker, asked, schema, goal=1e-3)
    sizes = {name: np.abs(part).max() for name, part in found.fields.items()}
    names = [n for n, s in sizes.items() if s > _LEAST * max(sizes.values())]
    parts = np.stack([found.fields[name] for name in names], axis=1)
    won = coalitions(run.ranker, schema, asked, names)
    values = np.stack([shapley(of_row, len(names)) for of_row in won])
    tell(names, parts, values, won)


def coalitions(ranker, schema, asked, names) -> np.ndarray:
    """The logit of each set of features that are known, [B, 2^n]."""
    read, unknown = Recorder(), Recorder()
    asked.score(ranker, read)
    asked.unknown(ranker).score(ranker, unknown)
    sets = np.array(list(itertools.product([0, 1], repeat=len(names))))
    known = {name: sets[:, place] for place, name in enumerate(names)}
    everyone = np.ones(len(sets))
    won = []
    for row in range(len(asked)):
        values = {}
        for key, last in read.values.items():
            shares = np.stack(
                [known.get(n, everyone) for n in labels_of(key, ranker, schema)]
            ).T
            inner = [1] * (last.shape.rank - 2)
            share = tf.constant(
                shares.reshape(len(sets), *inner, -1), tf.float32
            )
            end, begin = (
                tf.cast(v[row : row + 1], tf.float32)
                for v in (last, unknown.values[key])
            )
            # Names are of places of the last axis, or of all of it.
            if end.shape.rank == 1:
                share = share[:, 0]
            values[key] = begin + share * (end - begin)
        many = asked.take(np.array([row])).repeat(len(sets))
        logits = many.score(ranker, Replacer(values))[ranker.tasks[0]]
        won.append(logits.numpy().astype(np.float64))
    return np.stack(won)


def shapley(won: np.ndarray, count: int) -> np.ndarray:
    """The values of a game whose coalitions are told in binary, [n]."""
    bits = 2 ** np.arange(count)[::-1]

    def game(sets):
        return won[(np.asarray(sets) > 0.5).astype(int) @ bits]

    explainer = shap.explainers.Exact(game, np.zeros([1, count]))
    return explainer(np.ones([1, count])).values[0]


def tell(names, parts, values, won) -> None:
    """Prints how near parts and values are."""
    change = won[:, -1] - won[:, 0]
    print(f"shap {shap.__version__}; {len(parts)} rows, {len(names)} features")
    for name, part, value in zip(names, parts.T, values.T, strict=True):
        print(
            f"  {name:24} mean size {np.abs(part).mean():.4f}, "
            f"Shapley {np.abs(value).mean():.4f}, "
            f"apart {np.abs(part - value).mean():.4f}"
        )
    apart = np.abs(parts - values).sum(axis=1) / np.abs(values).sum(axis=1)
    alike = [
        np.corrcoef(part, value)[0, 1]
        for part, value in zip(parts, values, strict=True)
    ]
    first = np.abs(parts).argmax(axis=1) == np.abs(values).argmax(axis=1)
    print(
        f"correlation within a row: mean {np.mean(alike):.4f}, lowest "
        f"{np.min(alike):.4f}; apart by {np.median(apart):.1%} of the values' "
        f"size (median); the largest is the same in {first.mean():.0%}; "
        f"sums off by {np.abs(parts.sum(axis=1) - change).max():.1e} and "
        f"{np.abs(values.sum(axis=1) - change).max():.1e} at most"
    )


if __name__ == "__main__":
    main()
