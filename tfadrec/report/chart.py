"""Lines and bars as SVG, coloured by the page's style."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

#: Of the drawing, in its own units: the page scales it.
_WIDTH, _HEIGHT = 420, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 12, 40
_LABEL, _VALUE, _LINE = 190, 70, 22

Points = Sequence[tuple[float, float]]


def lines(
    name: str,
    series: Mapping[str, Points],
    *,
    across: str,
    up: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    x_text: Callable[[float], str] = "{:.3g}".format,
    mark: float | None = None,
    dots: bool = False,
) -> str:
    """A figure of one or more lines, each with its name in the legend.

    Args:
      name: the caption.
      series: name -> points; one without a finite point is left out.
      across: what the horizontal axis is.
      up: what the vertical axis is.
      x_range: its ends; those of the points by default.
      y_range: likewise.
      x_text: how its ends are written.
      mark: a place of the horizontal axis to mark.
      dots: whether each point is shown.
    """
    series = {
        label: [p for p in points if all(map(math.isfinite, p))]
        for label, points in series.items()
    }
    series = {label: points for label, points in series.items() if points}
    if not series:
        return ""
    everything = [p for points in series.values() for p in points]
    x_scale = _Scale(
        x_range or _ends([x for x, _ in everything]), _LEFT, _WIDTH - _RIGHT
    )
    y_scale = _Scale(
        y_range or _ends([y for _, y in everything]), _HEIGHT - _BOTTOM, _TOP
    )
    parts = [_axes(x_scale, y_scale, across, up, x_text)]
    if mark is not None:
        x = x_scale(mark)
        parts.append(
            f'<line class="mark" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" '
            f'y2="{_HEIGHT - _BOTTOM}"/>'
        )
    for place, points in enumerate(series.values()):
        drawn = [(x_scale(x), y_scale(y)) for x, y in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
        parts.append(f'<polyline class="line c{place}" points="{path}"/>')
        if dots or len(drawn) == 1:
            parts += [
                f'<circle class="c{place}" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>'
                for x, y in drawn
            ]
    return _figure(name, parts, _WIDTH, _HEIGHT, list(series))


def bars(
    name: str, rows: Sequence[tuple[str, float, float | None, float | None]]
) -> str:
    """A figure of horizontal bars from 0, with intervals where there are some.

    Args:
      name: the caption.
      rows: label, value, and the ends of its interval, or None.
    """
    numbers = [
        v for row in rows for v in row[1:] if v is not None and math.isfinite(v)
    ]
    if not numbers:
        return ""
    ends = (min(0.0, *numbers), max(0.0, *numbers))
    scale = _Scale(ends, _LABEL, _WIDTH - _VALUE)
    zero = scale(0.0)
    height = _LINE * len(rows) + 8
    parts = [
        f'<line class="axis" x1="{zero:.1f}" y1="0" x2="{zero:.1f}" '
        f'y2="{height}"/>'
    ]
    for place, (label, value, low, high) in enumerate(rows):
        middle = _LINE * place + _LINE / 2 + 4
        start, end = sorted((zero, scale(value)))
        parts.append(
            f'<rect class="c0" x="{start:.1f}" y="{middle - 6:.1f}" '
            f'width="{end - start:.1f}" height="12"/>'
        )
        if low is not None and high is not None and math.isfinite(low):
            parts.append(
                f'<line class="whisker" x1="{scale(low):.1f}" '
                f'y1="{middle:.1f}" x2="{scale(high):.1f}" y2="{middle:.1f}"/>'
            )
        parts.append(_text(_LABEL - 6, middle + 4, _short(label), "end"))
        parts.append(
            _text(_WIDTH - _VALUE + 6, middle + 4, f"{value:+.4f}", "start")
        )
    return _figure(name, parts, _WIDTH, height, [])


class _Scale:
    """A number to a place, linear.

    Args:
      ends: the smallest number and the largest.
      begin: the place of the smallest.
      end: that of the largest.
    """

    def __init__(
        self, ends: tuple[float, float], begin: float, end: float
    ) -> None:
        self.ends = ends
        self._begin, self._end = begin, end

    def __call__(self, value: float) -> float:
        low, high = self.ends
        share = (value - low) / ((high - low) or 1.0)
        return self._begin + (self._end - self._begin) * share


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _axes(x_scale, y_scale, across, up, x_text) -> str:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    middle = (_TOP + bottom) / 2
    low, high = x_scale.ends
    y_low, y_high = y_scale.ends
    return (
        f'<rect class="frame" x="{_LEFT}" y="{_TOP}" width="{right - _LEFT}" '
        f'height="{bottom - _TOP}"/>'
        + _text(_LEFT, bottom + 15, x_text(low), "start")
        + _text(right, bottom + 15, x_text(high), "end")
        + _text((_LEFT + right) / 2, bottom + 32, across, "middle")
        + _text(_LEFT - 6, bottom, _number(y_low), "end")
        + _text(_LEFT - 6, _TOP + 9, _number(y_high), "end")
        + f'<text text-anchor="middle" x="14" y="{middle}" '
        f'transform="rotate(-90 14 {middle})">{escape(up)}</text>'
    )


def _number(value: float) -> str:
    """What fits beside an axis: 0.722, or 1,750."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _short(label: str) -> str:
    return label if len(label) <= 28 else f"{label[:27]}…"


def _figure(name, parts, width, height, labels) -> str:
    legend = "".join(
        f'<span class="key c{place}">{escape(label)}</span>'
        for place, label in enumerate(labels)
        if len(labels) > 1
    )
    return (
        f'<figure class="chart"><svg viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(name)}">{"".join(parts)}</svg>'
        f"<figcaption>{escape(name)} {legend}</figcaption></figure>"
    )
