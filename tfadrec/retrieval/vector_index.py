"""The largest inner products of a query with the rows of a catalogue."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.growing import append, at_rows, growing
from tfadrec.ops import top_rows
from tfadrec.retrieval.row_filter import RowFilter, Tensors

# Rows that are scored at a time: of all queries, and of one query's lists.
_BLOCK, _GATHERED = 16384, 65536
_NOTHING = np.zeros(0, np.int32)


class _Lists(NamedTuple):
    """What is known of rows that are grouped by their nearest centroid."""

    centroids: tf.Variable  # float32 [L, D]
    starts: tf.Variable  # int32 [L + 1]
    vectors: tf.Variable  # float32 [n, D], by list
    rows: tf.Variable  # int32 [n], 0 for one that was removed


class VectorIndex(tf.Module):
    """Finds the rows of the largest inner products; core TensorFlow ops only.

    Without centroids all rows are scored, a block at a time. With centroids it
    is an inverted file (Jegou et al., 2011, section IV): each row is in the
    list of the centroid that is nearest to it, and a query reads the lists of
    the `probes` centroids of the largest inner product with it. It scores what
    it reads exactly. Centroids are as long as their rows are, so a list of long
    vectors is read before one of short ones, which suits inner products.

    Rows that were put after the lists were made are in none of them and are all
    scored, so they are never missed. A row that was removed keeps its place,
    and is passed over. A filter makes a query read every row that it allows,
    so it finds all of them however few they are.

    Args:
      vectors: float32 [N + 1, D] by row. Row 0 is the unknown one and is never
        found.
      columns: see `RowFilter`.
      centroids: float32 [L, D], or None.
      lists: int32 [N + 1], the list of each row; where there are centroids.
      probes: how many lists are read, >= 1.

    Reference:
      Jegou, Douze and Schmid, "Product Quantization for Nearest Neighbor
      Search", IEEE TPAMI 33(1), 2011.
    """

    def __init__(
        self,
        vectors: np.ndarray,
        *,
        columns: Mapping[str, np.ndarray] | None = None,
        centroids: np.ndarray | None = None,
        lists: np.ndarray | None = None,
        probes: int = 1,
    ) -> None:
        super().__init__()
        self.filter = RowFilter(columns or {})
        rows = np.arange(1, len(vectors), dtype=np.int32)
        self._lists: _Lists | None = None
        self._probes = tf.Variable(probes, trainable=False)
        if centroids is not None and lists is not None:
            rows = 1 + np.argsort(lists[1:], kind="stable").astype(np.int32)
            sizes = np.bincount(lists[1:], minlength=len(centroids))
            starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
            self._lists = _Lists(
                *(_constant(centroids), _constant(starts)),
                *(_constant(vectors[rows]), _constant(rows)),
            )
            rows = _NOTHING
        self._vectors = growing(vectors[rows])
        self._rows = growing(rows)

    @property
    def probes(self) -> int:
        """How many lists a query reads."""
        return int(self._probes.numpy())

    @probes.setter
    def probes(self, probes: int) -> None:
        self._probes.assign(probes)

    def put(
        self,
        rows: np.ndarray,
        vectors: np.ndarray,
        columns: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Adds rows, or changes them, without building the lists anew.

        Args:
          rows: int32 [n], distinct, >= 1.
          vectors: float32 [n, D].
          columns: codes [n] of all columns, where there are some.
        """
        self.remove(rows)
        rows = np.asarray(rows, np.int32)
        known = self._rows.numpy()
        is_left = known > 0
        self._rows.assign(np.concatenate([known[is_left], rows]))
        self._vectors.assign(
            np.concatenate([self._vectors.numpy()[is_left], vectors])
        )
        self.filter.put(rows, columns or {})

    def append(
        self, rows: tf.Tensor, vectors: tf.Tensor, columns: Tensors
    ) -> None:
        """Adds rows behind all that were ever there; TensorFlow ops alone.

        Args:
          rows: int32 [n], those that follow on the last one.
          vectors: float32 [n, D].
          columns: codes [n] of all columns, where there are some.
        """
        append(self._rows, rows)
        append(self._vectors, vectors)
        self.filter.append(columns)

    def remove(self, rows: np.ndarray) -> None:
        """Has rows found no more; of those that are not there nothing is done.

        Args:
          rows: int [n].
        """
        parts = [self._rows] + ([self._lists.rows] if self._lists else [])
        for variable in parts:
            known = variable.numpy()
            variable.assign(np.where(np.isin(known, rows), 0, known))

    def search(
        self,
        queries: tf.Tensor,
        k: tf.Tensor,
        without: tf.Tensor | None = None,
        allowed: Tensors | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The `k` rows of the largest inner products with each query.

        Args:
          queries: float32 [B, D].
          k: int32 scalar, >= 0.
          without: int32 [B, E] rows to leave out.
          allowed: int32 [B, A] codes by column, see `RowFilter`; all of the
            columns or none.

        Returns:
          int32 [B, k] rows and float32 [B, k] inner products, best first; row 0
          and -inf where no more are left.
        """
        batch = tf.shape(queries)[0]
        if without is None:
            without = tf.zeros([batch, 0], tf.int32)
        # So many more that enough are left without those to leave out.
        wanted = k + tf.shape(without)[1]
        best = self._read_all(
            queries, top_rows.none_yet(batch, wanted), allowed or {}
        )
        if self._lists is not None:
            best = self._read_lists(queries, best, allowed or {})
        scores, rows = top_rows.drop(best, without, k)
        return rows, scores

    def _read_all(self, queries, best, allowed):
        """Scores the rows that are in no list."""
        vectors, rows = self._vectors.read_value(), self._rows.read_value()

        def look(start, end):
            own = rows[start:end]
            scores = tf.matmul(queries, vectors[start:end], transpose_b=True)
            scores = tf.where(self._fit(own, allowed), scores, -np.inf)
            return scores, tf.broadcast_to(own[None, :], tf.shape(scores))

        return top_rows.in_blocks(best, tf.size(rows), _BLOCK, look)

    def _read_lists(self, queries, best, allowed):
        """Scores, query by query, the rows of some lists."""
        lists = self._lists

        def one(elements):
            query, *known, codes = elements
            codes = {name: values[None] for name, values in codes.items()}
            places = self._places(query, codes)

            def look(start, end):
                some = places[start:end]
                rows = at_rows(lists.rows, some)
                vectors = at_rows(lists.vectors, some)
                scores = tf.linalg.matvec(vectors, query)
                scores = tf.where(rows > 0, scores, -np.inf)
                return scores[None], rows[None]

            known = [values[None] for values in known]
            found = top_rows.in_blocks(
                tuple(known), tf.size(places), _GATHERED, look
            )
            return tuple(values[0] for values in found)

        return tf.map_fn(
            one,
            (queries, *best, dict(allowed)),
            fn_output_signature=(
                tf.TensorSpec([None], tf.float32),
                tf.TensorSpec([None], tf.int32),
            ),
        )

    def _places(self, query, codes):
        """The places that a query reads, int32 [m]."""
        if not codes:
            return self._probed(query)
        return tf.cond(
            self.filter.is_set(codes)[0],
            lambda: self._allowed(codes),
            lambda: self._probed(query),
        )

    def _probed(self, query):
        """The places of the lists nearest to a query, int32 [m]."""
        closeness = tf.linalg.matvec(self._lists.centroids, query)
        count = tf.minimum(self._probes, tf.size(closeness))
        _, numbers = tf.math.top_k(closeness, count)
        return tf.ragged.range(
            at_rows(self._lists.starts, numbers),
            at_rows(self._lists.starts, numbers + 1),
        ).values

    def _allowed(self, codes):
        """The places of all rows that a query allows, int32 [m]."""
        fit = self._fit(self._lists.rows.read_value(), codes)
        return tf.cast(tf.where(fit[0])[:, 0], tf.int32)

    def _fit(self, rows, allowed):
        """Which rows [n] are there and allowed, bool [1 or B, n]."""
        is_there = (rows > 0)[None]
        if not allowed:
            return is_there
        return tf.cond(
            tf.reduce_any(self.filter.is_set(allowed)),
            lambda: is_there & self.filter.mask(rows, allowed),
            lambda: tf.fill([_batch(allowed), tf.size(rows)], True) & is_there,
        )


def _batch(allowed):
    return tf.shape(next(iter(allowed.values())))[0]


def _constant(values):
    return tf.Variable(values, trainable=False)
