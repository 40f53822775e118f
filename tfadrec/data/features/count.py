"""How often an ad, a user or a category was shown before."""

from typing import ClassVar

from tfadrec.data.features.rate import Rate


class Count(Rate):
    """The impressions of a key as of the impression's moment: log(1 + n).

    Settings: `of` and `days`, see `Rate`.
    """

    settings: ClassVar = {"days": 0}
    limits: ClassVar = (0.0, 44.0)
