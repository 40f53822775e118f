"""Candidates that were not bought, for logs that hold purchases only."""

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfadrec.core.errors import InputError
from tfadrec.data.intake.ledger import Ledger

#: Negatives of one purchase; a slate of more is nothing that anybody shows.
MOST_NEGATIVES = 10_000
#: Rows that are made.
_MOST_ROWS = 10**9
_ROUNDS = 50


def with_negatives(
    purchases: pa.Table,
    catalogue: pa.Array,
    *,
    negatives_per_positive: int,
    strategy: Literal["popularity", "uniform"],
    seed: int,
    ledger: Ledger,
) -> pa.Table:
    """Impressions out of purchases, with sampled ads that were not bought.

    Every purchase counts as clicked and converted; an ad that stands in a
    request twice counts once. Each purchase is given negatives that share its
    request, user, time and context. The ads of a request are distinct: none
    was bought in it, and none is drawn twice. An ad that the user bought in
    another request may be drawn; were it not, an ad in the history would never
    be a negative, and a model could read the labels off that.

    Args:
      purchases: request_id, user_id, ad_id, timestamp, and context columns.
      catalogue: [N] ad ids.
      negatives_per_positive: >= 1.
      strategy: `popularity` draws an ad in proportion to its purchases in the
        whole log, `uniform` draws every ad alike.
      seed: of the draws.
      ledger: is told what was folded or left out.

    Returns:
      The purchases and their negatives, with the columns `clicked` and
      `converted`, request by request and in random order within one.

    Raises:
      InputError: where that would be more rows than can be held.
    """
    requests = purchases["request_id"].combine_chunks().dictionary_encode()
    request = requests.indices.to_numpy().astype(np.int64)
    ad = pc.index_in(purchases["ad_id"].combine_chunks(), value_set=catalogue)
    keys = request * len(catalogue) + ad.to_numpy()
    _, first = np.unique(keys, return_index=True)
    if len(first) < len(keys):
        ledger.note(
            f"{len(keys) - len(first)} purchases repeat an ad of their request "
            "and are folded into its first purchase"
        )
    first = np.sort(first)
    bought = keys[first]
    if len(first) * negatives_per_positive > _MOST_ROWS:
        raise InputError(
            f"sampling makes at most {_MOST_ROWS:,} rows. Received: "
            f"{len(first):,} purchases with {negatives_per_positive:,} "
            "negatives each. Take fewer negatives_per_positive."
        )

    popularity = np.bincount(bought % len(catalogue), minlength=len(catalogue))
    weights = popularity if strategy == "popularity" else popularity * 0 + 1
    bounds = np.cumsum(weights)
    rng = np.random.default_rng(seed)
    parents = np.repeat(np.arange(len(first)), negatives_per_positive)
    drawn = np.full(len(parents), -1)
    taken = np.sort(bought)
    open_places = np.arange(len(parents))
    for _ in range(_ROUNDS):
        ads = np.searchsorted(
            bounds, rng.integers(0, bounds[-1], len(open_places)), side="right"
        )
        tries = request[first[parents[open_places]]] * len(catalogue) + ads
        _, fresh = np.unique(tries, return_index=True)
        at = np.minimum(np.searchsorted(taken, tries[fresh]), len(taken) - 1)
        fresh = fresh[taken[at] != tries[fresh]]
        drawn[open_places[fresh]] = ads[fresh]
        taken = np.sort(np.concatenate([taken, tries[fresh]]))
        open_places = np.delete(open_places, fresh)
        if not len(open_places):
            break
    if len(open_places):
        ledger.note(
            f"{len(open_places)} of {len(parents)} negatives are left out: "
            "their requests hold nearly every ad that can be drawn"
        )
    ledger.note(f"{len(parents) - len(open_places)} negatives are sampled")

    found = drawn >= 0
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
