"""Windows one after the other, as parts of a page."""

from collections.abc import Iterator, Sequence
from html import escape

from tfadrec.monitoring.measure import Measure
from tfadrec.monitoring.measured_window import MeasuredWindow

_WIDTH, _HEIGHT, _LEFT, _TOP = 260, 90, 44, 8


def picture(windows: Sequence[MeasuredWindow]) -> list[str]:
    """A line of each measure over the windows, those with alarms first.

    A band shows where it is without drift, red dots are alarms.

    Args:
      windows: at least one.

    Returns:
      Parts of HTML.
    """
    series: dict[tuple[str, str], list[tuple[int, Measure]]] = {}
    for place, window in enumerate(windows):
        for measure in window.measures:
            key = measure.signal, measure.name
            series.setdefault(key, []).append((place, measure))
    alarms = {
        key: sum(m.is_alarm for _, m in points)
        for key, points in series.items()
    }
    order = sorted(series, key=lambda key: -alarms[key])
    parts = [part for window in windows for part in _told(window)]
    parts.append("<h2>Measures by window</h2>")
    return parts + [_plot(key, series[key], len(windows)) for key in order]


def _told(window: MeasuredWindow) -> Iterator[str]:
    """A window in words, with its alarms."""
    yield f"<p>{escape(window.line)}</p>"
    if window.alarms:
        lines = (f"<li>{escape(alarm.line)}</li>" for alarm in window.alarms)
        yield f"<ul>{''.join(lines)}</ul>"


def _plot(
    key: tuple[str, str], points: Sequence[tuple[int, Measure]], count: int
) -> str:
    name = escape(f"{key[0]}: {key[1]}")
    most = 1.1 * max(max(m.value, m.high) for _, m in points) or 1.0

    def at(place: int, value: float) -> tuple[float, float]:
        x = _LEFT + _WIDTH * (place + 0.5) / count
        return x, _TOP + _HEIGHT * (1 - max(value, 0) / most)

    band = [at(place, m.high) for place, m in points]
    band += [at(place, max(m.low, 0)) for place, m in reversed(points)]
    line = [at(place, m.value) for place, m in points]
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" '
        f'fill="{"#c22" if m.is_alarm else "#06c"}">'
        f"<title>{escape(m.line)}</title></circle>"
        for (x, y), (_, m) in zip(line, points, strict=True)
    )
    text = '<text font-size="11" fill="#555" text-anchor="end"'
    return (
        f'<figure><svg width="{_LEFT + _WIDTH + 8}" '
        f'height="{_TOP + _HEIGHT + 12}" role="img" aria-label="{name}">'
        f'<polygon points="{_joined(band)}" fill="#e6eef8"/>'
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_WIDTH}" height="{_HEIGHT}" '
        'fill="none" stroke="#bbb"/>'
        f'<polyline points="{_joined(line)}" fill="none" stroke="#06c"/>{dots}'
        f'{text} x="{_LEFT - 4}" y="{_TOP + 9}">{most:.2g}</text>'
        f'{text} x="{_LEFT - 4}" y="{_TOP + _HEIGHT}">0</text>'
        f"</svg><figcaption>{name}</figcaption></figure>"
    )


def _joined(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
