"""The rows of a run: how many, of when, and how often there was a click."""

import datetime
from html import escape

import numpy as np

from tfadrec.data.dataset import Dataset
from tfadrec.evaluation import rows_facts
from tfadrec.evaluation.page import table
from tfadrec.report.chart import lines
from tfadrec.training import Run

_DAY = 86_400
#: Days that are drawn one by one; of longer logs several are put together.
_MOST_DAYS = 120


def rows_section(run: Run, label: str) -> list[str]:
    """A table of the three parts, and the rate by day.

    Args:
      run: of `training.load_run`.
      label: whose mean is the rate.
    """
    parts = {
        name: rows
        for name, rows in (
            ("train", run.train),
            ("valid", run.valid),
            ("test", run.test),
        )
        if len(rows)
    }
    facts = {name: rows_facts(rows, label) for name, rows in parts.items()}
    names = ("rows", "users", "ads", "from", "to", "rate")
    cells = [["part", *names]] + [
        [part, *(_cell(found[name]) for name in names)]
        for part, found in facts.items()
    ]
    step, by_day = _by_day(parts, label)
    days = "day" if step == 1 else f"{step} days"
    return [
        "<h2>Data</h2>",
        f"<p>{len(run.dataset.catalogue):,} ads and "
        f"{len(run.dataset.user_ids):,} users in "
        f"{escape(run.dataset.schema.source)}; the rate is the mean of "
        f"{escape(label)}.</p>",
        table(cells),
        lines(
            f"rate of {label} by {days}",
            by_day["rate"],
            across="UTC date",
            up="rate",
            x_text=_date,
            dots=True,
        ),
        lines(
            f"rows by {days}",
            by_day["rows"],
            across="UTC date",
            up="rows",
            x_text=_date,
            dots=True,
        ),
    ]


def _by_day(parts: dict[str, Dataset], label: str):
    """Days in a step, and rate and rows by step, part -> points."""
    times = {
        n: np.asarray(d.impressions.times) // _DAY for n, d in parts.items()
    }
    first = min(int(t.min()) for t in times.values())
    last = max(int(t.max()) for t in times.values())
    step = -(-(last - first + 1) // _MOST_DAYS)
    rates, counts = {}, {}
    for name, days in times.items():
        rows = parts[name].impressions
        weights = np.ones(len(days)) if rows.weights is None else rows.weights
        places = ((days - first) // step).astype(np.int64)
        shown = np.bincount(places)
        mass = np.bincount(places, weights)
        sums = np.bincount(places, weights * rows.labels[label])
        found = np.flatnonzero(mass > 0)
        moments = ((first + found * step) * _DAY).tolist()
        rates[name] = list(
            zip(moments, (sums[found] / mass[found]).tolist(), strict=True)
        )
        counts[name] = list(zip(moments, shown[found].tolist(), strict=True))
    return step, {"rate": rates, "rows": counts}


def _cell(value) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return value if isinstance(value, str) else f"{value:,}"


def _date(seconds: float) -> str:
    try:
        moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f}"
    return moment.strftime("%Y-%m-%d")
