"""What the explanations of a bundle cost, and how exact they are."""

import json
import pathlib
import time
from collections.abc import Callable, Mapping

import numpy as np

from tfadrec.data.dataset import Dataset
from tfadrec.serving.requests import replay

#: The report, in the version's folder.
REPORT = "explain.json"
#: Rows that are explained, one by one; the first ones are not timed.
_ROWS, _WARM_UP = 24, 4


def write_cost(
    folder: pathlib.Path,
    dataset: Dataset,
    explain: Callable[..., Mapping[str, np.ndarray]],
) -> None:
    """Explains some rows one by one, and writes `explain.json`.

    It has `rows`, the completeness errors `mean_error` and `worst_error`, and
    `milliseconds`, the median time of one row.

    Args:
      folder: of the bundle's version.
      dataset: with at least one impression.
      explain: answers as the signature does.
    """
    rows = np.linspace(0, len(dataset) - 1, _ROWS).astype(np.int64)
    errors, spent = [], []
    for row in rows:
        request = replay(dataset, np.array([row]))
        begun = time.perf_counter()
        errors.append(float(explain(**request)["completeness_error"][0]))
        spent.append(1000 * (time.perf_counter() - begun))
    report = {
        "rows": len(rows),
        "mean_error": float(np.mean(errors)),
        "worst_error": float(np.max(errors)),
        "milliseconds": float(np.median(spent[_WARM_UP:])),
    }
    (folder / REPORT).write_text(json.dumps(report, indent=2) + "\n", "utf-8")
