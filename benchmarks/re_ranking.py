"""What it brings, and costs, to read the best ads of an answer once more.

    tfadrec prepare table --config examples/amazon_industrial.yaml --out data/a
    tfadrec train --data data/a --config cross.yaml --out runs/cross
    tfadrec train --data data/a --config seed-0.yaml --out runs/a0
    tfadrec export runs/a0 --out saved_models/plain
    tfadrec export runs/a0 --rerank runs/cross --out saved_models/read
    python benchmarks/re_ranking.py runs/cross runs/a0 saved_models/plain \
        saved_models/read

`cross.yaml` and `seed-0.yaml` are those of `benchmarks/cross_encoder.py`. Of
the validation rows, which the mixture was fitted to: AUC, GAUC and NDCG@10 by
request of the ranker, of some best ads of each request read, and of all; the
scores are those of a bundle. Then for the requests with a click the same
NDCG@10 where the request's ads stand among others of the catalogue, drawn
by chance, of which nobody has said that they are worse. Last what a request of
500 ads costs in processor time, with a history of 50 events. Without bundles
the last is left out.
"""

import sys
import time

import numpy as np
from machine import describe

import tfadrec  # noqa: F401  (chooses the Keras flavour)
from tfadrec import serving, training
from tfadrec.core.door import tf
from tfadrec.metrics import ranking

_SIZE, _TIMED = 500, 30
_READ_OF_TEN, _READ_OF_MANY = (0, 1, 3, 5, 10), (0, 10, 20, 50)
_EVENTS, _BATCH = 50, 4096


def main() -> None:
    cross, ranker, *bundles = sys.argv[1:]
    print(describe())
    run, reads = training.load_run(ranker), training.load_cross_encoder(cross)
    mixture = training.mix(run, reads).mixture
    print(
        f"mixture: {mixture.of_ranker:.3f} of the ranker's, "
        f"{mixture.of_second:.3f} of the reader's"
    )
    rows = run.valid
    logits = run.ranker.predict(rows.batches(_BATCH))["clicked"]
    alone = logits.astype(np.float64) * mixture.alone.slope
    alone += mixture.alone.level
    mixed = mixture.mixed(alone, reads.logits(rows).astype(np.float64))
    slates = rows.slates()
    ends = zip(slates.starts, slates.sizes, strict=True)
    requests = [slates.rows[start : start + size] for start, size in ends]
    print(f"{len(requests)} requests of {np.mean(slates.sizes):.1f} ads")
    for count in _READ_OF_TEN:
        scores = alone.copy()
        for request in requests:
            best = request[np.argsort(-alone[request], kind="stable")[:count]]
            scores[best] = mixed[best]
        print(f"{count} read: {_row(rows, scores, requests)}")
    _among_others(run, reads, mixture, requests)
    for folder in bundles:
        _cost(folder, run)


def _row(rows, scores, requests):
    shown = rows.impressions
    labels = shown.labels["clicked"]
    auc = ranking.auc(labels, scores, shown.weights)
    gauc = ranking.group_auc(labels, scores, shown.users, shown.weights)
    gains = [_ndcg(labels[r], scores[r]) for r in requests if labels[r].any()]
    return f"AUC {auc:.4f}, GAUC {gauc:.4f}, NDCG@10 {np.mean(gains):.4f}"


def _ndcg(labels, scores):
    order = np.argsort(-scores, kind="stable")[:10]
    worth = 1 / np.log2(2 + np.arange(10))
    best = worth[: int(labels.sum())].sum()
    return labels[order] @ worth[: len(order)] / best


def _among_others(run, reads, mixture, requests):
    """NDCG@10 where a request's ads stand among others of the catalogue.

    In the order of a bundle, in which ads that were not read may come before
    some that were; and where those that were read stay before all others.
    """
    rows = run.valid
    labels, ads = rows.impressions.labels["clicked"], rows.impressions.ads
    random = np.random.default_rng(0)
    clicked = [request for request in requests if labels[request].any()]
    rank = tf.function(run.ranker)
    read = tf.function(reads.reader)
    gains = {(count, one): [] for count in _READ_OF_MANY for one in (1, 0)}
    users = rows.select(np.array([request[0] for request in clicked]))
    for request, (inputs, *_) in zip(clicked, users.batches(1), strict=True):
        own = ads[request]
        others = np.setdiff1d(np.arange(1, 1 + len(rows.catalogue)), own)
        more = random.choice(others, _SIZE - len(own), replace=False)
        slate = np.concatenate([own, more]).astype(np.int32)
        truth = np.concatenate([labels[request], np.zeros(len(more))])
        alone = _logits(rank, inputs, slate) * mixture.alone.slope
        alone += mixture.alone.level
        order = np.argsort(-alone, kind="stable")[: max(_READ_OF_MANY)]
        found = _logits(read, inputs, slate[order])
        mixed = mixture.mixed(alone[order], found)
        for (count, one_scale), values in gains.items():
            scores = alone.copy()
            above = 0 if one_scale else 100
            scores[order[:count]] = mixed[:count] + above
            values.append(_ndcg(truth, scores))
    print(f"{len(clicked)} requests, their ads among {_SIZE}")
    base = np.array(gains[0, 1])
    for (count, one_scale), values in gains.items():
        gap = np.array(values) - base
        error = gap.std(ddof=1) / len(gap) ** 0.5
        print(
            f"{count} read{'' if one_scale else ', before all others'}: "
            f"NDCG@10 {np.mean(values):.4f}, {gap.mean():+.4f} ± {error:.4f} "
            "(standard error)"
        )


def _logits(model, inputs, slate):
    slates = {"candidate_ads": tf.constant(slate[None])}
    return model({**inputs, **slates})["clicked"].numpy()[0].astype(np.float64)


def _cost(folder, run):
    """Milliseconds of processor time for a request."""
    ask = serving.open_bundle(folder)
    rows = run.valid
    place = int(np.argmax(rows.impressions.history_lengths))
    request = serving.replay(rows, np.array([place]))
    length = int(request["history_length"][0])
    again = np.arange(_EVENTS) % length
    for name, values in request.items():
        if name.startswith("history_") and values.ndim > 1:
            request[name] = values[:, again]
    request["history_length"] = np.array([_EVENTS], np.int32)
    ads = rows.catalogue.ad_ids
    choice = {
        "exclude_ads": np.zeros([1, 0], ads.dtype),
        "exclude_history": np.array([True]),
        "k": np.array([10], np.int32),
    }
    slate = serving.with_candidates(rows, request, ads[None, :_SIZE])
    bids = {"bids": np.ones([1, _SIZE], np.float32)}
    user = {k: v for k, v in request.items() if k != "candidate_ads"}
    for name, asked in (
        ("score_slate", slate),
        ("recommend_from", slate | choice | bids),
        ("recommend", user | choice),
    ):
        for _ in range(3):
            ask[name](**asked)
        took = []
        for _ in range(_TIMED):
            start = time.process_time()
            ask[name](**asked)
            took.append(1000 * (time.process_time() - start))
        print(
            f"{folder}: {name}, {len(ads) if name == 'recommend' else _SIZE} "
            f"ads: {np.median(took):.0f} ms of a processor "
            f"(10 to 90 %: {np.percentile(took, 10):.0f} to "
            f"{np.percentile(took, 90):.0f})"
        )


if __name__ == "__main__":
    main()
