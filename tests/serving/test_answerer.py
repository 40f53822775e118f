"""The bounds of what is worked on at a time."""

import asyncio
import gc
import threading
import time
import types
import unittest.mock
import weakref

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tfadrec.serving.preview import answerer as answerer_file
from tfadrec.serving.preview import rest
from tfadrec.serving.preview.answerer import Answerer
from tfadrec.serving.preview.connections import Connections
from tfadrec.serving.preview.drift import Drift
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.request_error import RequestError


class Held:
    """Stands for a body."""


def answerer(token=None, **limits):
    model = types.SimpleNamespace(name="a")
    drift = Drift(model, 200)
    return Answerer(model, Limits(**limits), 1, drift, token)


def test_what_is_too_much_is_sent_away():
    """One is worked on, one waits, and a third has to come again."""
    busy = answerer(waiting=1)
    free = threading.Event()

    def job(_):
        assert free.wait(30)
        return "done"

    async def ask():
        now = time.monotonic()
        first = [asyncio.create_task(busy.work(job, now)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(RequestError, match="at most 2 requests") as error:
            await busy.work(job, now)
        assert (error.value.code, error.value.status) == ("UNAVAILABLE", 503)
        free.set()
        assert await asyncio.gather(*first) == ["done", "done"]
        assert await busy.work(job, now) == "done"

    asyncio.run(ask())
    busy.close()


def test_what_a_job_has_borrowed_comes_back_at_its_end():
    """Done, refused, failed, or later than its client waits."""
    one = answerer(waiting=0, seconds=0.2, bodies=10)
    free = threading.Event()

    async def ask(job):
        loan = one.bodies.open()
        loan.take(6)
        try:
            return await one.work(job, time.monotonic(), loan.close)
        except Exception as error:
            return type(error)

    async def ask_all():
        assert await ask(lambda _: "done") == "done"
        assert await ask(lambda _: 1 // 0) is ZeroDivisionError
        assert await ask(lambda _: free.wait(30)) is RequestError
        # Its thread still has it.
        with pytest.raises(RequestError, match="together have 10 bytes"):
            one.bodies.open().take(6)
        free.set()
        for _ in range(100):
            await asyncio.sleep(0.05)
            if await ask(lambda _: "done") == "done":
                return

    asyncio.run(ask_all())
    one.bodies.open().take(10)
    one.close()


def test_what_takes_too_long_gives_its_place_back_at_its_end():
    slow = answerer(waiting=0, seconds=0.2)
    free = threading.Event()

    async def ask():
        with pytest.raises(RequestError, match=r"0\.2 s.*first of") as error:
            await slow.work(lambda _: free.wait(30), time.monotonic())
        assert error.value.status == 504
        with pytest.raises(RequestError, match="at most 1 requests"):
            await slow.work(lambda _: None, time.monotonic())
        free.set()
        for _ in range(100):
            await asyncio.sleep(0.05)
            try:
                return await slow.work(lambda _: "done", time.monotonic())
            except RequestError:
                continue

    assert asyncio.run(ask()) == "done"
    slow.close()


def test_a_graph_that_takes_too_long_is_told_alike(monkeypatch):
    def run(*_):
        raise RequestError("DEADLINE_EXCEEDED", "the graph said: Timed out")

    monkeypatch.setattr(answerer_file, "check_inputs", lambda *_: None)
    one = answerer()
    servable = unittest.mock.Mock(
        signatures={"s": types.SimpleNamespace(inputs=["x"])}, run=run
    )
    given = {"x": np.zeros(1)}
    with pytest.raises(RequestError, match=r"take 30 s.*Ask again") as error:
        one.predict(servable, "s", lambda _: given, time.monotonic() + 30)
    assert error.value.status == 504
    one.close()


def test_few_are_read_while_many_wait_for_the_graph(monkeypatch):
    """A body's objects are gone by then."""
    monkeypatch.setattr(answerer_file, "check_inputs", lambda *_: None)
    one = answerer(waiting=20)
    free, reading, most = threading.Event(), [], []

    def run(signature, inputs, _):
        assert free.wait(30)
        return inputs

    servable = unittest.mock.Mock(
        signatures={"s": types.SimpleNamespace(inputs=["x"])}, run=run
    )

    def job(end):
        reading.append(1)
        most.append(len(reading))

        def read(_):
            time.sleep(0.01)
            reading.pop()
            return {"x": np.zeros(1)}

        return one.predict(servable, "s", read, end)

    async def ask():
        asked = [
            asyncio.create_task(one.work(job, time.monotonic()))
            for _ in range(8)
        ]
        while len(most) < 8:  # all of them have been read
            await asyncio.sleep(0.01)
        free.set()
        await asyncio.gather(*asked)

    asyncio.run(asyncio.wait_for(ask(), 30))
    one.close()
    assert most == [1] * 8


def test_bodies_are_parsed_beside_the_event_loop(monkeypatch):
    """So that others are answered while one is parsed."""
    threads = []

    def read_body(raw, limits):
        threads.append(threading.current_thread())
        raise RequestError("INVALID_ARGUMENT", bytes(raw).decode())

    monkeypatch.setattr(rest, "read_body", read_body)
    one = answerer(waiting=1)
    one.versions.find = lambda *_: None
    app = rest.make_app(one, Connections(one.limits), "/metrics")

    async def ask():
        async with TestClient(TestServer(app)) as client:
            answer = await client.post("/v1/models/a:predict", data=b"{}")
            return answer.status, await answer.json()

    assert asyncio.run(ask()) == (400, {"error": "{}"})
    one.close()
    assert threads
    assert threading.main_thread() not in threads


@pytest.mark.parametrize(
    ("code", "status", "wait"),
    [
        ("RESOURCE_EXHAUSTED", 429, "1"),
        ("UNAVAILABLE", 503, "1"),
        ("INVALID_ARGUMENT", 400, None),
    ],
)
def test_who_is_in_the_way_may_come_again(monkeypatch, code, status, wait):
    def read_body(raw, limits):
        raise RequestError(code, "no")

    monkeypatch.setattr(rest, "read_body", read_body)
    one = answerer()
    one.versions.find = lambda *_: None
    app = rest.make_app(one, Connections(one.limits), "/metrics")

    async def ask():
        async with TestClient(TestServer(app)) as client:
            answer = await client.post("/v1/models/a:predict", data=b"{}")
            return answer.status, answer.headers.get("Retry-After")

    assert asyncio.run(ask()) == (status, wait)
    one.close()


def remaining(kind):
    return [each for each in gc.get_objects() if type(each) is kind]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("a:predict", b"{", 400),  # by a job in a thread
        ("a:predict", b"x" * 101, 413),  # while it is read
        ("b:predict", b"{}", 404),
        ("a:predict", b"fault", 500),
    ],
)
def test_what_is_refused_is_let_go_of_at_once(monkeypatch, path, body, status):
    """A body is not to wait for Python's collector, which looks seldom."""
    kept = []

    def find(name, *_):
        if name != "a":
            raise RequestError("NOT_FOUND", name)

    def read_body(raw, limits):
        held = Held()
        kept.append(weakref.ref(held))
        if raw == b"fault":
            raise KeyError
        raise RequestError("INVALID_ARGUMENT", "no") from ValueError(held)

    monkeypatch.setattr(rest, "read_body", read_body)
    one = answerer(body=100)
    one.versions.find = find
    app = rest.make_app(one, Connections(one.limits), "/metrics")

    async def parts():
        yield body[:50]
        yield body[50:]

    async def ask():
        async with TestClient(TestServer(app)) as client:
            gc.collect()
            gc.disable()
            answer = await client.post(f"/v1/models/{path}", data=parts())
            assert answer.status == status
            await answer.read()
            assert [each() for each in kept] == [None] * len(kept)
            for kind in (RequestError, web.HTTPRequestEntityTooLarge):
                assert remaining(kind) == []

    try:
        asyncio.run(ask())
    finally:
        gc.enable()
    one.close()


def test_a_token():
    guarded = answerer(token="sesame")
    for right in ("Bearer sesame", "bearer sesame", "BEARER  sesame "):
        guarded.let_in(right)
    for wrong in (None, "", "sesame", "Bearer", "Basic sesame", "Bearer é"):
        with pytest.raises(RequestError, match="`authorization`") as error:
            guarded.let_in(wrong)
        assert error.value.status == 401
    guarded.close()
    free = answerer()
    free.let_in(None)
    free.close()
