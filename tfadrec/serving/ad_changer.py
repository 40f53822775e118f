"""Ads that join a bundle after its export, change in it, or leave it."""

from collections.abc import Sequence

from tfadrec.core.door import tf
from tfadrec.core.feature import Feature
from tfadrec.retrieval import FOREVER, RowFilter
from tfadrec.serving.ad_expiry import EXPIRES
from tfadrec.serving.ad_order import AdOrder
from tfadrec.serving.ad_reader import AdReader
from tfadrec.serving.finder import Finder
from tfadrec.serving.known_ads import KnownAds
from tfadrec.serving.re_ranking import ReRanker
from tfadrec.serving.readers import readers_of
from tfadrec.serving.request_reader import Specs

#: The input with the ads' ids.
IDS = "new_ads"


class AdChanger(tf.Module):
    """Changes the ads of a bundle, row by row.

    Its methods are functions of the SavedModel and no signatures: a server
    never calls them. Nothing is built anew, as an index scores all rows that
    were put later. An ad that was removed is known still, since histories name
    it; it is open no more.

    Args:
      reader: of new ads.
      ads: those of the bundle.
      features: the schema's ad features.
      finder: of candidates, if there is one.
      order: of the ads that are given.
      offer: which of the ads are given; the finder's, if there is one.
      expires: whether ads have a moment from which on they are not.
      re_ranker: which reads their copy, if there is one.
    """

    def __init__(
        self,
        reader: AdReader,
        ads: KnownAds,
        features: Sequence[Feature],
        finder: Finder | None,
        order: AdOrder,
        offer: RowFilter,
        *,
        expires: bool,
        re_ranker: ReRanker | None = None,
    ) -> None:
        super().__init__()
        self._reader, self._ads = reader, ads
        self._finder, self._order = finder, order
        self._offer, self._expires = offer, expires
        self._re_ranker = re_ranker
        known = {feature.tensor: feature for feature in features}
        read = {*order.columns, *(finder.columns if finder else ())}
        own = read - reader.columns
        self._readers = readers_of(known[n] for n in sorted(own & set(known)))
        #: Whether all that is known of an ad can be given.
        self.takes_ads = (
            bool(reader.specs(1))
            and own <= set(known)
            and (finder is None or finder.vectors.takes_ads)
            and (re_ranker is None or re_ranker.takes_ads)
        )

    def id_specs(self) -> Specs:
        """The ids of ads, [n]."""
        return {IDS: tf.TensorSpec([None], self._ads.id_type, IDS)}

    def specs(self) -> Specs:
        """The ids, and the raw columns of ads, leading axis [n]."""
        specs = self.id_specs() | self._reader.specs(
            1, as_tokens=not self._reader.reads_text
        )
        for reader in self._readers:
            specs |= reader.specs([None])
        if self._re_ranker is not None:
            specs |= self._re_ranker.specs()
        if self._expires:
            specs[EXPIRES] = tf.TensorSpec([None], tf.int64, EXPIRES)
        return specs

    def has(self, *, new_ads: tf.Tensor) -> tf.Tensor:
        """Which of some ids [n] are of ads that were not removed, bool [n]."""
        return ~self._offer.is_closed(self._ads.rows(new_ads))

    def put(self, *, new_ads: tf.Tensor, **columns: tf.Tensor) -> tf.Tensor:
        """Adds ads, or changes those that are there, and gives their number.

        Args:
          new_ads: distinct ids.
          **columns: see `specs`.
        """
        read = self._reader.read(columns)
        for reader in self._readers:
            read |= reader.read(columns)
        parts = self._reader.encode(read, tf.shape(new_ads))
        rows = self._ads.put(new_ads, parts)
        until = columns.get(EXPIRES, tf.fill(tf.shape(rows), FOREVER))
        if self._finder is not None:
            self._finder.put(rows, parts, read, until)
        else:
            self._offer.put(rows, {}, until)
        self._order.put(rows, columns, read)
        if self._re_ranker is not None:
            self._re_ranker.put(rows, columns)
        return tf.size(rows)

    def remove(self, *, new_ads: tf.Tensor) -> tf.Tensor:
        """Has ads given no more, and gives their number.

        Args:
          new_ads: distinct ids of ads that are there.
        """
        self._offer.close(self._ads.rows(new_ads))
        return tf.size(new_ads)
