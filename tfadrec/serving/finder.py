"""Candidates for users: a retriever's vectors, and an index of the ads'."""

from collections.abc import Mapping, Sequence

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRetriever
from tfadrec.retrieval import build_index
from tfadrec.serving.catalogue_column import catalogue_column
from tfadrec.serving.catalogue_tables import catalogue_tables
from tfadrec.serving.known_ads import KnownAds
from tfadrec.serving.readers.codes import Codes
from tfadrec.serving.request_reader import RequestReader
from tfadrec.serving.untracked import Untracked

#: Before the name of a feature in the input that filters by it.
ALLOW = "allow_"
#: Rows of the dataset whose users tell how many lists of the index are read.
_QUERIES = 256


class Finder(tf.Module):
    """Finds the ads of the largest inner product with a user's vector.

    Args:
      retriever: a built retriever of the same ads and users.
      dataset: gives the catalogue and its features; its rows, where there are
        some, tell how much of the index has to be read.
      requests: reads users.
      ads: those of the bundle.
      more: ads beside the catalogue's; they have the columns that the retriever
        reads.
      filters: names of ad features of kind category, by which requests may
        filter.

    Raises:
      InputError: where the retriever is of another dataset, or a filter is no
        such feature or its input has the name of another.
    """

    def __init__(
        self,
        retriever: AdRetriever,
        dataset: Dataset,
        requests: RequestReader,
        ads: KnownAds,
        *,
        more: Catalogue | None = None,
        filters: Sequence[str] = (),
    ) -> None:
        super().__init__()
        _check_sizes(retriever, dataset)
        features = [dataset.schema.ad_category(name) for name in filters]
        self._codes = {f.tensor: Codes(f) for f in features}
        taken = set(requests.user_specs()) & set(self.specs())
        if taken:
            raise InputError(
                "a filter's input must have a name of its own. Received: "
                f"{', '.join(sorted(taken))}, which is a feature, too. Rename "
                "that feature."
            )
        self._retriever = Untracked(retriever)
        self._requests, self._ads = requests, ads
        tables = catalogue_tables(retriever, more)
        vectors = tables.pop("vector").astype(np.float32)
        biases = tables.pop("bias").astype(np.float32)
        self._history = tf.Variable(vectors, trainable=False)
        self.index = build_index(
            np.concatenate([vectors, biases[:, None]], axis=1),
            columns={
                f.tensor: catalogue_column(f.tensor, dataset, more)
                for f in features
            },
            queries=_users(retriever, dataset),
        )

    def specs(self) -> dict[str, tf.TensorSpec]:
        """The inputs that filter: string [B, A] each."""
        return {
            ALLOW + name: tf.TensorSpec([None, None], tf.string, ALLOW + name)
            for name in self._codes
        }

    def find(
        self,
        request: Mapping[str, tf.Tensor],
        unwanted: tf.Tensor,
        k: tf.Tensor | int,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The `k` ads of the largest inner products with each user's vector.

        Args:
          request: user, history, context, and the inputs of `specs`.
          unwanted: int32 [B, E] rows of ads to leave out.
          k: int32 scalar.

        Returns:
          int32 [B, k] rows and float32 [B, k] inner products, best first; row 0
          and -inf where no more are left.
        """
        inputs, ids = self._requests.read_user(request)
        history = {"vector": tf.gather(self._history, self._ads.rows(ids))}
        users = self._retriever.value.user_vectors(inputs, history)
        allowed = {}
        for name, codes in self._codes.items():
            texts = request[ALLOW + name]
            allowed[name] = tf.where(texts == "", -1, codes(texts))
        return self.index.search(users, k, unwanted, allowed)


def _users(retriever: AdRetriever, dataset: Dataset) -> np.ndarray | None:
    """The vectors of some rows' users; None without rows."""
    if not len(dataset):
        return None
    count = min(len(dataset), _QUERIES)
    rows = np.linspace(0, len(dataset) - 1, count).astype(np.int64)
    inputs, *_ = next(iter(dataset.select(rows).batches(count)))
    return retriever(inputs)["user"].numpy()


def _check_sizes(retriever: AdRetriever, dataset: Dataset) -> None:
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
