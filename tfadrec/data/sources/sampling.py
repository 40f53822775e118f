"""Candidates that were not bought, for logs that hold purchases only."""

import logging
from typing import Literal

import numpy as np
import pyarrow as pa

from tfadrec.core.errors import InputError
from tfadrec.data.columns import as_codes, rows_of
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.sources.dealing import deal, decks
from tfadrec.data.sources.periods import periods_of, shortest_period

_LOG = logging.getLogger(__name__)

#: Negatives for a purchase, at most. Each is a row, so a slip of the pen would
#: fill the memory.
MOST_NEGATIVES = 1000
#: Rows that are made.
_MOST_ROWS = 10**9


def with_negatives(
    purchases: pa.Table,
    catalogue: pa.Array,
    *,
    negatives_per_positive: int,
    strategy: Literal["popularity", "uniform"],
    period: Literal["auto", "day", "week", "month", "year", "all"],
    seed: int,
    ledger: Ledger,
) -> pa.Table:
    """Impressions out of purchases, with sampled ads that were not bought.

    Every purchase counts as clicked and converted; an ad that stands in a
    request twice counts once. Each purchase is given negatives that share its
    request, user, time and context. They are ads that were bought in the same
    period and split by somebody: what is to be bought in another cannot be read
    off them. The ads of a request are distinct: none was bought in it, and
    none is drawn twice. An ad that the user bought in another request may be
    drawn; were it not, an ad in the history would never be a negative, and a
    model could read the labels off that.

    Args:
      purchases: request_id, user_id, ad_id, timestamp, and context columns.
      catalogue: [N] ad ids.
      negatives_per_positive: k, from 1 to 1000.
      strategy: `popularity` makes an ad k times a negative for each of its
        purchases in the period, `uniform` takes all ads that were bought in
        the period equally often.
      period: how long a period is, see `shortest_period` for `auto`.
      seed: of the draws.
      ledger: is told what was folded or left out.

    Returns:
      The purchases and their negatives, with the columns `clicked` and
      `converted`, request by request and in random order within one.

    Raises:
      InputError: where that would be more rows than can be held, or there is
        no negative at all.
    """
    _LOG.info("Sampling negatives")
    request, first, bought = _folded(purchases, catalogue, ledger)
    times = purchases["timestamp"].to_numpy()[first]
    every_ad_alike = strategy == "uniform"
    chosen: str = period
    if period == "auto":
        chosen = shortest_period(
            times,
            bought // len(catalogue),
            bought % len(catalogue),
            negatives_per_positive=negatives_per_positive,
            every_ad_alike=every_ad_alike,
        )
    if len(first) * negatives_per_positive > _MOST_ROWS:
        raise InputError(
            f"sampling makes at most {_MOST_ROWS:,} rows. Received: "
            f"{len(first):,} purchases with {negatives_per_positive:,} "
            "negatives each. Take fewer negatives_per_positive."
        )
    periods = _in_splits(purchases, first, periods_of(times, chosen))
    order = np.argsort(periods, kind="stable")
    first, bought, periods = first[order], bought[order], periods[order]

    rng = np.random.default_rng(seed)
    parents = np.repeat(np.arange(len(first)), negatives_per_positive)
    cards = decks(
        periods,
        bought % len(catalogue),
        negatives_per_positive=negatives_per_positive,
        every_ad_alike=every_ad_alike,
        rng=rng,
    )
    drawn, empty = deal(
        cards,
        requests=request[first[parents]],
        periods=periods[parents],
        bought=bought,
        num_ads=len(catalogue),
        rng=rng,
    )
    if len(parents) and len(empty) == len(parents):
        raise InputError(
            "sampling must find ads that were not bought in a request. "
            f"Received: {len(first):,} purchases, and no other ads that were "
            f"bought {_within(chosen)}. Take a longer `period`, or more "
            "purchases."
        )
    _tell(chosen, len(parents), len(empty), ledger)
    found = np.delete(np.arange(len(parents)), empty)
    rows = np.concatenate([first, first[parents[found]]])
    ads = np.concatenate([bought % len(catalogue), drawn[found]])
    positive = np.arange(len(rows)) < len(first)
    # A purchase must not be told by its place among the rows of its request.
    order = np.lexsort((rng.random(len(rows)), request[rows]))
    table = purchases.take(pa.array(rows[order]))
    label = pa.array(positive[order].astype(np.int8))
    place = table.column_names.index("ad_id")
    table = table.set_column(
        place, "ad_id", catalogue.take(pa.array(ads[order]))
    )
    return table.append_column("clicked", label).append_column(
        "converted", label
    )


def _in_splits(
    purchases: pa.Table, first: np.ndarray, periods: np.ndarray
) -> np.ndarray:
    """Periods [n] of which each has rows of one split only.

    An ad has as many negatives as its purchases in a period ask for. Were the
    splits dealt together, an ad with few of its purchases in one split would
    have the more negatives there: its rate in training would tell the others.
    """
    if "split" not in purchases.column_names:
        return periods
    splits = purchases["split"].combine_chunks().dictionary_encode()
    codes = splits.indices.to_numpy()[first].astype(np.int64)
    keys = periods * len(splits.dictionary) + codes
    return np.unique(keys, return_inverse=True)[1].astype(np.int64)


def _folded(
    purchases: pa.Table, catalogue: pa.Array, ledger: Ledger
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Requests by number, and the first purchase of an ad in each.

    Returns:
      int64 [n], the request of each purchase, from 0 on; int64 [m], the rows
      of first purchases; int64 [m], their `request * N + ad`.
    """
    requests = as_codes(purchases["request_id"])
    request = requests.indices.to_numpy().astype(np.int64)
    ad = rows_of(purchases["ad_id"], catalogue) - 1
    keys = request * len(catalogue) + ad
    _, first = np.unique(keys, return_index=True)
    if len(first) < len(keys):
        ledger.note(
            f"{len(keys) - len(first)} purchases repeat an ad of their request "
            "and are folded into its first purchase"
        )
    return request, first, keys[first]


def _within(period: str) -> str:
    if period == "all":
        return "in the whole log"
    return f"within the {period} of the purchase"


def _tell(period: str, wanted: int, missing: int, ledger: Ledger) -> None:
    """Notes how many negatives there are, and out of what they came."""
    within = _within(period)
    if missing:
        ledger.note(
            f"{missing} of {wanted} negatives are left out: too few other ads "
            f"were bought {within}, or in too few requests"
        )
    ledger.note(
        f"{wanted - missing} negatives are sampled out of what was bought "
        f"{within}"
    )
