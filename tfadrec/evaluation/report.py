"""The report: one HTML file that stands alone."""

import os
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from tfadrec.evaluation.choices import choices_rows
from tfadrec.evaluation.compare import FOOTNOTE, comparison_rows
from tfadrec.evaluation.comparison import Difference, difference_rows
from tfadrec.evaluation.comparison.table import footnotes
from tfadrec.evaluation.evaluation import Evaluation
from tfadrec.evaluation.fairness import Fairness
from tfadrec.evaluation.page import table, write_page
from tfadrec.evaluation.reliability_bin import ReliabilityBin
from tfadrec.evaluation.standings import standings_rows
from tfadrec.evaluation.table import in_parts


def write_report(
    path: str | os.PathLike[str],
    title: str,
    evaluations: Mapping[str, Sequence[Evaluation]],
    recommendations: Sequence[Mapping[str, Any]] | None = None,
    facts: Mapping[str, Any] | None = None,
    baselines: Mapping[str, Evaluation] | None = None,
    verdicts: Sequence[str] = (),
    differences: Sequence[Difference] = (),
    fairness: Sequence[Fairness] = (),
    choices: Mapping[str, Mapping[str, float]] | None = None,
    before: Sequence[str] = (),
    calibration: Sequence[str] = (),
    after: Sequence[str] = (),
) -> None:
    """Writes one HTML file without scripts or outside resources.

    It holds the comparison of `compare` where there are several evaluations,
    and of every model's first evaluation the reliability plot and the slices.
    All text is escaped.

    Args:
      path: the file; its folders are made. A report that nobody has changed
        is replaced.
      title: the heading.
      evaluations: model name -> its evaluations, one per seed.
      recommendations: best first, each with `title`, `tags` (strings) and
        `pctr` (a probability).
      facts: name -> value: versions, seeds, hardware, dataset sizes.
      baselines: name -> evaluation, on the same rows; a table shows them beside
        every model's first evaluation.
      verdicts: lines to show above it.
      differences: of models on the same rows, as `differences` gives them.
      fairness: of the model, by columns.
      choices: model -> what the first ad of each request brings, as `choices`
        gives it.
      before: parts of HTML that come before the comparison.
      calibration: parts of HTML to take the place of the reliability plots.
      after: parts of HTML that come after the slices.

    Raises:
      InputError: where a model has no evaluation, there is no model, or another
        file is in the way.
    """
    body = list(before)
    tables = comparison_rows(evaluations)
    if sum(map(len, evaluations.values())) > 1:
        body += ["<h2>Comparison</h2>", *map(table, tables)]
        body.append(f"<p>{escape(FOOTNOTE)}</p>")
    firsts = {name: runs[0] for name, runs in evaluations.items()}
    first = ""
    if any(len(runs) > 1 for runs in evaluations.values()):
        first = "The first seed of each model."
    if baselines:
        body.append("<h2>Beside the baselines</h2>")
        body += [f"<p><strong>{escape(v)}</strong></p>" for v in verdicts]
        body += [
            table(rows) for rows in standings_rows({**baselines, **firsts})
        ]
    if differences:
        body.append("<h2>Against the reference</h2>")
        body += [table(rows) for rows in difference_rows(differences)]
        body += [f"<p>{escape(f)}</p>" for f in footnotes(differences)]
    body.append("<h2>Calibration</h2>")
    body.append(
        "<p>Ten bins of equally many impressions, by predicted probability "
        "(across) against the observed rate (up); on the diagonal, predictions "
        f"are right on average. {first}</p>"
    )
    body += calibration or [
        _plot(f"{name}, {task}", bins)
        for name, evaluation in firsts.items()
        for task, bins in evaluation.reliability.items()
    ]
    body.append("<h2>Slices</h2>" + (f"<p>{first}</p>" if first else ""))
    for name, evaluation in firsts.items():
        body.append(f"<h3>{escape(name)}</h3>")
        for task in evaluation.metrics:
            body += map(table, in_parts(evaluation.rows(task)))
            if line := evaluation.undefined_line(task):
                body.append(f"<p>{escape(line)}</p>")
    if choices:
        body += ["<h2>What the first ad of a request brings</h2>"]
        body.append(table(choices_rows(choices)))
    if fairness:
        body.append("<h2>Exposure and error by group</h2>")
    for by in fairness:
        body.append(table(by.rows()))
        body += [f"<p>{escape(gap.line)}</p>" for gap in by.gaps]
    body += after
    if recommendations:
        rows = [["rank", "title", "tags", "pctr"]] + [
            [str(rank), ad["title"], ", ".join(ad["tags"]), f"{ad['pctr']:.4f}"]
            for rank, ad in enumerate(recommendations, start=1)
        ]
        body += ["<h2>Recommendations</h2>", table(rows, "text")]
    if facts:
        rows = [["fact", "value"]] + [[k, _fact(v)] for k, v in facts.items()]
        body += ["<h2>Facts</h2>", table(rows, "text")]
    write_page(path, title, body)


def _fact(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _plot(name: str, bins: Sequence[ReliabilityBin]) -> str:
    """A square SVG, both axes from 0 to the largest value of a bin."""
    left, top, side = 48, 10, 200
    heights = [max(b.predicted, b.observed) for b in bins]
    largest = max(heights, default=0.0) or 1.0
    points = [
        (
            left + side * b.predicted / largest,
            top + side * (1 - b.observed / largest),
        )
        for b in bins
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="c0"><title>'
        f"predicted {b.predicted:.4f}, observed {b.observed:.4f}, "
        f"{b.count} impressions</title></circle>"
        for (x, y), b in zip(points, bins, strict=True)
    )
    right, bottom = left + side, top + side
    text = "<text"
    return (
        f'<figure><svg width="{right + 30}" height="{bottom + 36}" '
        f'viewBox="0 0 {right + 30} {bottom + 36}" role="img" '
        f'aria-label="Reliability of {escape(name)}">'
        f'<rect x="{left}" y="{top}" width="{side}" height="{side}" '
        'class="frame"/>'
        f'<line x1="{left}" y1="{bottom}" x2="{right}" y2="{top}" '
        'class="mark"/>'
        f'<polyline points="{line}" class="line c0"/>{dots}'
        f'{text} x="{left}" y="{bottom + 14}" text-anchor="middle">0</text>'
        f'{text} x="{right}" y="{bottom + 14}" text-anchor="middle">'
        f"{largest:.3g}</text>"
        f'{text} x="{left - 6}" y="{top + 8}" text-anchor="end">'
        f"{largest:.3g}</text>"
        f'{text} x="{left + side / 2}" y="{bottom + 30}" '
        'text-anchor="middle">predicted</text>'
        f'{text} x="14" y="{top + side / 2}" text-anchor="middle" '
        f'transform="rotate(-90 14 {top + side / 2})">observed</text>'
        f"</svg><figcaption>{escape(name)}</figcaption></figure>"
    )
