"""What a ranker would show, for a retriever to learn."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.progress import Progress
from tfadrec.data.dataset import Dataset
from tfadrec.data.features import missing_like
from tfadrec.models import AdRanker, AdRetriever
from tfadrec.ops.best_products import best_products

#: Ads that are ranked for a row: all of a small catalogue, and of a large one
#: a sample, another one for every `_USERS` rows.
_ADS = 20_000
#: Of these, the best ones and others at random that are learned from.
_BEST, _OTHERS = 50, 50
#: Rows that are ranked for, and ads at a time: bounds the memory.
_USERS, _CHUNK = 64, 512
_TOP = 10


@dataclasses.dataclass(frozen=True)
class Distillation:
    """Rows, some ads for each, and the ranker's logits of these.

    Args:
      inputs: the data contract's dict, NumPy [n, ...], without candidates.
      ads: int32 [n, C] rows of the catalogue.
      logits: float32 [n, C].
      ranked: the ads that were ranked for each row: int32 [n, M].
    """

    inputs: Mapping[str, np.ndarray]
    ads: np.ndarray
    logits: np.ndarray
    ranked: np.ndarray

    @classmethod
    def of(
        cls,
        ranker: AdRanker,
        dataset: Dataset,
        count: int,
        seed: int = 0,
        *,
        progress: bool = False,
    ) -> "Distillation":
        """Ranks ads for some rows of a dataset.

        Nothing is known of the features of candidates, as when a bundle
        recommends.

        Args:
          ranker: a built ranker.
          dataset: the rows, of which at most `count` are taken, evenly.
          count: >= 1.
          seed: of the ads that are ranked, and of those learned from.
          progress: whether to show progress on standard error.

        Returns:
          For each row the ranker's 50 best ads, best first, and 50 others.
        """
        count = min(len(dataset), count)
        rows = np.linspace(0, len(dataset) - 1, count).astype(np.int64)
        taught = dataset.read_by(ranker).select(rows)
        batch, *_ = next(iter(taught.batches(count)))
        inputs = {name: values.numpy() for name, values in batch.items()}
        missing = _candidate_columns(dataset, inputs)
        own = {
            name: values
            for name, values in inputs.items()
            if name not in missing and name != "candidate_ads"
        }
        random = np.random.default_rng(seed)
        total = ranker.ad_tower.num_rows - 1
        score = tf.function(ranker, reduce_retracing=True)
        found = []
        with Progress(count, "Ranking ads", "rows", show=progress) as bar:
            for start in range(0, count, _USERS):
                some = {k: v[start : start + _USERS] for k, v in own.items()}
                ads = np.arange(1, total + 1, dtype=np.int32)
                if total > _ADS:
                    ads = 1 + random.choice(total, _ADS, replace=False)
                    ads = ads.astype(np.int32)
                logits = _logits(score, some, missing, ads)
                found.append(_chosen(random, ads, logits))
                bar.update(len(logits))
        ads, logits, ranked = map(np.concatenate, zip(*found, strict=True))
        return cls(own, ads, logits, ranked)

    def __len__(self) -> int:
        return len(self.ads)

    def batches(
        self, size: int, *, seed: int, first_step: int
    ) -> tf.data.Dataset:
        """An endless stream of batches that a retriever learns from.

        Args:
          size: rows of a batch.
          seed: of the order, another one in each pass.
          first_step: where to enter the stream.
        """
        inputs = {**self.inputs, "candidate_ads": self.ads}
        stream = tf.data.Dataset.from_tensor_slices(
            (inputs, {"logits": self.logits})
        )
        stream = stream.shuffle(len(self.ads), seed).repeat()
        return stream.batch(size, drop_remainder=True).skip(first_step)

    def overlap(self, retriever: AdRetriever) -> float:
        """The share of the ranker's ten best ads that are the retriever's.

        Args:
          retriever: orders the same ads, those that were ranked.
        """
        vectors = retriever.catalogue_vectors()
        inputs = {**self.inputs, "candidate_ads": self.ads[:, 0]}
        tensors = {name: tf.constant(v) for name, v in inputs.items()}
        users = retriever(tensors)["user"].numpy()
        shares = []
        for user, ranked, best in zip(
            users, self.ranked, self.ads, strict=True
        ):
            k = min(_TOP, len(ranked))
            scores = best_products(user[None], vectors[ranked])[0]
            order = np.argsort(-scores, kind="stable")
            shares.append(np.isin(best[:k], ranked[order[:k]]).mean())
        return float(np.mean(shares))


def _candidate_columns(
    dataset: Dataset, inputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Missing values of the features of candidates, [1, ...] by name."""
    tensors = [t for f in dataset.schema.of("candidate") for t in f.tensors]
    return missing_like({t: inputs[t] for t in tensors if t in inputs})


def _logits(score, inputs, missing, ads):
    """The ranker's logits of a click, float32 [B, M]."""
    batch = len(inputs["user_id"])
    parts = []
    for start in range(0, len(ads), _CHUNK):
        some = ads[start : start + _CHUNK]
        slates = {"candidate_ads": np.tile(some, (batch, 1))}
        for name, value in missing.items():
            shape = (batch, len(some), *value.shape[1:])
            slates[name] = np.broadcast_to(value[None], shape)
        tensors = {k: tf.constant(v) for k, v in {**inputs, **slates}.items()}
        parts.append(score(tensors)["clicked"].numpy())
    return np.concatenate(parts, axis=1)


def _chosen(random, ads, logits):
    """The best ads of each row and others, with their logits, and all."""
    order = np.argsort(-logits, axis=1, kind="stable")
    best = order[:, :_BEST]
    behind = random.permuted(order[:, _BEST:], axis=1)[:, :_OTHERS]
    places = np.concatenate([best, behind], axis=1)
    return (
        ads[places],
        np.take_along_axis(logits, places, axis=1),
        np.broadcast_to(ads, logits.shape),
    )
