"""The leaderboard's cells, and the page with its plots."""

import html.parser
import re

import pytest

from tfadrec.core.config import RunConfig
from tfadrec.tuning.leaderboard import Leaderboard
from tfadrec.tuning.report import write_search_report

HOSTILE = "<script>alert('x')</script> & more"


def trial(number, score, status="completed", **values):
    return {
        "trial": str(number),
        "status": status,
        "score": score,
        "epochs": 3,
        "seconds": 12.0,
        "message": None,
        "values": {name.replace("__", "."): v for name, v in values.items()},
    }


@pytest.fixture
def board():
    failed = trial(3, None, "failed", encoder__class="BST", rate=0.1)
    return Leaderboard(
        "val_auc",
        "max",
        ["encoder.class", "rate", "encoder.num_heads"],
        [
            trial(1, 0.75, encoder__class="DIN", rate=0.001)
            | {"parameters": 1234},
            trial(0, 0.7, encoder__class="BST", rate=0.1)
            | {"values": {"encoder.class": HOSTILE, "rate": 0.1}},
            trial(2, 0.65, encoder__class="BST", rate=0.01)
            | {
                "values": {
                    "encoder.class": "BST",
                    "rate": 0.01,
                    "encoder.num_heads": 2,
                }
            },
            failed | {"message": HOSTILE},
        ],
    )


class Page(html.parser.HTMLParser):
    """Tags in order, and what each SVG draws."""

    VOID = ("meta", "rect", "line")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open = [], []
        self.lines, self.dots, self.labels = {}, [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        assert not {"src", "href", "onclick"} & set(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "svg":
            self.labels.append(attrs["aria-label"])
            self.dots.append([])
        elif tag == "polyline":
            self.last = [
                tuple(map(float, point.split(",")))
                for point in attrs["points"].split()
            ]
        elif tag == "circle":
            self.dots[-1].append((float(attrs["cx"]), float(attrs["cy"])))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-2:] == ["polyline", "title"]:
            self.lines[data] = self.last


def test_cells(board):
    rows = board.rows()
    assert rows[0] == [
        "trial",
        "status",
        "val_auc",
        "epochs",
        "seconds",
        "parameters",
        *board.names,
    ]
    assert rows[1] == [
        *["1", "completed", "0.7500", "3", "12", "1234"],
        *["DIN", "0.001", ""],
    ]
    assert rows[4][:3] == ["3", "failed", ""]
    assert str(board).endswith(f"3: {HOSTILE}")


def test_lines_and_points_are_where_the_values_are(board, tmp_path):
    """Axes 130 apart from 60 on, 220 high below 60; the foot 14 below."""
    write_search_report(tmp_path / "r.html", board, None, RunConfig())
    page = Page((tmp_path / "r.html").read_text("utf-8"))
    assert page.open == []
    assert "script" not in page.tags
    bottom = 280
    # Names in order: <script..., BST, DIN in the middle of thirds. The rate
    # runs over two decades, so its axis is logarithmic: 0.01 is half way up.
    third = 220 / 6
    best, second, last = (
        page.lines[f"trial {n}"]
        for n in ("1: 0.7500", "0: 0.7000", "2: 0.6500")
    )
    across = [60, 190, 320, 450]
    heights = {
        "1": [bottom - 5 * third, bottom, bottom + 14, 60],
        "0": [bottom - 1 * third, 60, bottom + 14, 170],
        "2": [bottom - 3 * third, 170, 170, bottom],
    }
    for line, name in ((best, "1"), (second, "0"), (last, "2")):
        assert line == [
            (x, pytest.approx(y, abs=0.06))
            for x, y in zip(across, heights[name], strict=True)
        ]
    assert page.labels[1:] == [f"val_auc over {name}" for name in board.names]
    # Squares of 170 from (60, 10) on; the worst first, the best on top.
    assert page.dots[2] == [
        (pytest.approx(60 + 85), 180),
        (pytest.approx(60 + 170), pytest.approx(10 + 85)),
        (60, 10),
    ]
    assert len(page.dots[3]) == 1  # one trial has heads


def test_the_last_choice_and_the_best_settings(board, tmp_path):
    final = {
        "verdict": "trial 1 < 2",
        "finalists": [
            {
                "trial": "1",
                "mean": 0.75,
                "low": 0.74,
                "high": 0.76,
                "scores": [0.75, 0.74, 0.76],
            }
        ],
    }
    best = RunConfig(encoder={"class": "BST"})
    write_search_report(tmp_path / "r.html", board, final, best)
    text = (tmp_path / "r.html").read_text("utf-8")
    Page(text)
    assert "trial 1 &lt; 2." in text
    assert "0.7500, 0.7400, 0.7600" in text
    assert "class: BST" in text


def test_without_any_score(tmp_path):
    board = Leaderboard("val_auc", "max", ["rate"], [trial(0, None, "failed")])
    write_search_report(tmp_path / "r.html", board, None, None)
    text = (tmp_path / "r.html").read_text("utf-8")
    assert not re.search("<svg", text)
    Page(text)
