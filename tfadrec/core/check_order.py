"""Which features of ads an answer can be ordered by."""

from collections.abc import Iterable

from tfadrec.core.schema import Schema

#: The vectors of the ads' copy, which may be none of the schema's features.
COPY = "text"
#: What `diversify` is called in messages.
DIVERSIFY = f"`diversify`, unless it is {COPY},"


def check_order(
    schema: Schema,
    bid: str | None,
    diversify: str | None,
    caps: Iterable[str],
) -> None:
    """Refuses what is no such feature of ads.

    Args:
      schema: of the dataset.
      bid: a number of ads, or None.
      diversify: a vector of ads, that of their copy included, or None.
      caps: categories of ads.

    Raises:
      InputError: with those that there are.
    """
    if bid is not None:
        schema.ad_feature(bid, "number", "a bid")
    if diversify not in (None, COPY):
        schema.ad_feature(str(diversify), "vector", DIVERSIFY)
    for name in caps:
        schema.ad_feature(name, "category", "a cap")
