"""What a ranker's scores are made of, as pictures."""

from html import escape

from tfadrec.explanation import Summary
from tfadrec.report.chart import bars

_SHOWN = 15


def explanations_section(found: Summary) -> list[str]:
    """Bars of importance and of parts, and whether they can be believed.

    Args:
      found: of `explain_run`.
    """
    worth = [
        (i.field, i.loss, i.low, i.high) for i in found.importances[:_SHOWN]
    ]
    metric = found.importances[0].metric if found.importances else "auc"
    parts = list(found.parts.items())[:_SHOWN]
    return [
        "<h2>What scores are made of</h2>",
        f"<p>Of {escape(found.task)}, on validation rows. Parts are integrated "
        "gradients from a request of which nothing is known; their "
        f"completeness error is {100 * found.error:.2f} % on average and "
        f"{100 * found.worst_error:.2f} % at most. "
        f"{escape(found.deletion.line)}</p>",
        bars(
            f"{metric} lost where a feature is that of another row, with 95 % "
            f"intervals ({found.importance_rows:,} rows)",
            worth,
        ),
        bars(
            f"mean size of a feature's part of a logit ({found.rows:,} rows)",
            [(name, size, None, None) for name, size in parts],
        ),
    ]
