"""Places of lines and bars, against a straight computation."""

import re
import xml.etree.ElementTree as ET

import pytest

from tfadrec.report.chart import bars, lines


def drawn(figure):
    """The figure as a tree, which it has to be."""
    return ET.fromstring(figure.replace("&nbsp;", " "))


def points(figure, place=0):
    (found,) = (
        line.get("points")
        for line in drawn(figure).iter("polyline")
        if line.get("class") == f"line c{place}"
    )
    return [tuple(map(float, p.split(","))) for p in found.split()]


def test_lines_go_from_end_to_end():
    figure = lines(
        "rate <by> day",
        {"a": [(0.0, 1.0), (5.0, 3.0), (10.0, 2.0)], "b": [(10.0, 3.0)]},
        across="day",
        up="rate",
        mark=5.0,
    )
    frame = next(drawn(figure).iter("rect"))
    x, y, width, height = (
        float(frame.get(k)) for k in ("x", "y", "width", "height")
    )
    assert points(figure) == [
        (x, y + height),
        (x + width / 2, y),
        (x + width, y + height / 2),
    ]
    assert points(figure, 1) == [(x + width, y)]
    (mark,) = (m for m in drawn(figure).iter("line"))
    assert float(mark.get("x1")) == x + width / 2
    assert "rate &lt;by&gt; day" in figure
    keys = [k.text for k in drawn(figure).iter("span")]
    assert keys == ["a", "b"]


def test_what_is_not_finite_is_left_out():
    nan = float("nan")
    assert lines("x", {"a": [(0.0, nan)]}, across="x", up="y") == ""
    figure = lines("x", {"a": [(0.0, nan), (1.0, 2.0)]}, across="x", up="y")
    assert "nan" not in figure
    assert len(points(figure)) == 1


def test_bars_begin_at_zero_on_either_side():
    figure = bars(
        "worth", [("up", 2.0, 1.0, 3.0), ("down & out", -1.0, None, None)]
    )
    up, down = drawn(figure).iter("rect")
    zero, whisker = drawn(figure).iter("line")
    unit = float(up.get("width")) / 2
    at = float(zero.get("x1"))
    assert float(up.get("x")) == pytest.approx(at, abs=0.1)
    assert float(down.get("width")) == pytest.approx(unit, abs=0.1)
    assert float(down.get("x")) == pytest.approx(at - unit, abs=0.1)
    assert float(whisker.get("x1")) == pytest.approx(at + unit, abs=0.1)
    assert float(whisker.get("x2")) == pytest.approx(at + 3 * unit, abs=0.1)
    assert re.findall(r">([+-][\d.]+)<", figure) == ["+2.0000", "-1.0000"]
    assert bars("worth", []) == ""
