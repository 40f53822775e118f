"""Vectors of users and ads, of a retriever or of what a ranker says."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.growing import at_rows, growing, put
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRetriever
from tfadrec.retrieval import AnchorVectors, ad_features
from tfadrec.serving.ad_reader import AdReader
from tfadrec.serving.catalogue_tables import catalogue_tables
from tfadrec.serving.learn_anchors import catalogue_vectors, known_of
from tfadrec.serving.scorer import Scorer, Tensors, UserSide
from tfadrec.serving.untracked import Untracked


class Vectors(Protocol):
    """Vectors whose inner products tell which ads are candidates.

    Attributes:
      takes_ads: whether ads can be put.
      columns: the columns of ads that `put` reads beside the ranker's parts.
      imitates: whether inner products are to be like the ranker's logits.
    """

    takes_ads: bool
    columns: frozenset[str]
    imitates: bool

    def catalogue(self) -> np.ndarray:
        """Those of all ads of the bundle by row, float32 [N + 1 + M, D]."""

    def put(
        self, rows: tf.Tensor, parts: Tensors, columns: Tensors
    ) -> tf.Tensor:
        """Has ads join or change, and gives their vectors, float32 [n, D].

        Args:
          rows: int32 [n].
          parts: the ranker's ad tower's dict for them, [n, ...].
          columns: what `AdReader.read` gives of them, with `columns`, [n, ...].
        """

    def of_rows(self, rows: tf.Tensor) -> tf.Tensor:
        """Those of the bundle's ads, float32 [..., D], by rows int32 [...]."""

    def users(
        self, request: Mapping[str, tf.Tensor], side: UserSide
    ) -> tf.Tensor:
        """Those of users, float32 [B, D], or [B, K, D] of K interests each.

        Args:
          request: user, history and context, raw.
          side: the same as the ranker reads it.
        """


class TowerVectors(tf.Module):
    """Those of a retriever.

    Args:
      retriever: a built retriever of the same ads and users.
      scorer: reads users; its ads are those of the bundle.
      more: ads beside the catalogue's; they have the columns that the retriever
        reads.
      features: the schema's ad features.
      reader: of the ranker's new ads. Ads can be put where the retriever knows
        ads by more than their ids, and reads the copy as the ranker does.
      imitates: whether it has learned from the ranker's logits.
    """

    def __init__(
        self,
        retriever: AdRetriever,
        scorer: Scorer,
        more: Catalogue | None,
        *,
        features: Sequence[Feature],
        reader: AdReader,
        imitates: bool,
    ) -> None:
        super().__init__()
        self.imitates = imitates
        self._reader = AdReader(retriever, features)
        self.columns = self._reader.columns
        self.takes_ads = bool(self.columns) and self._reader.agrees(reader)
        self._retriever = Untracked(retriever)
        self._scorer = scorer
        tables = catalogue_tables(retriever, more)
        self._biases = growing(tables["bias"].astype(np.float32))
        self._history = growing(tables["vector"].astype(np.float32))

    def catalogue(self) -> np.ndarray:
        """See `Vectors`."""
        biases = self._biases.numpy()[:, None]
        return np.concatenate([self._history.numpy(), biases], axis=1)

    def put(
        self, rows: tf.Tensor, parts: Tensors, columns: Tensors
    ) -> tf.Tensor:
        """See `Vectors`; the ranker's parts tell a retriever nothing."""
        ads = self._reader.encode(columns, tf.shape(rows))
        put(self._history, rows, ads["vector"])
        put(self._biases, rows, ads["bias"])
        return self.of_rows(rows)

    def of_rows(self, rows: tf.Tensor) -> tf.Tensor:
        """See `Vectors`."""
        vectors, biases = (
            at_rows(self._history, rows),
            at_rows(self._biases, rows),
        )
        return tf.concat([vectors, biases[..., None]], -1)

    def users(
        self, request: Mapping[str, tf.Tensor], side: UserSide
    ) -> tf.Tensor:
        """See `Vectors`."""
        inputs, ids = self._scorer.requests.read_user(request)
        rows = self._scorer.ads.rows(ids)
        history = {"vector": at_rows(self._history, rows)}
        return self._retriever.value.user_vectors(inputs, history)


class RankerVectors(tf.Module):
    """Those that imitate a ranker.

    Args:
      vectors: learned of this scorer.
      scorer: the ranker and the ads of the bundle.
    """

    takes_ads = True
    columns = frozenset[str]()
    imitates = True

    def __init__(self, vectors: AnchorVectors, scorer: Scorer) -> None:
        super().__init__()
        self._vectors, self._scorer = vectors, scorer

    def catalogue(self) -> np.ndarray:
        """See `Vectors`."""
        return catalogue_vectors(self._scorer, self._vectors)

    def users(
        self, request: Mapping[str, tf.Tensor], side: UserSide
    ) -> tf.Tensor:
        """See `Vectors`."""
        anchors = self._vectors.anchors.read_value()
        return self._vectors.users(known_of(self._scorer, side, anchors))

    def put(
        self, rows: tf.Tensor, parts: Tensors, columns: Tensors
    ) -> tf.Tensor:
        """See `Vectors`."""
        return self._of_parts(parts)

    def _of_parts(self, parts):
        return self._vectors.ads(ad_features(parts))

    def of_rows(self, rows: tf.Tensor) -> tf.Tensor:
        """See `Vectors`."""
        # Encoded again: a table by row would take the memory of the index.
        flat = tf.reshape(rows, [-1])
        vectors = self._of_parts(self._scorer.ads.of_rows(flat))
        shape = tf.concat([tf.shape(rows), tf.shape(vectors)[1:]], 0)
        return tf.reshape(vectors, shape)


def check_sizes(retriever: AdRetriever, dataset: Dataset) -> None:
    """Refuses a retriever of another dataset.

    Raises:
      InputError: where it is of another number of ads or users.
    """
    for what, known, there in (
        ("ads", retriever.ad_tower.num_rows - 1, len(dataset.catalogue)),
        ("users", retriever.user_tower.num_users - 1, len(dataset.user_ids)),
    ):
        if known not in (-1, there):
            raise InputError(
                "a retriever must be made with the ranker's dataset. Received: "
                f"one of {known} {what}, and a dataset of {there}. Train it on "
                "that one."
            )
