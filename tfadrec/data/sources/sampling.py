"""Candidates that were not bought, for logs that hold purchases only."""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from tfadrec.core.errors import InputError
from tfadrec.data.columns import distinct, rows_of
from tfadrec.data.intake import limits
from tfadrec.data.intake.beside import FIRST, HELPER, arrays_of, beside
from tfadrec.data.intake.ledger import Ledger
from tfadrec.data.intake.order import even_bounds
from tfadrec.data.intake.parts import Parts
from tfadrec.data.intake.request_rows import request_rows
from tfadrec.data.intake.spilled_table import SpilledTable, array_of
from tfadrec.data.intake.user_rows import share_users
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.sources.dealing import deal, decks
from tfadrec.data.sources.hands import Hands
from tfadrec.data.sources.periods import shortest_period

_LOG = logging.getLogger(__name__)

#: Negatives for a purchase, at most. Each is a row, so a slip of the pen would
#: fill the disk.
MOST_NEGATIVES = 1000
#: Rows that are made.
_MOST_ROWS = 10**9


def with_negatives(
    purchases: SpilledTable,
    catalogue: pa.Array,
    *,
    negatives_per_positive: int,
    strategy: Literal["popularity", "uniform"],
    period: Literal["auto", "day", "week", "month", "year", "all"],
    seed: int,
    ledger: Ledger,
    workspace: Workspace,
) -> SpilledTable:
    """Impressions out of purchases, with sampled ads that were not bought.

    Every purchase counts as clicked and converted; an ad that stands in a
    request twice counts once. Each purchase is given negatives that share its
    request, user, time and context. They are ads that were bought in the same
    period and split by somebody: what is to be bought in another cannot be read
    off them. The ads of a request are distinct: none was bought in it, and
    none is drawn twice. An ad that the user bought in another request may be
    drawn; were it not, an ad in the history would never be a negative, and a
    model could read the labels off that.

    Purchases are folded in parts, which are ranges of requests; dealt in hands,
    see `Hands`; and put together in the same parts. One of these is in memory
    at a time. The rows do not depend on the parts.

    Args:
      purchases: request_id, or requests are told apart as `requests_of` says;
        user_id, ad_id, timestamp, and context columns.
      catalogue: [N] ad ids.
      negatives_per_positive: k, from 1 to 1000.
      strategy: `popularity` makes an ad k times a negative for each of its
        purchases in the period, `uniform` takes all ads that were bought in
        the period equally often.
      period: how long a period is, see `shortest_period` for `auto`.
      seed: of the draws.
      ledger: is told what was folded or left out.
      workspace: where files are made.

    Returns:
      The purchases and their negatives, with the columns `clicked` and
      `converted`, request by request and in random order within one.

    Raises:
      InputError: where that would be more rows than can be made, or there is
        no negative at all.
    """
    _LOG.info("Sampling negatives")
    if len(purchases) * negatives_per_positive > _MOST_ROWS:
        raise InputError(
            f"sampling makes at most {_MOST_ROWS:,} rows. Received: "
            f"{len(purchases):,} purchases with {negatives_per_positive:,} "
            "negatives each. Take fewer negatives_per_positive."
        )
    part_of, parts = _by_request(purchases, negatives_per_positive, workspace)
    bought = _folded(parts, catalogue, _splits(purchases), workspace)
    if len(bought) < len(purchases):
        ledger.note(
            f"{len(purchases) - len(bought)} purchases repeat an ad of their "
            "request and are folded into its first purchase"
        )
    settings: dict[str, Any] = {
        "negatives_per_positive": negatives_per_positive,
        "every_ad_alike": strategy == "uniform",
    }
    chosen: str = period
    if period == "auto":
        by_ad = _by_ad(bought, len(catalogue), parts.count, workspace)
        chosen = shortest_period(
            lambda: _arrays(bought.batches(), "time", "request"),
            lambda: _arrays(map(by_ad.part, range(by_ad.count)), "time", "ad"),
            **settings,
        )
    hands = Hands(
        bought, chosen, len(catalogue), negatives_per_positive, workspace
    )
    rng = np.random.default_rng(seed)
    dealt = (
        _dealt(*hand, num_ads=len(catalogue), rng=rng, **settings)
        for hand in hands
    )
    shown = Parts(
        ((rows, part_of(array_of(rows, "request"))) for rows in dealt),
        parts.count,
        workspace,
    )
    found = SpilledTable(workspace)
    for number in range(parts.count):
        rows = _distinct(shown.part(number), len(catalogue))
        found.append(_shown(parts.part(number), rows, catalogue))
    wanted = len(bought) * negatives_per_positive
    sampled = len(found) - len(bought)
    if wanted and not sampled:
        raise InputError(
            "sampling must find ads that were not bought in a request. "
            f"Received: {len(bought):,} purchases, and no other ads that were "
            f"bought {_within(chosen)}. Take a longer `period`, or more "
            "purchases."
        )
    _tell(chosen, wanted, wanted - sampled, ledger)
    return found


def _by_request(
    purchases: SpilledTable, negatives: int, workspace: Workspace
) -> tuple[Callable[[np.ndarray], np.ndarray], Parts]:
    """Parts that have room for the negatives too, and the part of a request.

    Requests are called by their first rows.
    """
    if "request_id" not in purchases.column_names:
        share_users([purchases], None, workspace)
    requests = request_rows(purchases, workspace)
    times = 1 + negatives
    count = limits.parts_of(times * len(purchases), times * purchases.nbytes)
    bounds = even_bounds(
        (array_of(of, "first") for of in requests.batches(["first"])), count
    )

    def part_of(requests: np.ndarray) -> np.ndarray:
        return np.searchsorted(bounds, requests, side="right")

    def numbered() -> Iterator[tuple[pa.Table, np.ndarray]]:
        pairs = zip(
            purchases.batches(), requests.batches(["first"]), strict=True
        )
        for batch, of in pairs:
            yield beside(batch, of), part_of(array_of(of, "first"))

    return part_of, Parts(numbered(), count, workspace)


def _splits(purchases: SpilledTable) -> pa.Array:
    """Those of the rows, in the order in which they appear."""
    if "split" not in purchases.column_names:
        return pa.array([], pa.string())
    names = (distinct(b["split"]) for b in purchases.batches(["split"]))
    return pa.chunked_array(names).unique()


def _folded(
    parts: Parts, catalogue: pa.Array, splits: pa.Array, workspace: Workspace
) -> SpilledTable:
    """The first purchase of each ad in each request.

    Returns:
      `request`, `ad`, `time` and `split`, and `row`, its place in its part; by
      request and ad, a batch for each part.
    """
    found = SpilledTable(workspace)
    for number in range(parts.count):
        table = parts.part(number)
        request, time = arrays_of(table, FIRST, "timestamp")
        ad = rows_of(table["ad_id"], catalogue).astype(np.int64) - 1
        split = np.zeros(len(table), np.int64)
        if len(splits):
            split = rows_of(table["split"], splits).astype(np.int64)
        _, row = np.unique(request * len(catalogue) + ad, return_index=True)
        columns = {"request": request, "ad": ad, "time": time, "split": split}
        first = {name: values[row] for name, values in columns.items()}
        found.append(pa.table(first | {"row": row}))
    return found


def _by_ad(
    bought: SpilledTable, num_ads: int, count: int, workspace: Workspace
) -> Parts:
    """The purchases in parts that hold ads whole."""
    return Parts(
        (
            (batch, array_of(batch, "ad") * count // num_ads)
            for batch in bought.batches(["time", "ad"])
        ),
        count,
        workspace,
    )


def _dealt(
    bought: pa.Table,
    groups: np.ndarray,
    kinds: np.ndarray,
    *,
    num_ads: int,
    negatives_per_positive: int,
    every_ad_alike: bool,
    rng: np.random.Generator,
) -> pa.Table:
    """The purchases of a hand and the negatives that are dealt to them.

    Args:
      bought: see `Hands`, and so the next two.
      groups: as above.
      kinds: as above.
      num_ads: ads are below this number.
      negatives_per_positive: of each purchase.
      every_ad_alike: see `decks`.
      rng: of the draws.

    Returns:
      `request`, `ad` and `row` of each, whether it was `bought`, and `draw`, by
      which the rows of a request are to be sorted.
    """
    request, ad, row = arrays_of(bought, "request", "ad", "row")
    parents = np.repeat(np.arange(len(bought)), negatives_per_positive)
    alike = (np.zeros_like(kinds), kinds) if len(kinds) else (groups, ad)
    cards = decks(
        groups,
        ad,
        negatives_per_positive=negatives_per_positive,
        kinds=alike if every_ad_alike else None,
        rng=rng,
    )
    drawn, empty = deal(
        cards,
        requests=request[parents],
        periods=groups[parents],
        bought=request * num_ads + ad,
        num_ads=num_ads,
        rng=rng,
    )
    found = np.delete(np.arange(len(parents)), empty)
    of = np.concatenate([np.arange(len(bought)), parents[found]])
    return pa.table(
        {
            "request": request[of],
            "ad": np.concatenate([ad, drawn[found]]),
            "row": row[of],
            "bought": np.arange(len(of)) < len(bought),
            "draw": rng.random(len(of)),
        }
    )


def _distinct(rows: pa.Table, num_ads: int) -> pa.Table:
    """Without the negatives that repeat an ad of their request.

    A request whose purchases are of several hands was dealt to in each of them.
    """
    request, ad = arrays_of(rows, "request", "ad")
    order = np.argsort(~array_of(rows, "bought"), kind="stable")
    keys = request * num_ads + ad
    _, first = np.unique(keys[order], return_index=True)
    if len(first) == len(rows):
        return rows
    return rows.take(pa.array(np.sort(order[first])))


def _shown(
    purchases: pa.Table, rows: pa.Table, catalogue: pa.Array
) -> pa.Table:
    """Impressions, request by request.

    Args:
      purchases: the purchases of a part.
      rows: as from `_dealt`, all of the part.
      catalogue: [N] ad ids.
    """
    # A purchase must not be told by its place among the rows of its request.
    request, draw = arrays_of(rows, "request", "draw")
    rows = rows.take(pa.array(np.lexsort((draw, request))))
    names = [n for n in purchases.column_names if not n.startswith(HELPER)]
    table = purchases.select(names).take(rows["row"])
    ads = catalogue.take(rows["ad"].combine_chunks())
    label = pa.array(array_of(rows, "bought").astype(np.int8))
    table = table.set_column(names.index("ad_id"), "ad_id", ads)
    return table.append_column("clicked", label).append_column(
        "converted", label
    )


def _arrays(
    tables: Iterable[pa.Table], *names: str
) -> Iterator[list[np.ndarray]]:
    for table in tables:
        yield arrays_of(table, *names)


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
