"""The table of differences."""

import math
from collections.abc import Sequence

from tfadrec.evaluation.comparison.difference import Difference
from tfadrec.evaluation.table import align

#: Printed below every table of differences.
FOOTNOTE = (
    "95 % intervals of the difference over resampled {unit}s; p (Holm) is "
    "corrected for the slices and models of a metric, slices of the same rows "
    "being one; detectable: what such rows find in 4 of 5 cases"
)
#: Printed where requests are what is drawn.
BY_REQUEST = (
    "requests count as independent: where users come again, intervals are too "
    "short"
)
#: Printed where no model has several seeds.
ONE_SEED = (
    "one seed each: how far another seed would move a model is not in these "
    "intervals"
)


def difference_rows(
    differences: Sequence[Difference],
) -> list[list[list[str]]]:
    """Cells, a table per task and model, header first; parts by metric.

    Parts in which nothing is defined are left out.
    """
    tables = []
    for model, reference, task in _pairs(differences):
        rows = [
            [
                f"{model} against {reference}, {task}",
                "difference",
                "95 % interval",
                "rows ±",
                "seeds ±",
                "p (Holm)",
                "detectable",
                "",
            ]
        ]
        rows += [
            _row(d)
            for d in differences
            if (d.model, d.reference, d.task) == (model, reference, task)
            and not math.isnan(d.difference)
        ]
        tables.append(rows)
    return tables


def differences_text(differences: Sequence[Difference]) -> str:
    """Aligned tables, a line on the slices of each, and what to know."""
    parts = []
    for rows, (model, _, task) in zip(
        difference_rows(differences), _pairs(differences), strict=True
    ):
        own = [d for d in differences if (d.model, d.task) == (model, task)]
        slices = [
            d
            for d in own
            if d.part == d.rows_of != "all" and not math.isnan(d.p_holm)
        ]
        counted = ", ".join(
            f"{sum(d.verdict == verdict for d in slices)} {verdict}"
            for verdict in ("better", "worse", "open")
        )
        parts.append(f"{align(rows)}\nslices by metric: {counted}")
    return "\n\n".join([*parts, "\n".join(footnotes(differences))])


def footnotes(differences: Sequence[Difference]) -> list[str]:
    """What a reader of the table has to know."""
    units = {d.by for d in differences}
    lines = [FOOTNOTE.format(unit=unit) for unit in sorted(units)]
    if "request" in units:
        lines.append(BY_REQUEST)
    if all(math.isnan(d.seeds_error) for d in differences):
        lines.append(ONE_SEED)
    return lines


def _pairs(differences):
    """(model, reference, task) of each table."""
    return dict.fromkeys((d.model, d.reference, d.task) for d in differences)


def _row(found: Difference) -> list[str]:
    begin = [f"{found.metric}, {found.part}", f"{found.difference:+.4f}"]
    if math.isnan(found.low):
        return [*begin, f"too few {found.by}s", *[""] * 5]
    return [
        *begin,
        f"{found.low:+.4f} to {found.high:+.4f}",
        f"{found.rows_error:.4f}",
        "" if math.isnan(found.seeds_error) else f"{found.seeds_error:.4f}",
        f"{found.p_holm:.4f}",
        f"{found.detectable:.4f}",
        "" if found.verdict == "open" else found.verdict,
    ]
