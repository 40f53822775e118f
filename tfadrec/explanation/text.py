"""Explanations as plain text."""

from collections.abc import Mapping, Sequence
from typing import Any

from tfadrec.evaluation.table import align
from tfadrec.explanation.summary import Summary

#: Features and events that are shown of a request; the rest is one line.
_SHOWN = 12
_UNITS = (("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1))


def request_text(found: Mapping[str, Any]) -> str:
    """One request, in lines.

    Args:
      found: of `explain_request`.
    """
    difference = found["logit"] - found["unknown"]
    lines = [
        f"{found['task']}: ad {found['ad']} {_quoted(found['title'])} for user "
        f"{found['user']}",
        f"logit {found['logit']:+.4f}, before any calibration; where nothing "
        f"is known {found['unknown']:+.4f}; the difference {difference:+.4f}",
        "",
        align([["feature", "part"], *_parts(found["fields"])]),
        "",
        f"completeness error {100 * found['completeness_error']:.2f} % "
        f"({found['steps']} points)",
    ]
    if found["events"]:
        lines += ["", _events(found["events"])]
    if found["near"]:
        lines += ["", "ads of the history that read most like it"]
        lines += [
            f"  {ad['cosine']:.3f}  {ad['ad_id']} {_quoted(ad['title'])}"
            for ad in found["near"]
        ]
    if "tokens" in found:
        tokens = found["tokens"]
        rows = [[name, f"{part:+.4f}"] for name, part in tokens["tokens"]]
        lines += [
            "",
            align([["token of the copy", "part"], *rows]),
            f"completeness error {100 * tokens['completeness_error']:.2f} %",
        ]
    return "\n".join(lines)


def creatives_text(found: Sequence[Mapping[str, Any]]) -> str:
    """Copies of an ad, a line each, and their words below it.

    Args:
      found: of `rank_creatives`.
    """
    lines = []
    for copy in found:
        lines.append(
            f"{copy['rank']:>3}  logit {copy['logit']:+.4f}  "
            f"over its title {copy['gain']:+.4f}  {_quoted(copy['copy'])}"
        )
        words = ", ".join(f"{word} {part:+.3f}" for word, part in copy["words"])
        lines.append(f"     {words}")
    return "\n".join(lines)


def summary_text(found: Summary) -> str:
    """A run, in lines.

    Args:
      found: of `explain_run`.
    """
    metric = found.importances[0].metric if found.importances else "auc"
    worth = [["feature", f"{metric} lost", "from", "to"]] + [
        [i.field, *(f"{v:+.4f}" for v in (i.loss, i.low, i.high))]
        for i in found.importances
    ]
    parts = [["feature", "mean size of its part"]] + [
        [name, f"{size:.4f}"] for name, size in found.parts.items()
    ]
    return "\n".join(
        [
            f"{found.task}: parts of the logits of {found.rows:,} rows",
            "",
            align(parts),
            "",
            f"completeness error {100 * found.error:.2f} % on average, "
            f"{100 * found.worst_error:.2f} % at most",
            found.deletion.line,
            "",
            f"What the {metric} of {found.importance_rows:,} rows loses where "
            "a feature is that of other rows (95 %)",
            "",
            align(worth),
        ]
    )


def _parts(fields: Mapping[str, float]) -> list[list[str]]:
    shown = list(fields.items())
    rest = shown[_SHOWN:]
    rows = [[name, f"{part:+.4f}"] for name, part in shown[:_SHOWN]]
    if rest:
        total = sum(part for _, part in rest)
        rows.append([f"{len(rest)} others", f"{total:+.4f}"])
    return rows


def _events(events: list[dict[str, Any]]) -> str:
    """The events with the largest parts, the newest first."""
    layers = list(events[0]["attention"])
    shown = sorted(events, key=lambda event: -abs(event["part"]))[:_SHOWN]
    rows = [["event", "ago", "part", *layers]]
    for event in reversed([event for event in events if event in shown]):
        name = f"{event['event']} {event['ad_id']} {_quoted(event['title'])}"
        weights = [f"{event['attention'][layer]:.3f}" for layer in layers]
        ago = ago_text(event["age_seconds"])
        rows.append([name, ago, f"{event['part']:+.4f}", *weights])
    rest = len(events) - len(shown)
    if rest:
        others = sum(e["part"] for e in events) - sum(e["part"] for e in shown)
        blank = [""] * len(layers)
        rows.append([f"{rest} others", "", f"{others:+.4f}", *blank])
    return align(rows)


def ago_text(seconds: int) -> str:
    """How long ago, in the largest unit of which there are two."""
    if not seconds:
        return "unknown"
    for name, size in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return "1 seconds"


def _quoted(title: str) -> str:
    text = " ".join(title.split())
    return f'"{text[:59]}…"' if len(text) > 60 else f'"{text}"'
