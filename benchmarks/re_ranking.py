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
scores are those of a bundle. Then for some of the requests with a click the
same NDCG@10 where the request's ads stand among others of the catalogue, drawn
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

_SIZE, _REQUESTS, _AT_ONCE, _TIMED = 500, 150, 50, 30
_READ_OF_TEN, _READ_OF_MANY = (0, 1, 3, 5, 10), (0, 10, 20, 50, _SIZE)
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
    """NDCG@10 where a request's ads stand among others of the catalogue."""
    rows = run.valid
    labels, ads = rows.impressions.labels["clicked"], rows.impressions.ads
    random = np.random.default_rng(0)
    clicked = [r for r in requests if labels[r].any()]
    places = np.linspace(0, len(clicked) - 1, _REQUESTS).astype(int)
    rank = tf.function(run.ranker, reduce_retracing=True)
    read = tf.function(reads.reader, reduce_retracing=True)
    gains = {count: [] for count in _READ_OF_MANY}
    started = time.process_time()
    for request in (clicked[place] for place in places):
        own = ads[request]
        others = np.setdiff1d(np.arange(1, 1 + len(rows.catalogue)), own)
        more = random.choice(others, _SIZE - len(own), replace=False)
        slate = np.concatenate([own, more]).astype(np.int32)
        truth = np.concatenate([labels[request], np.zeros(len(more))])
        inputs, *_ = next(iter(rows.select(request[:1]).batches(1)))

        def score(model, inputs=inputs, slate=slate):
            parts = [
                model({**inputs, "candidate_ads": tf.constant(some[None])})
                for some in np.split(slate, _SIZE // _AT_ONCE)
            ]
            found = [part["clicked"].numpy()[0] for part in parts]
            return np.concatenate(found).astype(np.float64)

        alone = score(rank) * mixture.alone.slope + mixture.alone.level
        mixed = mixture.mixed(alone, score(read))
        order = np.argsort(-alone, kind="stable")
        for count in _READ_OF_MANY:
            scores = alone.copy()
            scores[order[:count]] = mixed[order[:count]]
            gains[count].append(_ndcg(truth, scores))
    took = time.process_time() - started
    print(f"{len(places)} requests among {_SIZE} ads, {took:.0f} s")
    base = np.array(gains[0])
    for count, values in gains.items():
        gap = np.array(values) - base
        error = gap.std(ddof=1) / len(gap) ** 0.5
        print(
            f"{count} read: NDCG@10 {np.mean(values):.4f}, "
            f"{gap.mean():+.4f} ± {error:.4f} (standard error)"
        )


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
