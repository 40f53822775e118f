"""Candidates for users: their vectors, and an index of the ads'."""

import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.dataset import Dataset
from tfadrec.ops.refit import refit
from tfadrec.retrieval import build_index
from tfadrec.serving.ad_expiry import expiry_column, moment
from tfadrec.serving.catalogue_column import catalogue_column
from tfadrec.serving.input_names import ALLOW
from tfadrec.serving.readers.codes import Codes
from tfadrec.serving.requests import replay
from tfadrec.serving.scorer import Scorer, Tensors, UserSide
from tfadrec.serving.user_vectors import Vectors

_LOG = logging.getLogger(__name__)
#: Rows of the dataset whose users tell how many lists of the index are read.
_QUERIES = 256
#: Of `retrieve` as many ads are good, however few are ranked.
_RETRIEVED = 100
#: Of the ads that scoring all would find. Reading twice as many lists takes a
#: twentieth of the time of ranking what is found (benchmarks/RESULTS.md).
_RECALL = 0.998


class Finder(tf.Module):
    """Finds the ads of the largest inner product with a user's vector.

    Args:
      vectors: of users and of the bundle's ads.
      dataset: gives the catalogue and its features; its rows, where there are
        some, tell how much of the index has to be read.
      scorer: reads users.
      candidates: how many ads are found for a user, by which it is learned how
        much of the index has to be read.
      more: ads beside the catalogue's.
      filters: names of ad features of kind category, by which requests may
        filter.
      codes: bytes that the index keeps of an ad's vector, see `build_index`;
        None to keep the vector.

    Raises:
      InputError: where there are more bytes than numbers of a vector, or a
        filter is no such feature or its input has the name of
        another.
    """

    def __init__(
        self,
        vectors: Vectors,
        dataset: Dataset,
        scorer: Scorer,
        *,
        candidates: int,
        more: Catalogue | None = None,
        filters: Sequence[str] = (),
        codes: int | None = None,
    ) -> None:
        super().__init__()
        features = [dataset.schema.ad_category(name) for name in filters]
        self._codes = {f.tensor: Codes(f) for f in features}
        taken = set(scorer.requests.user_specs()) & set(self.specs())
        if taken:
            raise InputError(
                "a filter's input must have a name of its own. Received: "
                f"{', '.join(sorted(taken))}, which is a feature, too. Rename "
                "that feature."
            )
        self.vectors = vectors
        table = vectors.catalogue()
        if codes is not None and codes > table.shape[1]:
            raise InputError(
                f"an ad's vector has {table.shape[1]} numbers, and at most as "
                f"many bytes. Received: {codes}. Give a quarter of them."
            )
        _LOG.info("Building an index of %s ads", f"{len(table) - 1:,}")
        self.index = build_index(
            table,
            columns={
                f.tensor: catalogue_column(f.tensor, dataset, more)
                for f in features
            },
            until=expiry_column(dataset, more),
            queries=_users(vectors, dataset, scorer),
            recall=_RECALL,
            k=max(candidates, _RETRIEVED),
            codes=codes,
            vectors_of=vectors.of_rows,
        )

    @property
    def filters(self) -> tuple[str, ...]:
        """The columns of ads that requests may filter by."""
        return tuple(self._codes)

    @property
    def columns(self) -> frozenset[str]:
        """The columns of ads that `put` reads."""
        return self.vectors.columns | set(self._codes)

    def specs(self) -> dict[str, tf.TensorSpec]:
        """The inputs that filter: string [B, A] each."""
        return {
            ALLOW + name: tf.TensorSpec([None, None], tf.string, ALLOW + name)
            for name in self._codes
        }

    def put(
        self,
        rows: tf.Tensor,
        parts: Tensors,
        columns: Tensors,
        until: tf.Tensor,
    ) -> None:
        """Adds ads to what can be found, or changes them.

        Args:
          rows: int32 [n].
          parts: the ad tower's dict for them, [n, ...].
          columns: as a ranker reads them, [n, ...]; `columns`, and others.
          until: int64 [n], see `retrieval.RowFilter`.
        """
        vectors = self.vectors.put(rows, parts, columns)
        self.index.put(rows, vectors, columns, until)

    def find(
        self,
        request: Mapping[str, tf.Tensor],
        side: UserSide,
        unwanted: tf.Tensor,
        k: tf.Tensor | int,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The `k` ads of the largest inner products with each user's vector.

        Args:
          request: user, history, context, the inputs of `specs`, and of
            `ad_expiry` where ads expire.
          side: what `Scorer.read_user` gives of it.
          unwanted: int32 [B, E] rows of ads to leave out.
          k: int32 scalar.

        Returns:
          int32 [B, k] rows and float32 [B, k] inner products, best first; row 0
          and -inf where no more are left.
        """
        users = self.vectors.users(request, side)
        return self._search(users, request, unwanted, k)

    def find_and_rank(
        self,
        request: Mapping[str, tf.Tensor],
        side: UserSide,
        unwanted: tf.Tensor,
        k: int,
        rank: Callable[[tf.Tensor], Tensors],
        ordered: str,
    ) -> tuple[tf.Tensor, Tensors]:
        """Ads that a ranker likes, and what it says of them.

        They have the largest inner products with a user's vector. Where these
        imitate the ranker, half of them have: what the ranker says of these
        corrects the vector, see `ops.refit`, by which the other half is found.

        Args:
          request: see `find`.
          side: see `find`.
          unwanted: see `find`.
          k: how many, >= 1.
          rank: rows int32 [B, n] to logits by name, float32 [B, n].
          ordered: the name of the logits that ads are ordered by.

        Returns:
          int32 [B, k] distinct rows, row 0 in places that are left over, and
          their logits, float32 [B, k].
        """
        users = self.vectors.users(request, side)
        if not self.vectors.imitates:
            found, _ = self._search(users, request, unwanted, k)
            return found, rank(found)
        first, _ = self._search(users, request, unwanted, k - k // 2)
        said = rank(first)
        users = refit(
            users, self.vectors.of_rows(first), said[ordered], first > 0
        )
        known = tf.concat([unwanted, first], axis=1)
        second, _ = self._search(users, request, known, k // 2)
        more = rank(second)
        logits = {n: tf.concat([said[n], more[n]], axis=1) for n in said}
        return tf.concat([first, second], axis=1), logits

    def _search(self, users, request, unwanted, k):
        """See `find`; by users' vectors, [B, D] or [B, K, D]."""
        allowed = {}
        for name, codes in self._codes.items():
            texts = request[ALLOW + name]
            allowed[name] = tf.where(texts == "", -1, codes(texts))
        return self.index.search(users, k, unwanted, allowed, moment(request))


def _users(
    vectors: Vectors, dataset: Dataset, scorer: Scorer
) -> np.ndarray | None:
    """The vectors of some rows' users; None without rows."""
    if not len(dataset):
        return None
    count = min(len(dataset), _QUERIES)
    rows = np.linspace(0, len(dataset) - 1, count).astype(np.int64)
    request = scorer.requests.as_tensors(replay(dataset, rows))
    return vectors.users(request, scorer.read_user(request)).numpy()
