"""In what order ads are given: by bids, unlike each other, within caps."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.dataset import Dataset
from tfadrec.data.features import decode
from tfadrec.ops.choose import choose
from tfadrec.serving.catalogue_column import catalogue_column
from tfadrec.serving.request_reader import Specs

#: How unlike the ads of an answer are to be, and before the name of a feature
#: in the input that bounds how many ads have one value of it.
DIVERSITY, CAP = "diversity", "cap_"
# A number of a unit vector in a byte; what is made of it is off by .004.
_SCALE = 127


@dataclasses.dataclass(frozen=True)
class OrderSettings:
    """What else than the score the ads of an answer are chosen by.

    Args:
      bid: a number of ads that their score is multiplied by: what a click is
        worth, or a conversion where conversions are a task. An ad without one
        is worth nothing.
      diversify: a vector of ads, such as `text`, by whose cosine they are like
        each other.
      caps: categories of ads, of each of which requests may bound how many ads
        have one value.
    """

    bid: str | None = None
    diversify: str | None = None
    caps: tuple[str, ...] = ()

    def check(self, schema: Schema) -> None:
        """Refuses what is no such feature of ads.

        Raises:
          InputError: with those that there are. The vector `text` may be none
            of the schema's, as it is made of the ads' copy.
        """
        if self.bid is not None:
            schema.ad_feature(self.bid, "number", "a bid")
        if self.diversify not in (None, "text"):
            schema.ad_feature(self.diversify, "vector", "`diversify`")
        for name in self.caps:
            schema.ad_feature(name, "category", "a cap")


class AdOrder(tf.Module):
    """Chooses among scored ads; core TensorFlow ops only.

    Args:
      settings: what it chooses by.
      dataset: gives the catalogue and its features.
      more: ads beside the catalogue's, with the same columns.
      taken: the inputs that a request has besides.

    Raises:
      InputError: where a setting is no such feature, or an input has the name
        of another.
    """

    def __init__(
        self,
        settings: OrderSettings,
        dataset: Dataset,
        more: Catalogue | None,
        taken: Specs,
    ) -> None:
        super().__init__()
        schema = dataset.schema
        settings.check(schema)
        self._bids = self._units = None
        if settings.bid is not None:
            feature = schema.ad_feature(settings.bid, "number", "a bid")
            self._bids = tf.Variable(
                _bids(feature, dataset, more), trainable=False
            )
        if settings.diversify is not None:
            self._units = tf.Variable(
                _units(_vector(settings.diversify, dataset), dataset, more),
                trainable=False,
            )
        caps = [
            schema.ad_feature(n, "category", "a cap") for n in settings.caps
        ]
        self._groups = {
            f.tensor: tf.Variable(
                catalogue_column(f.tensor, dataset, more), trainable=False
            )
            for f in caps
        }
        same = set(taken) & set(self.specs())
        if same:
            raise InputError(
                "inputs of a request must have names of their own. Received: "
                f"{', '.join(sorted(same))}, which is a feature, too. Rename "
                "that feature."
            )

    @property
    def chooses(self) -> bool:
        """Whether an ad's place depends on the others."""
        return bool(self.specs())

    @property
    def has_bids(self) -> bool:
        """Whether the catalogue tells what a click is worth."""
        return self._bids is not None

    def specs(self) -> Specs:
        """The inputs that it reads, leading axis [B]."""
        specs = {CAP + n: _spec(CAP + n, tf.int32) for n in self._groups}
        if self._units is not None:
            specs[DIVERSITY] = _spec(DIVERSITY, tf.float32)
        return specs

    def bids(self, rows: tf.Tensor) -> tf.Tensor:
        """What a click on ads is worth, float32 [...], of their rows [...]."""
        return tf.gather(self._bids, rows)

    def choose(
        self,
        request: Mapping[str, tf.Tensor],
        worth: tf.Tensor,
        rows: tf.Tensor,
        count: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """See `ops.choose.choose`, whose `worth` is of the ads `rows`."""
        choice = {}
        if self._units is not None:
            units = tf.cast(tf.gather(self._units, rows), tf.float32)
            choice = {"units": units / _SCALE, "diversity": request[DIVERSITY]}
        caps = [
            (tf.gather(codes, rows), request[CAP + name])
            for name, codes in self._groups.items()
        ]
        return choose(worth, count, caps=caps, **choice)


def _spec(name: str, dtype: tf.DType) -> tf.TensorSpec:
    return tf.TensorSpec([None], dtype, name)


def _vector(name: str, dataset: Dataset) -> str:
    """The vector column of the catalogue."""
    if name not in dataset.catalogue.columns:
        name = dataset.schema.ad_feature(name, "vector", "`diversify`").tensor
    return name


def _bids(
    feature: Feature, dataset: Dataset, more: Catalogue | None
) -> np.ndarray:
    """The bids of all ads by row, float32 [N + 1 + M], >= 0."""
    column = catalogue_column(feature.tensor, dataset, more)
    raw = decode({feature.tensor: column}, [feature])[feature.tensor]
    bids = np.maximum(np.nan_to_num(raw, nan=0.0), 0).astype(np.float32)
    bids[0] = 0  # of the unknown ad
    return bids


def _units(name: str, dataset: Dataset, more: Catalogue | None) -> np.ndarray:
    """Vectors of length one in bytes, int8 [N + 1 + M, W]."""
    vectors = catalogue_column(name, dataset, more)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.rint(_SCALE * vectors / np.maximum(lengths, 1e-12)).astype(
        np.int8
    )
