"""Vectors of users and ads that imitate what a ranker says of them."""

import itertools
from collections.abc import Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.retrieval.known_users import KnownUsers

#: The sum of an ad's fields, which are read in its place.
_SUM = "vector"
#: Units of a hidden layer.
_HIDDEN = 128


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

    Some ads of the catalogue are anchors. Of a user there are the history's
    events e_u1 .. e_uT and what the ranker says of the anchors, z_u1 .. z_uP;
    of an ad there is what its ad tower makes of it, f_a:

        x_u = W (z_u - mean z_u) + mean_t MLP(e_ut)
        [y_a, b_a] = MLP(f_a)
        s(u, a) = [x_u, 1] . [y_a, b_a]

    So users and ads that came after the training have vectors, too: the ranker
    itself reads both of them. The history tells which of many kinds of ads a
    user likes, also where no anchor is of that kind (a sum over a set, as in
    Zaheer et al., 2017). The anchors tell all else that the ranker knows. That
    a user's scores of all items follow from those of a few is from Yadav et al.
    (2022), who give each item its vector by scoring it for many queries; here a
    network makes it of the item.

    Args:
      anchors: int32 [P] rows of the catalogue.
      known: of users that the vectors will be fitted to, as NumPy arrays.
      features: float32 [n, F], of ads that they will be fitted to.
      width: of x_u and y_a, >= 1.
      seed: of the first weights.

    Reference:
      Yadav et al., "Efficient Nearest Neighbor Search for Cross-Encoder Models
      using Matrix Factorization", EMNLP 2022, arXiv:2210.12579.
      Zaheer et al., "Deep Sets", NIPS 2017, arXiv:1703.06114.
    """

    def __init__(
        self,
        anchors: np.ndarray,
        known: KnownUsers,
        features: np.ndarray,
        *,
        width: int,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.anchors = _fixed(anchors.astype(np.int32))
        random = np.random.default_rng(seed)
        said = known.said - known.said.mean(axis=1, keepdims=True)
        spread = said.std() + 1e-6
        self._spread = _fixed(spread)
        events = known.events[known.mask]
        # One column more on each side: what is the same for all ads of a user,
        # and what an ad is worth to anybody.
        self._said = _Network(random, *_range(said, spread), width + 1)
        # One scale for all of a vector: small numbers in it tell little.
        scale = events.std() + 1e-6 if len(events) else 1.0
        self._event = _Network(
            random, *_range(events, scale), _HIDDEN, width + 1
        )
        self._ad = _Network(
            random, *_range(features), _HIDDEN, _HIDDEN, width + 1
        )

    @property
    def weights(self) -> list[tf.Variable]:
        """What is learned."""
        return list(self.trainable_variables)

    def levels(self, logits: tf.Tensor, said: tf.Tensor) -> tf.Tensor:
        """Logits [B, n] of users, beside what is said of the anchors [B, P]."""
        return (logits - _mean(said)) / self._spread

    def score(self, known: KnownUsers, features: tf.Tensor) -> tf.Tensor:
        """What `levels` of ads is guessed to be, float32 [B, n].

        Args:
          known: of the users.
          features: float32 [n, F], of the ads.
        """
        user = self._of_user(known)
        same = user[:, -1:]
        user = tf.concat([user[:, :-1], tf.ones_like(same)], axis=1)
        return tf.matmul(user, self.ads(features), transpose_b=True) + same

    def users(self, known: KnownUsers) -> tf.Tensor:
        """Users' vectors, float32 [B, W + 1]."""
        user = self._of_user(known)[:, :-1]
        return tf.concat([user, tf.ones_like(user[:, :1])], axis=1)

    def ads(self, features: tf.Tensor) -> tf.Tensor:
        """Ads' vectors, float32 [n, W + 1], from features [n, F]."""
        return self._ad(features)

    def _of_user(self, known):
        said, events, mask = known
        # Padding may hold anything, also NaN.
        events = self._event(tf.where(mask[..., None], events, 0))
        share = tf.cast(mask, tf.float32)
        share /= tf.maximum(tf.reduce_sum(share, axis=1, keepdims=True), 1)
        liked = tf.einsum("btw,bt->bw", events, share)
        return self._said(said - _mean(said)) + liked


class _Network(tf.Module):
    """Dense layers with ReLU between them, of values of any scale.

    Args:
      random: gives the first weights.
      centre: float32 [D], of what it reads.
      scale: float32 [D] or one number, > 0, of the same.
      *units: of its layers.
    """

    def __init__(
        self,
        random: np.random.Generator,
        centre: np.ndarray,
        scale: np.ndarray,
        *units: int,
    ) -> None:
        super().__init__()
        self._centre, self._scale = _fixed(centre), _fixed(scale)
        sizes = (len(centre), *units)
        self._layers = [_dense(random, *p) for p in itertools.pairwise(sizes)]

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """What it makes of values [..., D], float32 [..., units]."""
        values = (values - self._centre) / self._scale
        for place, (kernel, bias) in enumerate(self._layers):
            if place:
                values = tf.nn.relu(values)
            values = tf.tensordot(values, kernel, 1) + bias
        return values


def _range(sample, scale=None):
    """The mean of rows, and how far they are from it where that is not told."""
    if not len(sample):
        return np.zeros(sample.shape[1]), scale
    if scale is None:
        scale = sample.std(axis=0) + 1e-6
    return sample.mean(axis=0), scale


def _mean(said):
    return tf.reduce_mean(said, axis=1, keepdims=True)


def _fixed(values):
    values = np.asarray(values)
    if values.dtype != np.int32:
        values = values.astype(np.float32)
    return tf.Variable(values, trainable=False)


def _dense(random, inputs, units):
    """A kernel as Glorot and Bengio begin with, and a bias."""
    spread = (2 / (inputs + units)) ** 0.5
    kernel = random.normal(0, spread, (inputs, units))
    return (
        tf.Variable(kernel.astype(np.float32)),
        tf.Variable(np.zeros(units, np.float32)),
    )
