"""A search as an HTML page."""

import math
import os
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from tfadrec.core.config import RunConfig
from tfadrec.evaluation.page import table, write_page
from tfadrec.tuning.leaderboard import Leaderboard, show

_GAP, _HEIGHT, _TOP, _LEFT = 130, 220, 60, 60
_SIDE = 170


def write_search_report(
    path: str | os.PathLike[str],
    board: Leaderboard,
    final: dict[str, Any] | None,
    best: RunConfig | None,
) -> None:
    """Writes leaderboard, plots and the best settings.

    Args:
      path: the file, replaced where it exists.
      board: the trials.
      final: what `finalists.retrain` returned, or None.
      best: the settings that won, or None.
    """
    goal = f"{board.objective}, {board.direction}"
    body = [f"<p>Objective: {escape(goal)}.</p>"]
    if final is not None:
        body.append(f"<h2>Last choice</h2><p>{escape(final['verdict'])}.</p>")
        rows = [["trial", "mean", "low", "high", "scores"]] + [
            [
                finalist["trial"],
                *(f"{finalist[k]:.4f}" for k in ("mean", "low", "high")),
                ", ".join(f"{score:.4f}" for score in finalist["scores"]),
            ]
            for finalist in final["finalists"]
        ]
        body.append(table(rows))
    if best is not None:
        body.append("<h2>Best settings</h2>")
        body.append(f"<pre>{escape(best.to_yaml())}</pre>")
    axes = {name: _Axis.of(name, board) for name in board.names}
    if board.completed:
        body.append("<h2>Trials</h2><p>A line is a trial, the best in blue; a ")
        body.append("setting that a trial does not have is at the foot.</p>")
        body.append(_lines(board, axes))
        body.append("<h2>Settings</h2>")
        body += [_points(board, name, axes[name]) for name in board.names]
    body.append("<h2>Leaderboard</h2>")
    body.append(table(board.rows(), "text"))
    body += [
        f"<p>{escape(trial['trial'])}: {escape(trial['message'])}</p>"
        for trial in board.trials
        if trial["message"]
    ]
    write_page(path, "A search for settings", body)


class _Axis:
    """Where a value is on an axis from 0 to 1; names, or a range."""

    def __init__(self, values: Sequence[Any]) -> None:
        present = [v for v in values if v is not None]
        numbers = all(type(v) in (int, float) for v in present)
        self._low = self._high = 0.0
        self._names: list[str] | None = None
        if numbers and present:
            low, high = min(present), max(present)
            self._log = low > 0 and high / low > 20
            self._low, self._high = self._scale(low), self._scale(high)
            self.ticks = [(show(low), 0.0), (show(high), 1.0)]
            if low == high:
                self.ticks = [(show(low), 0.5)]
        else:
            self._names = list(
                dict.fromkeys(map(show, sorted(present, key=str)))
            )
            self.ticks = [(n, self(n) or 0.0) for n in self._names]

    @classmethod
    def of(cls, name: str, board: Leaderboard) -> "_Axis":
        return cls([trial["values"].get(name) for trial in board.trials])

    def _scale(self, value: float) -> float:
        return math.log(value) if self._log else float(value)

    def __call__(self, value: Any) -> float | None:
        if value is None:
            return None
        if self._names is not None:
            return (self._names.index(show(value)) + 0.5) / len(self._names)
        if self._low == self._high:
            return 0.5
        return (self._scale(value) - self._low) / (self._high - self._low)


def _lines(board: Leaderboard, axes: dict[str, _Axis]) -> str:
    """Parallel coordinates: an axis per setting, and the score last."""
    scores = _Axis([t["score"] for t in board.completed])
    columns: list[tuple[str, _Axis, Callable]] = [
        (name, axis, lambda t, n=name: t["values"].get(n))
        for name, axis in axes.items()
    ]
    columns.append((board.objective, scores, lambda t: t["score"]))
    bottom = _TOP + _HEIGHT
    parts = []
    for place, (name, axis, _) in enumerate(columns):
        x = _LEFT + place * _GAP
        lift = 14 * (place % 2)  # so that long names do not meet
        parts.append(_text(x, _TOP - 16 - lift, name, "middle"))
        parts.append(
            f'<line x1="{x}" y1="{_TOP}" x2="{x}" y2="{bottom}" stroke="#bbb"/>'
        )
        parts += [
            _text(x + 4, bottom - _HEIGHT * at + 4, tick, "start")
            for tick, at in axis.ticks
        ]
    for rank, trial in reversed(list(enumerate(board.completed))):
        spots = []
        for place, (_, axis, value) in enumerate(columns):
            at = axis(value(trial))
            y = bottom + 14 if at is None else bottom - _HEIGHT * at
            spots.append(f"{_LEFT + place * _GAP},{y:.1f}")
        look = (
            'stroke="#06c" stroke-width="2"'
            if rank == 0
            else f'stroke="#888" stroke-opacity="{_faded(rank, board):.2f}"'
        )
        title = f"trial {trial['trial']}: {trial['score']:.4f}"
        parts.append(
            f'<polyline points="{" ".join(spots)}" fill="none" {look}>'
            f"<title>{escape(title)}</title></polyline>"
        )
    width = 2 * _LEFT + _GAP * (len(columns) - 1) + 40
    return (
        '<div style="overflow-x: auto">'
        f'<svg width="{width}" height="{bottom + 30}" role="img" '
        'aria-label="Trials as parallel coordinates">'
        f"{''.join(parts)}</svg></div>"
    )


def _faded(rank: int, board: Leaderboard) -> float:
    return 0.9 - 0.5 * rank / max(1, len(board.completed) - 1)


def _points(board: Leaderboard, name: str, axis: _Axis) -> str:
    """The score over the values of one setting."""
    scores = _Axis([t["score"] for t in board.completed])
    bottom = 10 + _SIDE
    dots = []
    for rank, trial in reversed(list(enumerate(board.completed))):
        across, up = axis(trial["values"].get(name)), scores(trial["score"])
        if across is None or up is None:
            continue
        value = show(trial["values"][name])
        title = f"trial {trial['trial']}: {value}, {trial['score']:.4f}"
        dots.append(
            f'<circle cx="{_LEFT + _SIDE * across:.1f}" '
            f'cy="{bottom - _SIDE * up:.1f}" r="3" '
            f'fill="{"#06c" if rank == 0 else "#888"}">'
            f"<title>{escape(title)}</title></circle>"
        )
    ticks = [
        _text(_LEFT + _SIDE * at, bottom + 14 + 12 * (n % 2), tick, "middle")
        for n, (tick, at) in enumerate(axis.ticks)
    ]
    sides = [
        _text(_LEFT - 4, bottom - _SIDE * at + 4, tick, "end")
        for tick, at in scores.ticks
    ]
    return (
        f'<figure><svg width="{_LEFT + _SIDE + 50}" height="{bottom + 34}" '
        f'role="img" aria-label="{escape(board.objective)} over '
        f'{escape(name)}"><rect x="{_LEFT}" y="10" width="{_SIDE}" '
        f'height="{_SIDE}" fill="none" stroke="#bbb"/>'
        f"{''.join(dots + ticks + sides)}</svg>"
        f"<figcaption>{escape(name)}</figcaption></figure>"
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text font-size="11" fill="#555" x="{x:.1f}" y="{y:.1f}" '
        f'text-anchor="{anchor}">{escape(text)}</text>'
    )
