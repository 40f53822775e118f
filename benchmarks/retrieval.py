"""What finds the ads that users click: a retriever, and what others have.

    pip install implicit==0.7.3
    python benchmarks/retrieval.py DATA [TEXT] [SEEDS]

DATA is a prepared dataset with times, and TEXT the language model that reads
the ad copy, `minilm` by default. On the test rows each click is to be found
among all ads that are not in the user's history; once more for the clicks on
ads that have no training rows; and the same on validation rows, which settings
are chosen by. `AdRetriever` is as `tfadrec train` makes it with `model:
retriever` and no other settings, and the rows of `_SETTINGS` with those of the
section `retriever`. Beside it:

- `two_tower`: the retrieval tutorial of tensorflow-recommenders: embeddings
  of 32 numbers for users and ads, in-batch softmax by `tfrs.tasks.Retrieval`,
  Adagrad at 0.1, batches of 8192; the best of 30 epochs on the validation rows;
- `als`: implicit's `AlternatingLeastSquares` of 64 factors in 15 passes, the
  best of three penalties and two weights of a click on the validation rows; a
  user is the least squares of the history;
- `item_to_item` and `popularity` of `evaluation.evaluate_retrieval`.
"""

import itertools
import os
import sys
import tempfile

import numpy as np
import scipy.sparse
import threadpoolctl
from machine import describe

_FACTORS, _PASSES = 64, 15
_ALPHAS, _PENALTIES = (1.0, 40.0), (0.1, 1.0, 10.0)
_EPOCHS = 30
_BLOCK, _CHOSEN_BY = 256, 2000
_SEEDS = 3
_FIGURES = (("recall", 50), ("ndcg", 10))
_SETTINGS = {
    "AdRetriever": {},
    "1 interest": {"interests": 1},
    "4 interests": {"interests": 4},
    "1, hard": {"interests": 1, "hard_negatives": 4},
    "2, hard": {"interests": 2, "hard_negatives": 4},
}


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    folder = sys.argv[1]
    text = sys.argv[2] if len(sys.argv) > 2 else "minilm"
    seeds = int(sys.argv[3]) if len(sys.argv) > 3 else _SEEDS
    print(describe(), flush=True)
    # [part, contender] -> one list of figures per seed
    told: dict[tuple[str, str], list[list[float]]] = {}
    sizes = {}
    for seed in range(seeds):
        runs = {
            name: _run(folder, text, seed, settings)
            for name, settings in _SETTINGS.items()
        }
        run = runs["AdRetriever"]
        train, valid, test = map(_clicks, (run.train, run.valid, run.test))
        parts = {}
        for part, rows in {"test": test, "validation": valid}.items():
            is_new = ~np.isin(rows.impressions.ads, train.impressions.ads)
            parts[part] = rows
            parts[f"{part}, no training rows"] = _rows(rows, is_new)
        sizes = {part: len(rows) for part, rows in parts.items()}
        retrievers = {name: each.retriever for name, each in runs.items()}
        for name, scores in _contenders(
            retrievers, train, _evenly(valid), seed
        ):
            for part, rows in parts.items():
                if not len(rows):
                    continue
                found = _measured(scores, rows)
                told.setdefault((part, name), []).append(found)
                print(seed, part, name, np.round(found, 4), flush=True)
    for (part, name), runs in told.items():
        mean = np.mean(runs, axis=0)
        spread = np.std(runs, axis=0, ddof=1) if seeds > 1 else 0 * mean
        shown = "  ".join(
            f"{metric}@{k} {m:.4f} ± {s:.4f}"
            for (metric, k), m, s in zip(_FIGURES, mean, spread, strict=True)
        )
        print(f"{sizes[part]:6} clicks, {part:28} {name:14} {shown}")


def _run(folder, text, seed, own):
    """A retriever's run with its own settings, and the rows."""
    import yaml

    from tfadrec import training
    from tfadrec.core.config import RunConfig

    settings = {
        "model": "retriever",
        "text": {"model": text},
        "retriever": own,
        "fit": {"seed": seed},
    }
    config = RunConfig.from_yaml(yaml.safe_dump(settings))
    with tempfile.TemporaryDirectory() as scratch:
        found = training.train_retriever(
            folder, config, f"{scratch}/run", progress=False
        )
    print(seed, own, found.history, flush=True)
    return found


def _clicks(rows):
    """Those on ads of the catalogue."""
    impressions = rows.impressions
    return _rows(
        rows, (impressions.labels["clicked"] > 0) & (impressions.ads > 0)
    )


def _rows(rows, is_one):
    return rows.select(np.flatnonzero(is_one))


def _evenly(rows):
    """At most 2,000 of the rows, as `tfadrec train` chooses by."""
    count = min(len(rows), _CHOSEN_BY)
    return rows.select(np.linspace(0, len(rows) - 1, count).astype(np.int64))


def _contenders(retrievers, train, valid, seed):
    """Names, and from inputs of a batch to scores of all ads, [B, N + 1]."""
    from tfadrec.core.door import keras
    from tfadrec.evaluation import retrieval
    from tfadrec.models.catalogue_scores import catalogue_scores

    keras.utils.set_random_seed(seed)
    yield "popularity", retrieval._of_popularity(train)
    yield "item_to_item", retrieval._of_item_to_item(train)
    yield "als", _als(retrieval._clicks(train), valid, seed)
    yield "two_tower", _two_tower(train, valid, seed)
    for name, retriever in retrievers.items():
        yield name, catalogue_scores(retriever)


def _best(tried, valid):
    """The scores of the highest NDCG@10 on the validation rows."""
    return max(tried, key=lambda scores: _measured(scores, valid)[1])


def _measured(scores_of, rows) -> list[float]:
    """One number for each of `_FIGURES`."""
    from tfadrec.metrics import retrieval

    found = []
    for inputs, *_ in rows.batches(_BLOCK):
        plain = {name: values.numpy() for name, values in inputs.items()}
        scores = _without_history(np.asarray(scores_of(plain)), plain)[:, 1:]
        found.append(retrieval.places(scores, plain["candidate_ads"] - 1))
    higher, equal = map(np.concatenate, zip(*found, strict=True))
    return [
        float(getattr(retrieval, name)(higher, equal, k))
        for name, k in _FIGURES
    ]


def _without_history(scores, inputs):
    """Last what a user knows, but for what is to be found."""
    rows = np.arange(len(scores))
    wanted = scores[rows, inputs["candidate_ads"]]
    scores = np.array(scores, np.float32)
    scores[rows[:, None], inputs["history_ads"]] = scores.min() - 1
    scores[rows, inputs["candidate_ads"]] = wanted
    return scores


def _two_tower(train, valid, seed):
    import tensorflow_recommenders as tfrs

    from tfadrec.core.door import keras, tf

    users, ads = (
        keras.layers.Embedding(size + 1, 32)
        for size in (len(train.user_ids), len(train.catalogue))
    )

    class TwoTower(tfrs.Model):
        def __init__(self):
            super().__init__()
            self.users, self.ads = users, ads
            self.task = tfrs.tasks.Retrieval()

        def compute_loss(self, pair, training=False):
            return self.task(self.users(pair["user"]), self.ads(pair["ad"]))

    model = TwoTower()
    model.compile(keras.optimizers.legacy.Adagrad(0.1))
    impressions = train.impressions
    pairs = tf.data.Dataset.from_tensor_slices(
        {"user": impressions.users, "ad": impressions.ads}
    )
    pairs = pairs.shuffle(100_000, seed).batch(8192)

    def trained():
        for _ in range(_EPOCHS):
            model.fit(pairs, verbose=0)
            yield _inner(users.embeddings.numpy(), ads.embeddings.numpy())

    return _best(trained(), valid)


def _inner(table, matrix):
    return lambda inputs: table[inputs["user_id"]] @ matrix.T


def _als(clicks, valid, seed):
    tried = itertools.product(_ALPHAS, _PENALTIES)
    return _best((_factors(clicks, *each, seed) for each in tried), valid)


def _factors(clicks, alpha, penalty, seed):
    """Users' and ads' factors in turn; a user of a request by its history."""
    from implicit.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(
        _FACTORS,
        regularization=penalty,
        alpha=alpha,
        iterations=_PASSES,
        random_state=seed,
        use_gpu=False,
    )
    with threadpoolctl.threadpool_limits(1, "blas"):
        model.fit(clicks.astype(np.float32).tocsr(), show_progress=False)
    model.item_factors[0] = 0  # the unknown ad, which padding is, too

    def scores(inputs):
        history = inputs["history_ads"]
        is_real = (
            np.arange(history.shape[1]) < inputs["history_length"][:, None]
        )
        rows, places = np.nonzero(is_real & (history > 0))
        own = scipy.sparse.csr_matrix(
            (np.ones(len(rows), np.float32), (rows, history[rows, places])),
            (len(history), len(model.item_factors)),
        )
        users = model.recalculate_user(np.arange(len(history)), own)
        return users @ model.item_factors.T

    return scores


if __name__ == "__main__":
    main()
