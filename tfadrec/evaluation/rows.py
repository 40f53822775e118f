"""Which rows a model was measured on."""

from typing import Any

import numpy as np

from tfadrec.core.moment_text import moment_text
from tfadrec.core.takes import takes
from tfadrec.data.dataset import Dataset


@takes(dataset="dataset")
def rows_facts(dataset: Dataset, label: str = "clicked") -> dict[str, Any]:
    """How many rows, from when to when, of how many users and ads, what rate.

    Args:
      dataset: at least one impression.
      label: whose mean is the rate, with the rows' weights.

    Returns:
      `rows`, `users`, `ads` (those that are known), `from`, `to` (ISO 8601,
      UTC), `label` and `rate`.
    """
    rows = dataset.impressions
    rate = np.average(rows.labels[label], weights=rows.weights)
    return {
        "rows": len(dataset),
        "users": _distinct(rows.users),
        "ads": _distinct(rows.ads),
        "from": moment_text(rows.times.min()),
        "to": moment_text(rows.times.max()),
        "label": label,
        "rate": float(rate),
    }


def rows_line(kind: str, facts: dict[str, Any]) -> str:
    """The facts as one line.

    Args:
      kind: what rows they are, such as `test`.
      facts: of `rows_facts`.
    """
    return (
        f"{facts['rows']:,} {kind} rows, "
        f"{facts['from']} to {facts['to']} (UTC), "
        f"{facts['users']:,} users, {facts['ads']:,} ads, "
        f"mean of {facts['label']} {facts['rate']:.4f}"
    )


def _distinct(rows: np.ndarray) -> int:
    found = np.unique(rows)
    return int((found != 0).sum())
