"""Requests that wait at the same time, answered as one."""

import gc
import threading
import time

import numpy as np
import pytest

from tests.serving import worlds
from tests.serving.worlds import SIGNATURES, assert_equal
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.merger import Merger, _Asked
from tfadrec.serving.preview.request_error import RequestError, forget_frames
from tfadrec.serving.preview.servable import Servable

_SECONDS = 30.0


class Graph:
    """Doubles what it is given, once it may, and refuses what is negative."""

    def __init__(self):
        self.may, self.began = threading.Event(), threading.Event()
        self.ran = []

    def run(self, signature, inputs, seconds):
        assert 0 < seconds <= _SECONDS
        self.ran.append((signature, inputs["x"][:, 0].tolist()))
        self.began.set()
        assert self.may.wait(_SECONDS)
        if (inputs["x"] < 0).any():
            raise RequestError("INVALID_ARGUMENT", f"{inputs['x'].min()}")
        return {"y": 2 * inputs["x"]}


def x(*rows, width=2):
    return {"x": np.repeat(np.array(rows, np.float64)[:, None], width, 1)}


def asked(graph, requests, first=None, **limits):
    """Answers, or errors, of requests that come while a first one is run."""
    first = first or ("s", x(0))
    merger = Merger(1, Limits(**limits))
    found = [None] * len(requests)

    def ask(place, signature, inputs):
        try:
            found[place] = merger.run(graph, signature, inputs, _SECONDS)
        except RequestError as error:
            found[place] = str(error)
            forget_frames(error)

    threads = []
    before = threading.Thread(target=merger.run, args=(graph, *first, _SECONDS))
    before.start()
    assert graph.began.wait(_SECONDS)
    for place, request in enumerate(requests):
        threads.append(threading.Thread(target=ask, args=(place, *request)))
        threads[-1].start()
        # In this order.
        while sum(map(len, merger._waiting.values())) <= place:
            time.sleep(0.001)
    graph.may.set()
    for thread in [before, *threads]:
        thread.join()
    assert not merger._waiting  # or a version's memory would stay
    del graph.ran[0]
    return found


def test_alike_requests_are_one():
    """Each has its own rows of the answer; nobody waits who need not."""
    graph = Graph()
    found = asked(graph, [("s", x(1)), ("s", x(2, 3)), ("s", x(4))])
    ((signature, rows),) = graph.ran
    assert (signature, sorted(rows)) == ("s", [1, 2, 3, 4])
    wanted = [[2], [4, 6], [8]]
    assert [each["y"][:, 0].tolist() for each in found] == wanted


def test_others_are_not():
    """Of another signature or shape, or with more ads to be given."""
    k = {"k": np.array([3])}
    graph = Graph()
    requests = [
        ("s", x(1)),
        ("t", x(2)),
        ("s", x(3, width=5)),
        ("s", x(4) | k),
        ("s", x(5) | {"k": np.array([2])}),
        ("s", x(6) | k),
        ("s", x(7)),
    ]
    found = asked(graph, requests)
    assert [each["y"].shape for each in found] == [(1, 2)] * 2 + [(1, 5)] + [
        (1, 2)
    ] * 4
    assert [each["y"][0, 0] for each in found] == [2, 4, 6, 8, 10, 12, 14]
    ran = {(name, *sorted(rows)) for name, rows in graph.ran}
    assert ran == {
        ("s", 1, 7),
        ("t", 2),
        ("s", 3),
        ("s", 4, 6),
        ("s", 5),
    }


@pytest.mark.parametrize("limits", [{"rows": 2}, {"values": 4}])
def test_no_more_than_a_request_may_have(limits):
    graph = Graph()
    asked(graph, [("s", x(n)) for n in range(1, 6)], **limits)
    assert sorted(len(rows) for _, rows in graph.ran) == [1, 2, 2]


def test_nobody_is_refused_for_what_another_sent():
    graph = Graph()
    found = asked(graph, [("s", x(1)), ("s", x(-2)), ("s", x(3))])
    assert found[0]["y"].tolist() == [[2, 2]]
    assert found[1] == "-2.0"
    assert found[2]["y"].tolist() == [[6, 6]]


def test_what_is_refused_is_let_go_of_at_once():
    """Of both of them, whose errors each other's thread has raised."""
    graph = Graph()
    gc.collect()
    gc.disable()
    try:
        found = asked(graph, [("s", x(-1)), ("s", x(-2))])
        assert found == ["-1.0", "-2.0"]
        assert [o for o in gc.get_objects() if type(o) is _Asked] == []
    finally:
        gc.enable()


def test_who_is_late_has_no_turn():
    graph = Graph()
    merger = Merger(1, Limits())
    first = threading.Thread(
        target=merger.run, args=(graph, "s", x(0), _SECONDS)
    )
    first.start()
    assert graph.began.wait(_SECONDS)
    with pytest.raises(RequestError) as error:
        merger.run(graph, "s", x(1), 0.05)
    assert error.value.code == "DEADLINE_EXCEEDED"
    assert not merger._waiting
    graph.may.set()
    first.join()
    assert graph.ran == [("s", [0])]
    # Its turn is free again.
    assert merger.run(graph, "s", x(3), _SECONDS)["y"].tolist() == [[6, 6]]


class Watched:
    """A version, whose first answer comes once it may."""

    def __init__(self, servable):
        self.servable = servable
        self.may, self.began = threading.Event(), threading.Event()
        self.ran = []

    def run(self, signature, inputs, seconds):
        self.ran.append(len(next(iter(inputs.values()))))
        self.began.set()
        assert self.may.wait(_SECONDS)
        return self.servable.run(signature, inputs, seconds)


@pytest.fixture(scope="module")
def servable():
    return Servable(worlds.bundle("numbers") / "1")


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_version_answers_as_if_each_came_alone(servable, arrays, signature):
    """Of three users, who want as many ads where they want some."""
    given = dict(arrays[signature])
    if "k" in given:
        given["k"] = np.full(3, 4, np.int32)
    rows = [{k: v[n : n + 1] for k, v in given.items()} for n in range(3)]
    graph = Watched(servable)
    found = asked(graph, [(signature, r) for r in rows], (signature, rows[0]))
    assert graph.ran == [3]
    for row, answer in zip(rows, found, strict=True):
        assert_equal(answer, servable.run(signature, row, _SECONDS))
