"""Ads that join a bundle after its export."""

from collections.abc import Sequence

from tfadrec.core.door import tf
from tfadrec.core.feature import Feature
from tfadrec.serving.ad_order import AdOrder
from tfadrec.serving.ad_reader import AdReader
from tfadrec.serving.finder import Finder
from tfadrec.serving.known_ads import KnownAds
from tfadrec.serving.readers import readers_of
from tfadrec.serving.request_reader import Specs

#: The input with the ads' ids.
IDS = "new_ads"


class AdAdder(tf.Module):
    """Encodes ads by their columns, and puts them behind those of a bundle.

    It is a function of the SavedModel and no signature: a server never calls
    it. Nothing is built anew, as an index scores all rows that came later.

    Args:
      reader: of new ads.
      ads: those of the bundle.
      features: the schema's ad features.
      finder: of candidates, if there is one.
      order: of the ads that are given.
    """

    def __init__(
        self,
        reader: AdReader,
        ads: KnownAds,
        features: Sequence[Feature],
        finder: Finder | None,
        order: AdOrder,
    ) -> None:
        super().__init__()
        self._reader, self._ads = reader, ads
        self._finder, self._order = finder, order
        known = {feature.tensor: feature for feature in features}
        read = {*order.columns, *(finder.filters if finder else ())}
        self._readers = readers_of(known[n] for n in sorted(read & set(known)))
        #: Whether all that is known of an ad can be given.
        self.is_able = (
            bool(reader.specs(1))
            and read <= set(known)
            and (finder is None or finder.vectors.takes_ads)
        )

    def specs(self) -> Specs:
        """The ids, and the raw columns of ads, leading axis [n]."""
        ids = tf.TensorSpec([None], self._ads.id_type, IDS)
        specs = {IDS: ids} | self._reader.specs(
            1, as_tokens=not self._reader.reads_text
        )
        for reader in self._readers:
            specs |= reader.specs([None])
        return specs

    def add(self, *, new_ads: tf.Tensor, **columns: tf.Tensor) -> tf.Tensor:
        """Adds ads, and gives their number.

        Args:
          new_ads: distinct ids of ads that are not there.
          **columns: see `specs`.
        """
        read = {
            name: values
            for reader in self._readers
            for name, values in reader.read(columns).items()
        }
        parts = self._reader(columns)
        rows = self._ads.append(new_ads, parts)
        if self._finder is not None:
            self._finder.append(rows, parts, read)
        self._order.append(columns, read)
        return tf.size(rows)
