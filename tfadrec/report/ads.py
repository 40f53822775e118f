"""The ads that do best and worst, and rows that surprised the ranker."""

import numpy as np
from numpy.typing import NDArray

from tfadrec.data.dataset import Dataset
from tfadrec.evaluation import Evaluation
from tfadrec.evaluation.page import table
from tfadrec.metrics.ranking import sigmoid

#: Lines of each table, and impressions that an ad needs to be in one; where ads
#: are shown less often, as many as the one in the middle has.
_SHOWN, _FEWEST = 5, 20


def ads_section(evaluation: Evaluation, rows: Dataset, task: str) -> list[str]:
    """Ads by their rate, ads that are predicted wrong, and single rows.

    Args:
      evaluation: of these rows.
      rows: test rows.
      task: a binary one that is a label of the rows.
    """
    labels = np.asarray(rows.impressions.labels[task], np.float64)
    probs = sigmoid(evaluation.scores[task].astype(np.float64))
    ads, weights = rows.impressions.ads, rows.impressions.weights
    w = np.ones(len(ads)) if weights is None else weights
    size = len(rows.catalogue) + 1
    shown = np.bincount(ads, w, size)
    hits = np.bincount(ads, w * labels, size)
    expected = np.bincount(ads, w * probs, size)
    spread = np.sqrt(np.bincount(ads, w * probs * (1 - probs), size))
    shown[0] = 0  # of ads that the catalogue does not have
    usual = np.median(shown[shown > 0]) if shown.any() else 0
    places = np.flatnonzero((shown > 0) & (shown >= min(_FEWEST, usual)))
    rate = hits / np.where(shown > 0, shown, 1)
    surprise = (hits - expected) / np.maximum(spread, 1e-9)
    body = ["<h2>Ads</h2>"]
    for heading, keys in (
        (f"most {task}", -rate),
        (f"least {task}", rate),
        ("predicted too high", surprise),
        ("predicted too low", -surprise),
    ):
        order = places[np.argsort(keys[places], kind="stable")][:_SHOWN]
        cells = [["ad", "title", "rows", "observed", "predicted"]] + [
            [
                str(rows.catalogue.ad_ids[ad - 1]),
                rows.catalogue.titles[ad - 1],
                f"{shown[ad]:,.0f}",
                f"{rate[ad]:.4f}",
                f"{expected[ad] / shown[ad]:.4f}",
            ]
            for ad in order
        ]
        body += [f"<h3>Ads {heading}</h3>", table(cells, "text")]
    return body + _examples(rows, labels, probs, task)


def _examples(
    rows: Dataset, labels: NDArray, probs: NDArray, task: str
) -> list[str]:
    """Rows of which the ranker was surest, and wrong."""
    cells = [["user", "ad", "title", "predicted", task]]
    for label, sign in ((0, -1), (1, 1)):
        places = np.flatnonzero(labels == label)
        order = np.argsort(sign * probs[places], kind="stable")[:_SHOWN]
        cells += [
            _example(rows, row, probs[row], label) for row in places[order]
        ]
    return [
        "<h3>Rows that surprised the ranker</h3>",
        "<p>Those of the highest score that came to nothing, and those of the "
        "lowest that did not.</p>",
        table(cells, "text"),
    ]


def _example(rows: Dataset, row: int, prob: float, label: int) -> list[str]:
    user, ad = rows.impressions.users[row], rows.impressions.ads[row]
    catalogue = rows.catalogue
    return [
        str(rows.user_ids[user - 1]) if user else "unknown",
        str(catalogue.ad_ids[ad - 1]) if ad else "unknown",
        catalogue.titles[ad - 1] if ad else "",
        f"{prob:.4f}",
        str(label),
    ]
