"""What is measured, with calls that take no time."""

import time

import numpy as np
import pytest

from tfadrec.native import replay


class Call:
    def __init__(self, seconds=0.0):
        self.seconds, self.made, self.closed = seconds, 0, False

    def run(self):
        self.made += 1
        time.sleep(self.seconds)

    def close(self):
        self.closed = True


@pytest.mark.parametrize(
    ("calls", "seconds", "made"), [(7, 60.0, 7), (7, 0.0, 1)]
)
def test_so_many_calls_or_seconds(calls, seconds, made):
    """One call at least, and one before that is not counted."""
    asked = [Call(), Call()]
    replay.measure(asked, calls, seconds)
    assert [(call.made, call.closed) for call in asked] == [
        (made + 1, True)
    ] * 2


def test_threads_run_at_the_same_time():
    """Two that sleep answer twice as many requests in a second as one does."""
    one = replay.measure([Call(0.05)], 3, 60.0)
    two = replay.measure([Call(0.05), Call(0.05)], 3, 60.0)
    assert 50 <= one["p50_ms"] <= one["p99_ms"]
    assert one["per_second"] <= 20
    assert two["per_second"] > 1.2 * one["per_second"]


class Session:
    """Notes how many rows it is asked for, which take a tenth of a second."""

    def __init__(self):
        self.rows = []

    def call(self, signature, request):
        self.rows.append(len(request["x"]))
        call = Call(0.1)
        call.answer = lambda: {}
        return call


def test_requests_of_one_row_are_merged():
    """Eight as one, which are eight answers; others are as large as one is."""
    session = Session()
    told, _ = replay._replay(session, "s", {"x": np.zeros([1, 2])}, 1, 0.0)
    assert session.rows == [1] * (1 + 1 + 2 + 4) + [8]
    assert told["merged"]["requests"] == 8
    assert 100 <= told["merged"]["p50_ms"] <= told["merged"]["p99_ms"]
    assert 20 < told["merged"]["per_second"] <= 80
    assert told["threads"]["1"]["per_second"] <= 10
    session = Session()
    told, _ = replay._replay(session, "s", {"x": np.zeros([3, 2])}, 1, 0.0)
    assert session.rows == [3] * (1 + 1 + 2 + 4)
    assert "merged" not in told
