"""The largest inner products of a query with the rows of a catalogue."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.growing import append, at_rows, growing
from tfadrec.ops import top_rows
from tfadrec.retrieval.residual_codes import ResidualCodes
from tfadrec.retrieval.row_filter import FOREVER, RowFilter, Tensors

# Rows that are scored at a time: of all queries, and of one query's lists.
_BLOCK, _GATHERED = 16384, 65536
#: Of vectors in bytes so many times the wanted rows are scored again: of 64
#: numbers in 16 bytes that gives what scoring all of them again would, but for
#: .001 (benchmarks/RESULTS.md).
AGAIN = 4
_NOTHING = np.zeros(0, np.int32)


class _Lists(NamedTuple):
    """What is known of rows that are grouped by their nearest centroid."""

    centroids: tf.Variable  # float32 [L, D]
    starts: tf.Variable  # int32 [L + 1]
    rows: tf.Variable  # int32 [n] by place, 0 for one that was put elsewhere
    places: tf.Variable  # int32 [N + 1] by row, that of row 0 means nothing
    vectors: tf.Variable | ResidualCodes  # [n] by place


class VectorIndex(tf.Module):
    """Finds the rows of the largest inner products; core TensorFlow ops only.

    Without centroids all rows are scored, a block at a time. With centroids it
    is an inverted file (Jegou et al., 2011, section IV): each row is in the
    list of the centroid that is nearest to it, and a query reads the lists of
    the `probes` centroids of the largest inner product with it. Centroids are
    as long as their rows are, so a list of long vectors is read before one of
    short ones, which suits inner products. What it reads is scored exactly; or,
    where it keeps vectors as bytes, by these, and then the `AGAIN` * k best by
    their vectors.

    Rows that were put after the lists were made are in none of them and are all
    scored, so they are never missed. A row that was removed or has expired
    keeps its place, and is passed over; where fewer rows are left than a query
    wants, it reads as many lists more, and so on. A query may be several
    vectors: the inner product with a row is then the largest of theirs, and so
    is that with a centroid. A filter makes a query read every row that it
    allows, so it finds all of them however few they are.

    Args:
      vectors: float32 [N + 1, D] by row. Row 0 is the unknown one and is never
        found.
      columns: see `RowFilter`.
      until: see `RowFilter`; `FOREVER` by default.
      centroids: float32 [L, D], or None.
      lists: int32 [N + 1], the list of each row; where there are centroids.
      probes: how many lists are read, >= 1.
      codes: bytes of the vectors of `rows_by_list(lists)`, beside the rows'
        centroids; where there are centroids. None to keep the vectors.
      vectors_of: gives float32 [B, n, D] of rows int32 [B, n] that are in
        lists, to score them again; where there are codes. By default the index
        keeps all vectors in float16 for that.

    Attributes:
      filter: which rows are allowed.

    Reference:
      Jegou, Douze and Schmid, "Product Quantization for Nearest Neighbor
      Search", IEEE TPAMI 33(1), 2011.
    """

    def __init__(
        self,
        vectors: np.ndarray,
        *,
        columns: Mapping[str, np.ndarray] | None = None,
        until: np.ndarray | None = None,
        centroids: np.ndarray | None = None,
        lists: np.ndarray | None = None,
        probes: int = 1,
        codes: ResidualCodes | None = None,
        vectors_of: Callable[[tf.Tensor], tf.Tensor] | None = None,
    ) -> None:
        super().__init__()
        if until is None:
            until = np.full(len(vectors), FOREVER)
        self.filter = RowFilter(columns or {}, until)
        rows = np.arange(1, len(vectors), dtype=np.int32)
        self._lists: _Lists | None = None
        self._probes = tf.Variable(probes, trainable=False)
        self._vectors_of = None
        if centroids is not None and lists is not None:
            self._lists = _lists(vectors, centroids, lists, codes)
            if codes is not None:
                self._vectors_of = vectors_of or self._keep(vectors)
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
        rows: tf.Tensor,
        vectors: tf.Tensor,
        columns: Tensors | None = None,
        until: tf.Tensor | None = None,
    ) -> None:
        """Adds rows, or changes them, without building the lists anew.

        Args:
          rows: int32 [n], distinct, >= 1.
          vectors: float32 [n, D].
          columns: codes [n] of all columns, where there are some.
          until: int64 [n], see `RowFilter`; `FOREVER` by default.
        """
        rows = tf.cast(rows, tf.int32)
        if until is None:
            until = tf.fill(tf.shape(rows), FOREVER)
        if self._lists is not None:
            old = self._lists.rows
            old.assign(tf.where(_is_in(old.read_value(), rows), 0, old))
        is_left = ~_is_in(self._rows.read_value(), rows)
        for table, values in ((self._rows, rows), (self._vectors, vectors)):
            table.assign(tf.boolean_mask(table.read_value(), is_left))
            append(table, values)
        self.filter.put(rows, columns or {}, until)

    def remove(self, rows: tf.Tensor) -> None:
        """Has rows int [n] found no more, until they are put again."""
        self.filter.close(tf.cast(rows, tf.int32))

    def search(
        self,
        queries: tf.Tensor,
        k: tf.Tensor,
        without: tf.Tensor | None = None,
        allowed: Tensors | None = None,
        now: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The `k` rows of the largest inner products with each query.

        Args:
          queries: float32 [B, D], or [B, K, D] of K vectors each.
          k: int32 scalar, >= 0.
          without: int32 [B, E] rows to leave out.
          allowed: int32 [B, A] codes by column, see `RowFilter`; all of the
            columns or none.
          now: int64 [B], seconds since 1970, at which rows have to be open; by
            default a moment before any row expires.

        Returns:
          int32 [B, k] rows and float32 [B, k] inner products, best first; row 0
          and -inf where no more are left.
        """
        queries = tf.convert_to_tensor(queries, tf.float32)
        if queries.shape.rank == 2:
            queries = queries[:, None]
        batch = tf.shape(queries)[0]
        if without is None:
            without = tf.zeros([batch, 0], tf.int32)
        if now is None:
            now = tf.zeros([batch], tf.int64)
        allowed = dict(allowed or {})
        # So many more that enough are left without those to leave out.
        wanted = k + tf.shape(without)[1]
        best = self._read_all(
            queries, top_rows.none_yet(batch, wanted), allowed, now
        )
        missing = wanted - _count(best[0])
        if self._vectors_of is not None:
            some = top_rows.none_yet(batch, AGAIN * wanted)
            some = self._read_lists(queries, some, allowed, now, missing)
            best = top_rows.merge(best, *self._score_again(queries, some))
        elif self._lists is not None:
            best = self._read_lists(queries, best, allowed, now, missing)
        scores, rows = top_rows.drop(best, without, k)
        return rows, scores

    def _keep(self, vectors):
        """The vectors of rows, from a table of the index's own."""
        kept = self._kept = _constant(vectors.astype(np.float16))
        return lambda rows: tf.cast(at_rows(kept, rows), tf.float32)

    def _score_again(self, queries, best):
        """The rows that were found, by their vectors."""
        scores, rows = best
        vectors = self._vectors_of(rows)
        again = _highest(
            tf.einsum("bnd,bd->bn", vectors, query)
            for query in tf.unstack(queries, axis=1)
        )
        return tf.where(scores > -np.inf, again, -np.inf), rows

    def _read_all(self, queries, best, allowed, now):
        """Scores the rows that are in no list."""
        vectors, rows = self._vectors.read_value(), self._rows.read_value()

        def look(start, end):
            own = rows[start:end]
            scores = _highest(
                tf.matmul(query, vectors[start:end], transpose_b=True)
                for query in tf.unstack(queries, axis=1)
            )
            fit = self.filter.is_open(own, now)
            if allowed:
                fit &= tf.cond(
                    tf.reduce_any(self.filter.is_set(allowed)),
                    lambda: self.filter.mask(own, allowed),
                    lambda: tf.ones_like(fit),
                )
            scores = tf.where(fit, scores, -np.inf)
            return scores, tf.broadcast_to(own[None, :], tf.shape(scores))

        return top_rows.in_blocks(best, tf.size(rows), _BLOCK, look)

    def _read_lists(self, queries, best, allowed, now, missing):
        """Scores, query by query, the rows of some lists.

        It reads on where these have fewer open rows than the query is missing,
        int32 [B].
        """

        def one(elements):
            vectors, *known, codes, moment, least = elements
            vectors = tf.unstack(vectors)
            codes = {name: values[None] for name, values in codes.items()}
            centroids = self._lists.centroids
            closeness = [tf.linalg.matvec(centroids, v) for v in vectors]
            nearest = _highest(closeness)
            score = self._scorer(vectors, closeness)
            least += _count(known[0])

            def read(done, *best):
                places, done = self._places(nearest, codes, done)

                def look(start, end):
                    some = places[start:end]
                    rows = at_rows(self._lists.rows, some)
                    is_open = self.filter.is_open(rows, moment[None])
                    scores = tf.where(is_open, score(some)[None], -np.inf)
                    return scores, rows[None]

                found = top_rows.in_blocks(
                    best, tf.size(places), _GATHERED, look
                )
                return done, *found

            free = tf.TensorShape([None, None])
            _, *found = tf.while_loop(
                lambda done, scores, _: (
                    (done < tf.size(nearest))
                    & ((done == 0) | (_count(scores) < least))
                ),
                read,
                (tf.constant(0), *(values[None] for values in known)),
                shape_invariants=(tf.TensorShape([]), free, free),
                parallel_iterations=1,
            )
            return tuple(values[0] for values in found)

        return tf.map_fn(
            one,
            (queries, *best, allowed, now, missing),
            fn_output_signature=(
                tf.TensorSpec([None], tf.float32),
                tf.TensorSpec([None], tf.int32),
            ),
        )

    def _scorer(self, queries, closeness):
        """The inner products with a query, from places [n] to float32 [n].

        Of each of its vectors [D] `closeness` has that with the centroids, [L].
        """
        starts, vectors = self._lists.starts, self._lists.vectors
        if not isinstance(vectors, ResidualCodes):

            def exact(some):
                found = at_rows(vectors, some)
                return _highest(tf.linalg.matvec(found, q) for q in queries)

            return exact
        tables = [vectors.tables(query) for query in queries]

        def score(some):
            lists = tf.searchsorted(starts.read_value(), some, "right") - 1
            return _highest(
                tf.gather(near, lists) + vectors.sums(table, some)
                for near, table in zip(closeness, tables, strict=True)
            )

        return score

    def _places(self, closeness, codes, done):
        """The places that a query reads next, and of how many lists by then.

        Args:
          closeness: float32 [L], of the lists.
          codes: those that the query allows.
          done: int32 scalar, how many lists have been read, the nearest ones.

        Returns:
          int32 [m] and an int32 scalar.
        """
        total = tf.size(closeness)

        def nearest():
            count = tf.minimum(tf.maximum(self._probes, 2 * done), total)
            _, numbers = tf.math.top_k(closeness, count)
            numbers = numbers[done:]
            places = tf.ragged.range(
                at_rows(self._lists.starts, numbers),
                at_rows(self._lists.starts, numbers + 1),
            )
            return places.values, count

        if not codes:
            return nearest()
        return tf.cond(
            self.filter.is_set(codes)[0],
            lambda: (self._allowed(codes), total),
            nearest,
        )

    def _allowed(self, codes):
        """The places of all rows that a query allows, int32 [m]."""
        places = self._lists.places.read_value()
        fit = self.filter.mask_first(tf.size(places), codes)
        return tf.gather(places, tf.where(fit[0])[:, 0])


def rows_by_list(lists: np.ndarray) -> np.ndarray:
    """The rows in the order of their lists, int32 [N].

    Args:
      lists: int32 [N + 1], the list of each row; row 0 is in none.
    """
    return 1 + np.argsort(lists[1:], kind="stable").astype(np.int32)


def _lists(vectors, centroids, lists, codes):
    """See `_Lists`."""
    rows = rows_by_list(lists)
    places = np.zeros(len(vectors), np.int32)
    places[rows] = np.arange(len(rows), dtype=np.int32)
    sizes = np.bincount(lists[1:], minlength=len(centroids))
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return _Lists(
        *(_constant(centroids), _constant(starts)),
        *(_constant(rows), _constant(places)),
        _constant(vectors[rows]) if codes is None else codes,
    )


def _highest(scores: Iterable[tf.Tensor]) -> tf.Tensor:
    """The largest of the scores of a query's vectors, element by element."""
    return functools.reduce(tf.maximum, scores)


def _count(scores):
    """How many rows there are of scores [..., n], int32 [...]."""
    return tf.reduce_sum(tf.cast(scores > -np.inf, tf.int32), axis=-1)


def _is_in(known, rows):
    """Which of the known rows [n] are among others [m], bool [n]."""
    end = 1 + tf.reduce_max(tf.concat([[0], known, rows], 0))
    is_in = tf.scatter_nd(rows[:, None], tf.ones_like(rows), end[None])
    return tf.gather(is_in, known) > 0


def _constant(values):
    return tf.Variable(values, trainable=False)
