"""Learning vectors by which what a ranker likes is found."""

import logging
from typing import NamedTuple

import numpy as np

from tfadrec.core.door import keras, tf
from tfadrec.data.dataset import Dataset
from tfadrec.retrieval import AnchorVectors, KnownUsers, ad_features
from tfadrec.serving.requests import replay
from tfadrec.serving.scorer import Scorer, UserSide

_LOG = logging.getLogger(__name__)
#: Ads that tell what a user likes; of a catalogue of fewer, all of them.
ANCHORS = 128
_WIDTH = 64
#: Users that are ranked for, and how many of them have other ads at random.
_USERS, _BLOCK, _ADS = 1024, 64, 1920
#: The ads that are found for so many users are ranked for all of them, so many
#: of each user.
_FOUND_BLOCK, _FOUND = 16, 64
#: Ads of a step, steps of a round, and the rate at the start of a round.
_STEP, _STEPS, _RATE = 512, 2000, 0.003
#: Ads that are ranked, and that are read, at a time: bounds the memory.
_CHUNK, _READ = 512, 65536


class _Ranked(NamedTuple):
    """Some users, some ads, and what the ranker says of these."""

    known: KnownUsers
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

    def drawn(count):
        rows = 1 + random.choice(total, min(total, count), replace=False)
        return rows.astype(np.int32)

    anchors = drawn(ANCHORS)
    _LOG.info("Ranking ads at random, to learn to find others")
    users = _Users(scorer, dataset, anchors)
    blocks = []
    for start in range(0, len(users), _BLOCK):
        ads = drawn(_ADS)
        blocks.append(users.rank(start, _BLOCK, ads))
    features = np.concatenate([block.features for block in blocks])
    vectors = AnchorVectors(
        anchors, users.known, features, width=_WIDTH, seed=seed
    )
    _LOG.info("Learning to find ads, round 1 of %d", rounds)
    _teach(vectors, [blocks], random)
    found: list[_Ranked] = []
    for number in range(2, rounds + 1):
        _LOG.info("Learning to find ads, round %d of %d", number, rounds)
        ads = catalogue_vectors(scorer, vectors)
        for start in range(0, len(users), _FOUND_BLOCK):
            known = _part(users.known, start, _FOUND_BLOCK)
            rows = _best(vectors.users(known).numpy(), ads, _FOUND)
            found.append(users.rank(start, _FOUND_BLOCK, rows))
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


def known_of(scorer: Scorer, side: UserSide, anchors: tf.Tensor) -> KnownUsers:
    """What is known of users.

    Args:
      scorer: the ranker.
      side: what `Scorer.read_user` gives of them.
      anchors: int32 [P] rows.
    """
    user = scorer.encode_side(*side)
    events = tf.cast(user["events"], tf.float32)
    return KnownUsers(scorer.rank_alike(*side, anchors), events, user["mask"])


def features_of(scorer: Scorer, rows: np.ndarray) -> np.ndarray:
    """What is known of ads, float32 [n, F], by their rows [n]."""
    return ad_features(scorer.ads.of_rows(tf.constant(rows))).numpy()


class _Users:
    """Users of some rows, taken evenly, for whom ads are ranked."""

    def __init__(
        self, scorer: Scorer, dataset: Dataset, anchors: np.ndarray
    ) -> None:
        count = min(len(dataset), _USERS)
        rows = np.linspace(0, len(dataset) - 1, count).astype(np.int64)
        request = scorer.requests.as_tensors(replay(dataset, rows))
        self._scorer = scorer
        self._side = scorer.read_user(request)
        self._rank = tf.function(
            scorer.rank_alike, reduce_retracing=True, autograph=False
        )
        self._count = count
        ask = tf.function(known_of, reduce_retracing=True, autograph=False)
        parts = [
            ask(scorer, _part(self._side, start, _BLOCK), anchors)
            for start in range(0, count, _BLOCK)
        ]
        self.known = KnownUsers(
            *(np.concatenate(values) for values in zip(*parts, strict=True))
        )

    def __len__(self) -> int:
        return self._count

    def rank(self, start: int, count: int, rows: np.ndarray) -> _Ranked:
        """Ads as they are ranked for `count` users from `start` on."""
        some = _part(self._side, start, count)
        parts = [
            self._rank(*some, tf.constant(rows[first : first + _CHUNK]))
            for first in range(0, len(rows), _CHUNK)
        ]
        return _Ranked(
            _part(self.known, start, count),
            features_of(self._scorer, rows),
            tf.concat(parts, axis=1).numpy(),
        )


def _part(values, start, count):
    """`count` users from `start` on, of any structure."""
    return tf.nest.map_structure(lambda v: v[start : start + count], values)


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
    def step(known, features, logits):
        with tf.GradientTape() as tape:
            guess = vectors.score(known, features)
            gaps = guess - vectors.levels(logits, known.said)
            loss = tf.reduce_mean(tf.square(gaps))
        gradients = tape.gradient(loss, weights)
        optimizer.apply_gradients(zip(gradients, weights, strict=True))

    for number in range(_STEPS):
        blocks = kinds[number % len(kinds)]
        block = blocks[random.integers(len(blocks))]
        count = len(block.features)
        ads = random.choice(count, min(count, _STEP), replace=False)
        step(
            KnownUsers(*map(tf.constant, block.known)),
            tf.constant(block.features[ads]),
            tf.constant(block.logits[:, ads]),
        )


def _best(users: np.ndarray, ads: np.ndarray, count: int) -> np.ndarray:
    """The rows of the largest inner products with any of some users."""
    scores = users @ ads[1:].T
    count = min(count, scores.shape[1])
    best = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    return 1 + np.unique(best).astype(np.int32)
