"""Recommendations for one user, as a list that a person can read."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.serving.requests import request_for_user


@takes(dataset="dataset")
def recommend(
    signature: Callable[..., dict[str, Any]],
    dataset: Dataset,
    user_id: str | int,
    *,
    k: int = 10,
    exclude: Sequence[str | int] = (),
    seen: bool = False,
) -> list[dict[str, Any]]:
    """Asks a `recommend` signature for the best ads of one user.

    Args:
      signature: that of `open_bundle`.
      dataset: gives the user's history and the ads' copy.
      user_id: any user, also one that the dataset does not have.
      k: how many ads, >= 1.
      exclude: ids of ads to leave out.
      seen: whether ads of the history may come again.

    Returns:
      Best first: `rank` from 1, `ad_id`, `title`, `tags` and `pctr`; fewer than
      k where no more ads are left.

    Raises:
      InputError: where k is below 1, or an id is of the wrong type.
    """
    if k < 1:
        raise InputError(f"`k` must be >= 1. Received: k={k}.")
    catalogue = dataset.catalogue
    excluded = [dataset.schema.ad_id(ad_id) for ad_id in exclude]
    answer = signature(
        **request_for_user(dataset, user_id),
        exclude_ads=np.array([excluded]).reshape(1, -1),
        exclude_history=[not seen],
        k=[k],
    )
    place_of = {ad_id: place for place, ad_id in enumerate(catalogue.ad_ids)}
    found: list[dict[str, Any]] = []
    for ad_id, pctr in zip(answer["ad_ids"][0], answer["pctr"][0], strict=True):
        ad_id = ad_id.decode() if isinstance(ad_id, bytes) else int(ad_id)
        if ad_id not in place_of:
            break  # no more ads were left
        place = place_of[ad_id]
        found.append(
            {
                "rank": len(found) + 1,
                "ad_id": ad_id,
                "title": catalogue.titles[place],
                "tags": ", ".join(catalogue.tags[place]),
                "pctr": float(pctr),
            }
        )
    return found
