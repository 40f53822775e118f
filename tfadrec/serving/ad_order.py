"""In what order ads are given: by bids, unlike each other, within caps."""

import dataclasses
from collections.abc import Mapping

from tfadrec.core.check_order import COPY, DIVERSIFY, check_order
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.growing import at_rows, growing, put
from tfadrec.core.schema import Schema
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.dataset import Dataset
from tfadrec.data.features import decode
from tfadrec.ops.choose import choose
from tfadrec.serving.catalogue_column import catalogue_column
from tfadrec.serving.request_reader import Specs
from tfadrec.serving.scorer import Tensors

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

    @property
    def by_copy(self) -> bool:
        """Whether ads are alike by the vectors of their copy."""
        return self.diversify == COPY

    def check(self, schema: Schema) -> None:
        """Refuses what is no such feature of ads.

        Raises:
          InputError: with those that there are.
        """
        check_order(schema, self.bid, self.diversify, self.caps)


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
        self._bids = self._units = self._bid = self._vector = None
        if settings.bid is not None:
            feature = schema.ad_feature(settings.bid, "number", "a bid")
            self._bid = feature.tensor
            self._bids = growing(_bids(feature, dataset, more))
        if settings.diversify is not None:
            self._vector = _vector(settings.diversify, dataset)
            vectors = catalogue_column(self._vector, dataset, more)
            self._units = growing(_in_bytes(vectors))
        caps = [
            schema.ad_feature(n, "category", "a cap") for n in settings.caps
        ]
        self._groups = {
            f.tensor: growing(catalogue_column(f.tensor, dataset, more))
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

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of ads that it reads."""
        one = [name for name in (self._bid, self._vector) if name is not None]
        return (*one, *self._groups)

    def put(self, rows: tf.Tensor, raw: Tensors, columns: Tensors) -> None:
        """Sets what is known of ads, which may be new ones.

        Args:
          rows: int32 [n].
          raw: `columns` as requests have them, [n, ...].
          columns: the same as a ranker reads them.

        Raises:
          tf.errors.InvalidArgumentError: for bids below 0.
        """
        if self._bids is not None and self._bid is not None:
            bids = raw[self._bid]
            is_fit = ~tf.reduce_any(bids < 0)
            told = f"bids, here of `{self._bid}`, must be >= 0"
            with tf.control_dependencies([tf.debugging.Assert(is_fit, [told])]):
                put(self._bids, rows, _as_bids(bids))
        if self._units is not None and self._vector is not None:
            put(self._units, rows, _in_bytes(columns[self._vector]))
        for name, table in self._groups.items():
            put(table, rows, columns[name])

    def bids(self, rows: tf.Tensor) -> tf.Tensor:
        """What a click on ads is worth, float32 [...], of their rows [...]."""
        return at_rows(self._bids, rows)

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
            units = tf.cast(at_rows(self._units, rows), tf.float32)
            choice = {"units": units / _SCALE, "diversity": request[DIVERSITY]}
        caps = [
            (at_rows(codes, rows), request[CAP + name])
            for name, codes in self._groups.items()
        ]
        return choose(worth, count, caps=caps, **choice)


def _spec(name: str, dtype: tf.DType) -> tf.TensorSpec:
    return tf.TensorSpec([None], dtype, name)


def _vector(name: str, dataset: Dataset) -> str:
    """The vector column of the catalogue."""
    if name not in dataset.catalogue.columns:
        name = dataset.schema.ad_feature(name, "vector", DIVERSIFY).tensor
    return name


def _bids(
    feature: Feature, dataset: Dataset, more: Catalogue | None
) -> tf.Tensor:
    """The bids of all ads by row, float32 [N + 1 + M], >= 0."""
    column = catalogue_column(feature.tensor, dataset, more)
    raw = decode({feature.tensor: column}, [feature])[feature.tensor]
    raw[0] = 0  # of the unknown ad
    return _as_bids(tf.constant(raw))


def _as_bids(raw: tf.Tensor) -> tf.Tensor:
    """Numbers as bids, float32; nothing where one is missing or below 0."""
    bids = tf.cast(raw, tf.float32)
    return tf.where((bids > 0) & tf.math.is_finite(bids), bids, 0.0)


def _in_bytes(vectors: tf.Tensor) -> tf.Tensor:
    """Vectors of length one in bytes, int8 [n, W]."""
    units = tf.math.l2_normalize(tf.cast(vectors, tf.float32), axis=1)
    return tf.cast(tf.round(_SCALE * units), tf.int8)
