"""Recommendations for one user, as a list that a person can read."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.core.moment_text import LATEST
from tfadrec.core.ranges import MOST
from tfadrec.core.schema import Schema
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset
from tfadrec.serving.ad_expiry import NOW
from tfadrec.serving.answer import Answer
from tfadrec.serving.input_names import ALLOW
from tfadrec.serving.requests import Request, nothing_asked, request_for_user

_LOG = logging.getLogger(__name__)


@takes(dataset="dataset")
def recommend(
    signature: Answer,
    dataset: Dataset,
    user_id: str | int,
    *,
    k: int = 10,
    exclude: Sequence[str | int] = (),
    seen: bool = False,
    allow: Mapping[str, Sequence[str]] | None = None,
    now_seconds: int = 0,
) -> list[dict[str, Any]]:
    """Asks a `recommend` signature for the best ads of one user.

    Args:
      signature: that of `open_bundle`.
      dataset: gives the user's history and the ads' copy.
      user_id: any user, also one that the dataset does not have.
      k: how many ads, in [1, 2^31).
      exclude: ids of ads to leave out.
      seen: whether ads of the history may come again.
      allow: the values that ads may have, by the name that is behind `allow_`
        in the signature's inputs. By the others of these every ad is allowed,
        and nothing is asked by any other input. A warning names values that no
        ad can have.
      now_seconds: the moment as of which ads are given where they expire,
        seconds since 1970; 0 for now.

    Returns:
      Best first: `rank` from 1, `ad_id`, `title`, `tags` and `pctr`; fewer than
      k where no more ads are left. Of an ad that is not in the dataset, title
      and tags are empty.

    Raises:
      InputError: where k is out of range, an id is of the wrong type, what is
        allowed is no list of texts, or the
        signature does not filter by a name or know of moments.
    """
    if not 1 <= k <= MOST:
        raise InputError(
            f"`k` must be >= 1 and at most {MOST}. Received: k={k}."
        )
    catalogue = dataset.catalogue
    excluded = [dataset.schema.ad_id(ad_id) for ad_id in exclude]
    asked = {
        **request_for_user(dataset, user_id),
        "exclude_ads": np.array([excluded]).reshape(1, -1),
        "exclude_history": np.array([not seen]),
        "k": np.array([k]),
        **_choice(signature, allow or {}, now_seconds),
    }
    _warn_of_unknown(dataset.schema, allow or {})
    others = {n: s for n, s in signature.inputs.items() if n not in asked}
    answer = signature(**asked, **nothing_asked(others, 1))
    place_of = {ad_id: place for place, ad_id in enumerate(catalogue.ad_ids)}
    found: list[dict[str, Any]] = []
    for ad_id, pctr in zip(answer["ad_ids"][0], answer["pctr"][0], strict=True):
        ad_id = ad_id.decode() if isinstance(ad_id, bytes) else int(ad_id)
        if ad_id in ("", -1):
            break  # no more ads were left
        # One that has come to the bundle since is not in the dataset.
        place = place_of.get(ad_id)
        found.append(
            {
                "rank": len(found) + 1,
                "ad_id": ad_id,
                "title": "" if place is None else catalogue.titles[place],
                "tags": ", ".join(
                    () if place is None else catalogue.tags[place]
                ),
                "pctr": float(pctr),
            }
        )
    return found


def _choice(
    signature: Answer, allow: Mapping[str, Sequence[str]], now_seconds: int
) -> Request:
    """The inputs that filter, and that of the moment, where it is told."""
    known = [
        name.removeprefix(ALLOW)
        for name in signature.inputs
        if name.startswith(ALLOW)
    ]
    unknown = sorted(set(allow) - set(known))
    if unknown:
        raise InputError(
            "`allow` must be of what the bundle was exported to --filter by, "
            f"{', '.join(known) or 'nothing'}. Received: {', '.join(unknown)}."
        )
    for name, values in allow.items():
        if isinstance(values, str) or not all(
            isinstance(value, str) for value in values
        ):
            raise InputError(
                f"`allow` must have a list of texts for {name!r}. Received: "
                f"{values!r:.80}."
            )
    chosen = {
        ALLOW + name: np.array([list(values)], object).reshape(1, -1)
        for name, values in allow.items()
    }
    if now_seconds:
        if NOW not in signature.inputs:
            raise InputError(
                "ads expire in a bundle that was exported with --expires. "
                f"Received: now_seconds={now_seconds} for one that was not. "
                "Leave it out."
            )
        if not 0 < now_seconds < LATEST:
            raise InputError(
                "`now_seconds` must be seconds since 1970, before the year "
                f"2200. Received: now_seconds={now_seconds}. Divide "
                "milliseconds by 1000."
            )
        chosen[NOW] = np.array([now_seconds])
    return chosen


def _warn_of_unknown(
    schema: Schema, allow: Mapping[str, Sequence[str]]
) -> None:
    """Names values that a category does not have; buckets have all of them."""
    for name, values in allow.items():
        feature = schema.ad_category(name)
        unknown = set(values) - {"", *feature.vocabulary}
        if unknown and not feature.buckets:
            _LOG.warning(
                "No ad has one of these as its %s: %s.",
                *(name, ", ".join(sorted(unknown))),
            )
