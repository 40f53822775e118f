"""Vectors of users and ads by what a ranker says of a few ads."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from tfadrec.core.door import tf

#: The sum of an ad's fields, which are read in its place.
_SUM = "vector"


def ad_features(parts: Mapping[str, tf.Tensor]) -> tf.Tensor:
    """What a ranker's ad tower tells of ads, side by side.

    Args:
      parts: the tower's dict, leading axis [n].

    Returns:
      float32 [n, F]: all that is real, but for the vector, which is the sum of
      the fields.
    """
    flat = [
        tf.reshape(tf.cast(values, tf.float32), [tf.shape(values)[0], -1])
        for name, values in sorted(parts.items())
        if name != _SUM and values.dtype.is_floating
    ]
    return tf.concat(flat, axis=1)


class AnchorVectors(tf.Module):
    """Makes vectors whose inner products are in the order of a ranker's logits.

    Some ads of the catalogue are anchors. A user is what the ranker says of
    them, z_u1 .. z_uP, and an ad is what its ad tower makes of it, f_a:

        x_u = W (z_u - mean z_u - m) / s
        [y_a, b_a] = MLP(f_a)
        s(u, a) = [x_u, 1] . [y_a, b_a]

    So users and ads that came after the training have vectors, too: the ranker
    itself reads both of them. That a user's scores of all items follow from
    those of a few is from Yadav et al. (2022), who give each item its vector by
    scoring it for many queries; here a network makes it of the item.

    Args:
      anchors: int32 [P] rows of the catalogue.
      means: float32 [P], m, of what is said of the anchors.
      spread: s > 0.
      centre: float32 [F], of the ads' features.
      scale: float32 [F], > 0, of the same.
      width: of x_u and y_a, >= 1.
      hidden_units: of the network.
      seed: of the first weights.

    Reference:
      Yadav et al., "Efficient Nearest Neighbor Search for Cross-Encoder Models
      using Matrix Factorization", EMNLP 2022, arXiv:2210.12579.
    """

    def __init__(
        self,
        anchors: np.ndarray,
        means: np.ndarray,
        spread: float,
        centre: np.ndarray,
        scale: np.ndarray,
        *,
        width: int,
        hidden_units: Sequence[int] = (128, 128),
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.anchors = _fixed(anchors.astype(np.int32))
        self._means = _fixed(means.astype(np.float32))
        self._spread = _fixed(np.float32(spread))
        self._centre = _fixed(centre.astype(np.float32))
        self._scale = _fixed(scale.astype(np.float32))
        random = np.random.default_rng(seed)
        # One column more on each side: what is the same for all ads of a user,
        # and what an ad is worth to anybody.
        self._user = _dense(random, len(anchors), width + 1)
        sizes = (len(centre), *hidden_units, width + 1)
        self._ad = [_dense(random, *pair) for pair in itertools.pairwise(sizes)]

    @property
    def weights(self) -> list[tf.Variable]:
        """What is learned."""
        return [weight for pair in (self._user, *self._ad) for weight in pair]

    def levels(self, logits: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
        """Logits [B, n] of users, beside what is said of the anchors [B, P]."""
        level = tf.reduce_mean(anchors, axis=1, keepdims=True)
        return (logits - level) / self._spread

    def score(self, logits: tf.Tensor, features: tf.Tensor) -> tf.Tensor:
        """What `levels` of ads is guessed to be, float32 [B, n].

        Args:
          logits: float32 [B, P], of the anchors.
          features: float32 [n, F], of the ads.
        """
        user = self._of_user(logits)
        same = user[:, -1:]
        user = tf.concat([user[:, :-1], tf.ones_like(same)], axis=1)
        return tf.matmul(user, self.ads(features), transpose_b=True) + same

    def users(self, logits: tf.Tensor) -> tf.Tensor:
        """Users' vectors, float32 [B, W + 1], from logits [B, P]."""
        user = self._of_user(logits)[:, :-1]
        return tf.concat([user, tf.ones_like(user[:, :1])], axis=1)

    def ads(self, features: tf.Tensor) -> tf.Tensor:
        """Ads' vectors, float32 [n, W + 1], from features [n, F]."""
        found = (features - self._centre) / self._scale
        for kernel, bias in self._ad[:-1]:
            found = tf.nn.relu(tf.matmul(found, kernel) + bias)
        kernel, bias = self._ad[-1]
        return tf.matmul(found, kernel) + bias

    def _of_user(self, logits):
        kernel, bias = self._user
        known = self.levels(logits, logits) - self._means
        return tf.matmul(known, kernel) + bias


def _fixed(values):
    return tf.Variable(values, trainable=False)


def _dense(random, inputs, units):
    """A kernel as He et al. begin with, and a bias."""
    kernel = random.normal(0, (2 / inputs) ** 0.5, (inputs, units))
    return (
        tf.Variable(kernel.astype(np.float32)),
        tf.Variable(np.zeros(units, np.float32)),
    )
