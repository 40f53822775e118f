"""What finds the ads that users click: a retriever, and what others have.

    python benchmarks/retrieval.py DATA [SEEDS] [EPOCHS] [VECTORS]

DATA is a prepared dataset with times, and VECTORS what `tfadrec encode-ads`
made of its ads. On its test rows each click is to be found among all ads that
are not in the user's history; once more for the clicks on ads that have no
training rows. Beside `models.AdRetriever` at its defaults
and with batches as `train` makes them:

- `two_tower`: the retrieval tutorial of tensorflow-recommenders: embeddings
  of 32 numbers for users and ads, in-batch softmax by `tfrs.tasks.Retrieval`,
  Adagrad at 0.1, batches of 8192;
- `als`: Hu, Koren and Volinsky (2008) with exact solutions: 64 factors, a
  confidence of 1 + 40 clicks, the best of three penalties on the validation
  rows, 15 passes; a user is the least squares of the history;
- `item_to_item` and `popularity` of `evaluation.evaluate_retrieval`.
"""

import os
import sys

import numpy as np
import scipy.sparse
from machine import describe

_KS, _FACTORS, _PASSES, _ALPHA = (10, 50), 64, 15, 40.0
_PENALTIES = (0.1, 1.0, 10.0)
_BLOCK = 256


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    folder = sys.argv[1]
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    epochs = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    print(describe(), flush=True)
    from tfadrec import data

    dataset = data.open_dataset(folder)
    if len(sys.argv) > 4:
        vectors = np.load(f"{sys.argv[4]}/vectors.npy")
        catalogue = dataset.catalogue.with_vectors("text", vectors)
        dataset = dataset.with_catalogue(catalogue)
    train, valid, test = data.split_by_time(dataset)
    train, valid, test = (_clicks(part) for part in (train, valid, test))
    is_new = ~np.isin(test.impressions.ads, train.impressions.ads)
    parts = {"all": test, "without training rows": test.select(is_new)}
    parts = {
        name: part.select(np.flatnonzero(part.impressions.ads > 0))
        for name, part in parts.items()
        if len(part)
    }
    told: dict[tuple[str, str], list[dict[str, float]]] = {}
    for seed in range(seeds):
        for name, scores in _contenders(train, valid, seed, epochs):
            for part, rows in parts.items():
                figures = _measured(scores, rows)
                told.setdefault((part, name), []).append(figures)
                print(seed, part, len(rows), name, figures, flush=True)
    for (part, name), runs in told.items():
        means = {
            metric: f"{np.mean([run[metric] for run in runs]):.4f} ± "
            f"{np.std([run[metric] for run in runs], ddof=seeds > 1):.4f}"
            for metric in runs[0]
        }
        print(part, name, means)


def _clicks(rows):
    is_click = rows.impressions.labels["clicked"] > 0
    return rows.select(np.flatnonzero(is_click))


def _contenders(train, valid, seed, epochs):
    """Names, and from inputs of a batch to scores of all ads, [B, N + 1]."""
    from tfadrec.core.door import keras
    from tfadrec.evaluation import retrieval
    from tfadrec.models.catalogue_scores import catalogue_scores

    keras.utils.set_random_seed(seed)
    clicks = retrieval._clicks(train)
    tuned = [(_als(clicks, penalty, seed), penalty) for penalty in _PENALTIES]
    als = max(tuned, key=lambda each: _measured(each[0], valid)["ndcg@10"])
    print(f"als: a penalty of {als[1]}", flush=True)
    yield "popularity", retrieval._of_popularity(train)
    yield "item_to_item", retrieval._of_item_to_item(train)
    yield "als", als[0]
    yield "two_tower", _two_tower(train, seed, epochs)
    found = _retriever(train, valid, seed, epochs)
    yield "AdRetriever", catalogue_scores(found)


def _measured(scores_of, rows) -> dict[str, float]:
    from tfadrec.metrics import retrieval

    found = []
    for inputs, *_ in rows.batches(_BLOCK):
        plain = {name: values.numpy() for name, values in inputs.items()}
        scores = _without_history(np.asarray(scores_of(plain)), plain)[:, 1:]
        found.append(retrieval.places(scores, plain["candidate_ads"] - 1))
    higher, equal = map(np.concatenate, zip(*found, strict=True))
    return {
        f"{name}@{k}": round(
            float(getattr(retrieval, name)(higher, equal, k)), 4
        )
        for name, k in (("recall", 50), ("ndcg", 10))
    }


def _without_history(scores, inputs):
    """Last what a user knows, but for what is to be found."""
    rows = np.arange(len(scores))
    wanted = scores[rows, inputs["candidate_ads"]]
    scores = np.array(scores, np.float32)
    scores[rows[:, None], inputs["history_ads"]] = scores.min() - 1
    scores[rows, inputs["candidate_ads"]] = wanted
    return scores


def _retriever(train, valid, seed, epochs):
    """The epoch of the highest recall on the validation rows."""
    from tfadrec import models, optimizers
    from tfadrec.models.catalogue_scores import catalogue_scores
    from tfadrec.training.by_size import batch_size_for

    size = batch_size_for(len(train))
    retriever = models.AdRetriever.for_dataset(train)
    retriever.compile(optimizers.LazyAdam(0.002))
    best = (-1.0, retriever.get_weights())
    for epoch in range(epochs):
        retriever.fit(
            train.batches(size, seed=100 * seed + epoch),
            steps_per_epoch=len(train) // size,
            verbose=0,
        )
        recall = _measured(catalogue_scores(retriever), valid)["recall@50"]
        best = max(best, (recall, retriever.get_weights()), key=lambda b: b[0])
    retriever.set_weights(best[1])
    return retriever


def _two_tower(train, seed, epochs):
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
    model.fit(pairs, epochs=epochs, verbose=0)
    matrix = ads.embeddings.numpy().T
    table = users.embeddings.numpy()
    return lambda inputs: table[inputs["user_id"]] @ matrix


def _als(clicks, penalty, seed):
    """Users' and ads' factors in turn, each the exact least squares."""
    random = np.random.default_rng(seed)
    users, ads = (
        0.01 * random.standard_normal((size, _FACTORS)) for size in clicks.shape
    )
    sides = (clicks.tocsr(), clicks.T.tocsr())
    for _ in range(_PASSES):
        _solve(sides[0], ads, users, penalty)
        _solve(sides[1], users, ads, penalty)
    ads[0] = 0  # the unknown ad, which padding is, too

    def scores(inputs):
        history = inputs["history_ads"]
        is_real = (
            np.arange(history.shape[1]) < inputs["history_length"][:, None]
        )
        rows, places = np.nonzero(is_real & (history > 0))
        own = scipy.sparse.csr_matrix(
            (np.ones(len(rows)), (rows, history[rows, places])),
            (len(history), len(ads)),
        )
        found = np.zeros((len(history), _FACTORS))
        _solve(own, ads, found, penalty)
        return found @ ads.T

    return scores


def _solve(counts, fixed, free, penalty) -> None:
    gram = fixed.T @ fixed + penalty * np.eye(_FACTORS)
    for row in range(len(free)):
        part = slice(counts.indptr[row], counts.indptr[row + 1])
        own = fixed[counts.indices[part]]
        extra = _ALPHA * counts.data[part]
        left = gram + (own * extra[:, None]).T @ own
        free[row] = np.linalg.solve(left, own.T @ (1 + extra))


if __name__ == "__main__":
    main()
