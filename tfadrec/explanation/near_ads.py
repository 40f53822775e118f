"""Which ads of a history read most like the candidate."""

from typing import Any

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.takes import takes
from tfadrec.data.catalogue import Catalogue
from tfadrec.explanation.question import Question
from tfadrec.models import AdRanker


@takes(ranker="ranker", catalogue="catalogue")
def near_ads(
    ranker: AdRanker, asked: Question, catalogue: Catalogue, k: int = 3
) -> list[list[dict[str, Any]]]:
    """The ads of each history whose text is nearest the candidate's.

    Nearness is the cosine in the language model's space, about the mean of the
    catalogue where the ranker has a `TextSpace`.

    Args:
      ranker: built.
      asked: the requests.
      catalogue: gives ids and titles.
      k: ads per request at most.

    Returns:
      Per request, nearest first: `ad_id`, `title` and `cosine`. Nothing where
      the ranker reads no ad copy.
    """
    if "text" not in asked.ads:
        return [[] for _ in range(len(asked))]
    units = [
        _units(ranker, part["text"]) for part in (asked.ads, asked.history)
    ]
    cosines = np.einsum("bcw,btw->bt", *units)
    rows = np.asarray(asked.inputs["history_ads"])
    cosines = np.where(asked.real & (rows > 0), cosines, -np.inf)
    found = []
    for own, ads in zip(cosines, rows, strict=True):
        nearest: dict[int, float] = {}
        for place in np.argsort(-own, kind="stable"):
            if len(nearest) < k and np.isfinite(own[place]):
                nearest.setdefault(int(ads[place]), float(own[place]))
        found.append(
            [
                {
                    "ad_id": plain_id(catalogue.ad_ids[row - 1]),
                    "title": catalogue.titles[row - 1],
                    "cosine": cosine,
                }
                for row, cosine in nearest.items()
            ]
        )
    return found


def plain_id(value: Any) -> str | int:
    """An id as JSON has it."""
    return value if isinstance(value, str) else int(value)


def _units(ranker: AdRanker, vectors: Any) -> np.ndarray:
    space = ranker.ad_tower.text_space
    if space is not None:
        return space(vectors)["text_unit"].numpy()
    return tf.math.l2_normalize(vectors, axis=-1).numpy()
