"""How often an ad, a user or a category was met before."""

from typing import ClassVar

from tfadrec.data.features.rate import Rate


class Count(Rate):
    """The rows of a key as of the impression's moment: log(1 + n).

    Settings: `of` and `days`, see `Rate`; `among`, the rows: `impressions`, or
    the `events` of the log, but for those of ads that were skipped.
    """

    settings: ClassVar = {"days": 0, "among": "impressions"}
    limits: ClassVar = (0.0, 44.0)
