"""Learning vectors by which what a ranker likes is found."""

from typing import NamedTuple

import numpy as np

from tfadrec.core.door import keras, tf
from tfadrec.data.dataset import Dataset
from tfadrec.retrieval import AnchorVectors, ad_features
from tfadrec.serving.requests import replay
from tfadrec.serving.scorer import Scorer

#: Ads that tell what a user likes; of a catalogue of fewer, all of them.
ANCHORS = 256
_WIDTH = 32
#: Users that are ranked for, and how many of them have other ads at random.
_USERS, _BLOCK, _ADS = 512, 64, 1792
#: The ads that are found for so many users are ranked for all of them, so many
#: of each user.
_FOUND_BLOCK, _FOUND = 16, 64
#: Ads of a step, steps of a round, and the rate at the start of a round.
_STEP, _STEPS, _RATE = 512, 1500, 0.003
#: Ads that are ranked, and that are read, at a time: bounds the memory.
_CHUNK, _READ = 512, 65536


class _Ranked(NamedTuple):
    """Some users, some ads, and what the ranker says of these."""

    anchors: np.ndarray  # float32 [B, P]
    features: np.ndarray  # float32 [n, F]
    logits: np.ndarray  # float32 [B, n]


def learn_anchors(
    scorer: Scorer, dataset: Dataset, *, rounds: int = 2, seed: int = 0
) -> AnchorVectors:
    """Learns to find what a ranker likes, from what it says of some ads.

    The ranker ranks ads at random for some users, and a network learns to
    guess what it says. After that, round for round, the ads that the network
    likes best are ranked as well, so that it unlearns what it is wrong about.
    No clicks are read.

    Args:
      scorer: the ranker and the ads of a bundle.
      dataset: rows that give users; better not those that it is tested with.
      rounds: >= 1; after the first one each has ads of its own.
      seed: of the anchors and all that is drawn.

    Returns:
      Vectors for the ads of the bundle, and for others.
    """
    random = np.random.default_rng(seed)
    total = int(scorer.ads.num_rows) - 1
    users = _Users(scorer, dataset)

    def drawn(count):
        rows = 1 + random.choice(total, min(total, count), replace=False)
        return rows.astype(np.int32)

    anchors = drawn(ANCHORS)
    blocks = []
    for start in range(0, len(users), _BLOCK):
        ads = drawn(_ADS)
        logits = users.rank(start, _BLOCK, np.concatenate([anchors, ads]))
        known, logits = np.split(logits, [len(anchors)], axis=1)
        blocks.append(_Ranked(known, features_of(scorer, ads), logits))
    vectors = _start(anchors, blocks, seed)
    _teach(vectors, [blocks], random)
    said = np.concatenate([block.anchors for block in blocks])
    found: list[_Ranked] = []
    for _ in range(rounds - 1):
        ads = catalogue_vectors(scorer, vectors)
        for start in range(0, len(users), _FOUND_BLOCK):
            known = said[start : start + _FOUND_BLOCK]
            rows = _best(vectors.users(known).numpy(), ads, _FOUND)
            logits = users.rank(start, _FOUND_BLOCK, rows)
            found.append(_Ranked(known, features_of(scorer, rows), logits))
        _teach(vectors, [blocks, found], random)
    return vectors


def catalogue_vectors(scorer: Scorer, vectors: AnchorVectors) -> np.ndarray:
    """The vectors of all ads of a bundle by row, float32 [N + 1, W + 1]."""
    rows = np.arange(int(scorer.ads.num_rows), dtype=np.int32)
    parts = range(0, len(rows), _READ)
    encode = tf.function(
        lambda rows: vectors.ads(ad_features(scorer.ads.of_rows(rows))),
        input_signature=[tf.TensorSpec([None], tf.int32)],
        autograph=False,
    )
    return np.concatenate(
        [encode(rows[start : start + _READ]).numpy() for start in parts]
    )


def features_of(scorer: Scorer, rows: np.ndarray) -> np.ndarray:
    """What is known of ads, float32 [n, F], by their rows [n]."""
    return ad_features(scorer.ads.of_rows(tf.constant(rows))).numpy()


class _Users:
    """Users of some rows, taken evenly, for whom ads are ranked."""

    def __init__(self, scorer: Scorer, dataset: Dataset) -> None:
        count = min(len(dataset), _USERS)
        rows = np.linspace(0, len(dataset) - 1, count).astype(np.int64)
        request = scorer.requests.as_tensors(replay(dataset, rows))
        self._read = scorer.read_user(request)
        self._rank = tf.function(
            scorer.rank_alike, reduce_retracing=True, autograph=False
        )
        self._count = count

    def __len__(self) -> int:
        return self._count

    def rank(self, start: int, count: int, rows: np.ndarray) -> np.ndarray:
        """What orders ads for `count` users from `start` on, [count, n]."""
        some = tf.nest.map_structure(
            lambda values: values[start : start + count], self._read
        )
        parts = [
            self._rank(*some, tf.constant(rows[first : first + _CHUNK]))
            for first in range(0, len(rows), _CHUNK)
        ]
        return tf.concat(parts, axis=1).numpy()


def _start(
    anchors: np.ndarray, blocks: list[_Ranked], seed: int
) -> AnchorVectors:
    """Vectors with first weights."""
    known = np.concatenate([block.anchors for block in blocks])
    known = known - known.mean(axis=1, keepdims=True)
    spread = max(float(known.std()), 1e-6)
    features = np.concatenate([block.features for block in blocks])
    return AnchorVectors(
        anchors,
        known.mean(axis=0) / spread,
        spread,
        features.mean(axis=0),
        features.std(axis=0) + 1e-6,
        width=_WIDTH,
        seed=seed,
    )


def _teach(
    vectors: AnchorVectors,
    kinds: list[list[_Ranked]],
    random: np.random.Generator,
) -> None:
    """Steps of gradient descent, on each kind of blocks in turn."""
    weights = vectors.weights
    rate = keras.optimizers.schedules.CosineDecay(_RATE, _STEPS)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(weights)

    @tf.function(reduce_retracing=True, autograph=False)
    def step(anchors, features, logits):
        with tf.GradientTape() as tape:
            guess = vectors.score(anchors, features)
            gaps = guess - vectors.levels(logits, anchors)
            loss = tf.reduce_mean(tf.square(gaps))
        gradients = tape.gradient(loss, weights)
        optimizer.apply_gradients(zip(gradients, weights, strict=True))

    for number in range(_STEPS):
        blocks = kinds[number % len(kinds)]
        block = blocks[random.integers(len(blocks))]
        count = len(block.features)
        ads = random.choice(count, min(count, _STEP), replace=False)
        step(
            tf.constant(block.anchors),
            tf.constant(block.features[ads]),
            tf.constant(block.logits[:, ads]),
        )


def _best(users: np.ndarray, ads: np.ndarray, count: int) -> np.ndarray:
    """The rows of the largest inner products with any of some users."""
    scores = users @ ads[1:].T
    count = min(count, scores.shape[1])
    best = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    return 1 + np.unique(best).astype(np.int32)
