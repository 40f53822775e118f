"""Vectors as a few bytes each, and inner products with them."""

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.growing import at_rows
from tfadrec.retrieval.k_means import assign, k_means

#: Values of a byte.
_VALUES = 256
#: Residuals that tell which of their numbers vary.
_SAMPLE = 65536


class ResidualCodes(tf.Module):
    """What is left of vectors beside their centroids, in M bytes each.

    A vector x of the list of centroid c is read as c + L'^-1 P (b_1, ..., b_M),
    where b_m is one of 256 points (Jegou et al., 2011, section III). Of a query
    there is one table of the inner products with all points of each byte, so

        q . x = q . c + sum_m T_m[code_m],  T_m[j] = (P' L^-1 q)_m . b_mj

    takes M look-ups (section III.A, asymmetric distances). L turns vectors so
    that they are as far apart as their scores are, see `build_index`, and P is
    a rotation after which all bytes have as much to tell (Ge et al., 2013,
    section 3.2.1).

    Args:
      residuals: float32 [n, D], x - c by place.
      metric: float32 [D, D], L.
      count: M, bytes of a vector, in [1, D].
      seed: of the points.

    Raises:
      ValueError: for another number of bytes.

    Reference:
      Jegou, Douze and Schmid, "Product Quantization for Nearest Neighbor
      Search", IEEE TPAMI 33(1), 2011.
      Ge, He, Ke and Sun, "Optimized Product Quantization for Approximate
      Nearest Neighbor Search", CVPR 2013.
    """

    def __init__(
        self,
        residuals: np.ndarray,
        metric: np.ndarray,
        count: int,
        *,
        seed: int = 0,
    ) -> None:
        super().__init__()
        width = residuals.shape[1]
        if not 1 <= count <= width:
            raise ValueError(
                f"`codes` must be from 1 to {width}, the numbers of a vector. "
                f"Received: codes={count}."
            )
        random = np.random.default_rng(seed)
        size = min(len(residuals), _SAMPLE)
        some = residuals[random.choice(len(residuals), size, replace=False)]
        turned = some @ metric
        rotation = _rotation(turned.T @ turned / size, count)  # [D, M, W]
        codes = np.empty((len(residuals), count), np.uint8)
        points = np.zeros((count, _VALUES, rotation.shape[2]), np.float32)
        for place in range(count):
            part = residuals @ (metric @ rotation[:, place])
            found = k_means(part, min(_VALUES, len(part)), seed=seed)
            points[place, : len(found)] = found
            codes[:, place] = assign(part, found)
        # Of a query q the first gives P' L^-1 q, [M, W].
        back = np.linalg.inv(metric).T
        turn = np.tensordot(back, rotation, 1).astype(np.float32)
        self._turn = _constant(turn)
        self._points = _constant(points)
        self._codes = _constant(codes)

    def tables(self, query: tf.Tensor) -> tf.Tensor:
        """What each value of each byte adds to inner products, [M, 256].

        Args:
          query: float32 [D].
        """
        parts = tf.tensordot(query, self._turn, 1)  # [M, W]
        return tf.einsum("mw,mjw->mj", parts, self._points)

    def sums(self, tables: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
        """Inner products with what is left of vectors, float32 [n].

        Args:
          tables: of the query, as from `tables`.
          places: int32 [n].
        """
        count = tf.shape(tables)[0]
        found = tf.cast(at_rows(self._codes, places), tf.int32)
        found = tf.gather(
            tf.reshape(tables, [-1]), found + _VALUES * tf.range(count)
        )  # [n, M]
        # As a product: a sum along a short last axis is slow.
        return tf.linalg.matvec(found, tf.ones([count]))


def _rotation(moment: np.ndarray, count: int) -> np.ndarray:
    """Directions for each byte, so that all have as much to tell.

    Those of the largest variance are dealt first, each to the byte whose
    variances have the smallest product so far.

    Args:
      moment: float32 [D, D], the mean of x x'.
      count: M.

    Returns:
      float32 [D, M, W], W = D / M rounded up; zeros where a byte has fewer
      directions.
    """
    width = -(-len(moment) // count)
    variances, axes = np.linalg.eigh(moment)
    dealt: list[list[int]] = [[] for _ in range(count)]
    product = np.zeros(count)
    # Relative to the largest, so that all logarithms are below 0 but one.
    logs = np.log(np.maximum(variances / max(variances[-1], 1e-30), 1e-12))
    for axis in range(len(moment))[::-1]:
        free = [m for m in range(count) if len(dealt[m]) < width]
        least = min(free, key=lambda m: (len(dealt[m]) > 0, product[m]))
        dealt[least].append(axis)
        product[least] += logs[axis]
    rotation = np.zeros((len(moment), count, width), np.float32)
    for place, own in enumerate(dealt):
        rotation[:, place, : len(own)] = axes[:, own]
    return rotation


def _constant(values):
    return tf.Variable(values, trainable=False)
