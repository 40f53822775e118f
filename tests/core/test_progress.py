"""A bar for a terminal, lines for a file, nothing for quick work."""

import io
import sys

import pytest

from tfadrec.core.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("tfadrec.core.progress.time.monotonic", lambda: now[0])
    return now


def work(clock, steps, seconds, total=8, **more):
    with Progress(total, "Reading", "rows", **more) as progress:
        for _ in range(steps):
            clock[0] += seconds
            progress.update(2)


def test_a_line_every_half_minute(clock, capsys):
    work(clock, steps=4, seconds=20)
    assert capsys.readouterr().err.splitlines() == [
        "Reading: 4 of 8 rows, 40 s, 40 s to go",
        "Reading: 8 of 8 rows, 80 s, 0 s to go",
    ]


def test_the_first_unit_does_not_tell_the_speed(clock, capsys):
    with Progress(100, "Reading", "rows") as progress:
        for seconds in (60, 1, 35):
            clock[0] += seconds
            progress.update(2)
    assert capsys.readouterr().err.splitlines() == [
        "Reading: 2 of 100 rows, 60 s",
        "Reading: 6 of 100 rows, 96 s, 846 s to go",  # 4 rows in 36 s
    ]


def test_a_total_that_is_not_known(clock, capsys):
    work(clock, steps=1, seconds=31, total=None)
    assert capsys.readouterr().err == "Reading: 2 rows, 31 s\n"


def test_quick_work_leaves_no_line(clock, capsys):
    work(clock, steps=4, seconds=7)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_nothing_where_nothing_is_asked_for(clock, monkeypatch, kind):
    monkeypatch.setattr(sys, "stderr", kind())
    work(clock, steps=4, seconds=60, show=False)
    assert sys.stderr.getvalue() == ""


def test_a_bar_on_a_terminal(clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    work(clock, steps=4, seconds=60)
    shown = sys.stderr.getvalue()
    assert "Reading:   0%|" in shown
    assert "s to go" not in shown
    assert "\n" not in shown  # the bar is removed
