"""Parts of the preview that nothing in a file, and nobody who listens, ends."""

import errno
import gc
import gzip
import logging
import os
import sys
import time
import weakref

import pytest
from aiohttp import web

from tests.serving import worlds
from tfadrec.cli.serve import _token
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.serving.preview import log, server, versions
from tfadrec.serving.preview.body import read_body, unpack
from tfadrec.serving.preview.budget import Budget
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.request_error import RequestError, quote
from tfadrec.serving.preview.servable import _reason

DEFAULT = "/monitoring/prometheus/metrics"


def test_a_budget():
    budget = Budget(10)
    first, second = budget.open(), budget.open()
    first.take(4)
    second.take(6)
    with pytest.raises(RequestError, match="together have 10 bytes") as error:
        first.take(1)
    assert error.value.status == 503
    first.close()
    first.close()
    second.take(4)
    with pytest.raises(RequestError):
        budget.open().take(1)


def test_what_is_unpacked_is_bounded():
    limits = Limits(body=1000)
    assert unpack(gzip.compress(b"x" * 1000), limits) == b"x" * 1000
    for size in (1001, 10**8):
        with pytest.raises(web.HTTPRequestEntityTooLarge):
            unpack(gzip.compress(b"x" * size), limits)
    for wrong in (
        b"",
        b"\x1f\x8b",
        gzip.compress(b"x")[:-1],
        gzip.compress(b"x") * 2,
    ):
        with pytest.raises(RequestError) as error:
            unpack(wrong, limits)
        assert error.value.status == 400


def test_how_many_things_a_body_holds():
    limits = Limits(items=20)
    assert read_body(b'{"inputs":{"a":[1,2,3]}}', limits).values == {
        "a": [1, 2, 3]
    }
    for wrong in (b"[]," * 10, b"[" * 21, b"{" * 21, b'"a":' * 21, b"1," * 21):
        with pytest.raises(RequestError, match="at most 20 brackets, braces"):
            read_body(b'{"inputs":[' + wrong, limits)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (b'prometheus_config {\n  path: "/m/x-1"\n}', "/m/x-1"),
        (b"", DEFAULT),
        (b"\xff\0\x1b[31m", DEFAULT),
        (b'path: "/{x}"', DEFAULT),
        (b'path: "/\x1b[31m"', DEFAULT),
        (b'path: "/healthz"', DEFAULT),
        (b'path: "/v1/models/a"', DEFAULT),
        (b'path: "/' + b"a" * 300 + b'"', DEFAULT),
        (b'path: "metrics"', DEFAULT),
        (b"\n" * 1_000_000, DEFAULT),
        (b" " * 70_000 + b'path: "/m"', DEFAULT),
    ],
    ids=lambda value: str(value[:20]),
)
def test_monitoring_of_any_file(tmp_path, text, path):
    (tmp_path / "monitoring.config").write_bytes(text)
    begun = time.process_time()
    assert server._metrics_path(tmp_path) == path
    assert time.process_time() - begun < 1


def test_monitoring_that_is_no_file(tmp_path):
    assert server._metrics_path(tmp_path) == DEFAULT
    os.mkfifo(tmp_path / "monitoring.config")
    assert server._metrics_path(tmp_path) == DEFAULT


def record(message, error=None):
    exc_info = error and (type(error), error, error.__traceback__)
    return logging.LogRecord(
        "a", logging.ERROR, __file__, 1, message, (), exc_info
    )


def raised(message):
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


def test_a_fault_is_one_line_that_says_where():
    line = log._OneLine().format(
        record("It failed.", raised("\x1b[31m\n\u202ex" * 500))
    )
    assert line.startswith("tfadrec: It failed. ValueError: \\x1b[31m \\u202ex")
    assert line.isprintable()
    assert len(line) < 500
    error = raised("x")
    line = log._OneLine().format(record("It failed.", error))
    place = f"(test_preview_parts.py, line {error.__traceback__.tb_lineno})"
    assert line == f"tfadrec: It failed. ValueError: x {place}"


def test_a_line_is_not_said_again_and_again(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(log.time, "monotonic", lambda: now[0])
    said = log._NotAgain()
    assert [said.filter(record("a")) for _ in range(3)] == [True, False, False]
    assert said.filter(record("b"))
    now[0] += 11
    assert said.filter(record("a"))
    for number in range(3000):
        assert said.filter(record(str(number)))
    assert len(said._said) <= 1000


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("\U0001f469\u200d\u2695\ufe0f", "'\U0001f469\u200d\u2695\ufe0f'"),
        ("\\u200d \\\u200d", r"'\\u200d \\\u200d'"),
        ("a\u200db\u202e\n\x1b", r"'a\u200db\u202e\n\x1b'"),
        (b"\xe2\x80\x8d", r"b'\xe2\x80\x8d'"),
        (7, "7"),
    ],
)
def test_what_is_quoted(value, shown):
    line = str(RequestError("INVALID_ARGUMENT", f"Received: {quote(value)}."))
    assert line == f"Received: {shown}."


class Nobody:
    """A standard output that nobody reads, or on a full disk."""

    def __init__(self, number):
        self.number = number

    def write(self, text):
        raise OSError(self.number, "nobody")

    flush = write


@pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC])
def test_versions_are_watched_though_nobody_listens(
    tmp_path, monkeypatch, number
):
    """And whatever goes wrong there."""
    muted, refreshed = [], []

    class Watched(versions.Versions):
        def __init__(self):
            self._stop = versions.threading.Event()

        def refresh(self):
            refreshed.append(1)
            versions.say(f"Version {len(refreshed)} is ready.")
            if len(refreshed) == 2:
                raise MemoryError
            if len(refreshed) == 3:
                raise ValueError("9" * 5000)
            return {7: "\x1b"}

    monkeypatch.setattr(log.os, "dup2", lambda *fds: muted.append(fds[1]))
    monkeypatch.setattr(sys, "stdout", Nobody(number))
    monkeypatch.setattr(sys, "stderr", Nobody(number))
    monkeypatch.setattr(logging, "raiseExceptions", False)
    watched = Watched()
    thread = watched.watch(0.001)
    deadline = time.monotonic() + 30
    while len(refreshed) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    alive = thread.is_alive()
    watched.stop()
    thread.join()
    assert alive
    assert len(refreshed) >= 5
    assert set(muted) == {1}


def test_a_version_with_a_dangling_link(tmp_path, one_request):
    """It is reported, and does not keep others from being looked at."""
    path = tmp_path / "numbers"
    (path / "7").mkdir(parents=True)
    (path / "7" / "gone").symlink_to("nowhere")
    (path / ("9" * 23)).mkdir()
    worlds.add_version(path, 1)
    (path / "models.config").write_text(
        'version_labels { key: "old" value: 1 }'
        f'version_labels {{ key: "far" value: {"9" * 5000} }}'
    )
    found = versions.Versions(path)
    found.load()
    states = {each["version"]: each["state"] for each in found.status()}
    assert states == {"7": "END", "1": "AVAILABLE"}
    (path / "7" / "gone").unlink()
    (path / "7").rmdir()
    assert found.refresh() == {}
    assert [each["version"] for each in found.status()] == ["1"]


def test_the_newest_that_loads_answers_until_a_newer_one_does(
    tmp_path, monkeypatch
):
    """A broken version, which has the label by now, takes nobody's place."""

    class Loaded:
        def __init__(self, folder):
            self.version = int(folder.name)
            if (folder / "broken").exists():
                raise InputError("half a copy")

    def export(number, *files):
        (path / str(number)).mkdir()
        for name in files:
            (path / str(number) / name).touch()
        (path / "models.config").write_text(
            'version_labels { key: "stable" value: 1 }\n'
            f'version_labels {{ key: "canary" value: {number} }}\n'
        )

    def states():
        return {int(each["version"]): each["state"] for each in found.status()}

    monkeypatch.setattr(versions, "Servable", Loaded)
    monkeypatch.setattr(versions.Versions, "_warm_up", lambda *_: None)
    path = tmp_path / "model"
    path.mkdir()
    export(1)
    found = versions.Versions(path)
    found.load()
    export(2)
    assert found.refresh() == {}
    export(3, "broken")
    assert found.refresh() == {3: "half a copy"}
    assert found.find("model").version == 2
    assert states() == {1: "AVAILABLE", 2: "AVAILABLE", 3: "END"}
    (path / "3" / "broken").unlink()
    assert found.refresh() == {}
    assert found.find("model").version == 3
    assert states() == {1: "AVAILABLE", 3: "AVAILABLE"}


def test_a_bundle_of_which_nothing_loads(tmp_path):
    """A wrong input, which is exit code 2, and no work that failed."""
    (tmp_path / "shop" / "7").mkdir(parents=True)
    (tmp_path / "shop" / "7" / "saved_model.pb").write_bytes(b"none")
    with pytest.raises(InputError, match=r"SavedModel that loads.*shop/7"):
        versions.Versions(tmp_path / "shop").load()


@pytest.mark.parametrize(
    ("mode", "warned"), [(0o600, 0), (0o644, 1), (0o640, 1)]
)
def test_a_token_that_others_can_read(tmp_path, capsys, mode, warned):
    file = tmp_path / "token"
    file.write_text(" sesame\n")
    file.chmod(mode)
    assert _token(str(file)) == "sesame"
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == warned
    assert all("chmod 600" in line for line in lines)
    with pytest.raises(InputError, match="none in"):
        _token(str(tmp_path))


def test_a_token_is_not_cut(tmp_path):
    """Else the whole of it, as a client sends it, would be refused."""
    file = tmp_path / "token"
    file.write_text("x" * 4095 + "\n")
    file.chmod(0o600)
    assert _token(str(file)) == "x" * 4095
    file.write_text("x" * 4096 + "\n")
    with pytest.raises(
        InputError, match=r"at most 4096 bytes\. Received: more"
    ):
        _token(str(file))


def test_a_version_that_was_replaced_is_freed(
    tmp_path, monkeypatch, one_request
):
    """Its session, with the weights, and its graph, which refers to itself.

    A request that is being answered keeps both.
    """
    path = tmp_path / "model"
    path.mkdir()
    worlds.add_version(path, 1)
    found = versions.Versions(path)
    found.load()
    freed = []
    give_back = versions.give_back
    monkeypatch.setattr(
        versions, "give_back", lambda: freed.append(give_back())
    )
    in_use = found.find("model")
    gone = [
        weakref.ref(each) for each in (in_use._session, in_use._session.graph)
    ]
    gc.collect()
    gc.disable()
    try:
        worlds.add_version(path, 2)
        assert found.refresh() == {}
        assert found.find("model").version == 2
        assert all(each() is not None for each in gone)
        assert freed == []
        del in_use
        found.refresh()
        assert [each() for each in gone] == [None, None]
        # It takes a moment, in which nothing else runs: once for each.
        found.refresh()
        assert len(freed) == 1
    finally:
        gc.enable()


def test_free_memory_goes_back_while_versions_are_watched(
    tmp_path, one_request
):
    """By the real call: 64 MB in pieces, which the allocator would keep."""
    path = tmp_path / "model"
    path.mkdir()
    worlds.add_version(path, 1)
    found = versions.Versions(path)
    found.load()
    versions.trim()
    before = resident()
    pieces = [bytearray(2**16) for _ in range(2**10)]
    last = bytearray(2**16)  # so that the heap does not shrink by itself
    held = resident()
    del pieces
    thread = found.watch(0.05)
    try:
        for _ in range(100):
            if resident() < before + (held - before) / 4:
                break
            time.sleep(0.05)
        assert held - before > 2**25
        assert resident() < before + (held - before) / 4
    finally:
        found.stop()
        thread.join()
    assert last


def resident():
    """Bytes of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_what_is_there_before_the_versions_alone_stays(monkeypatch):
    """The first version must be freed as well."""
    monkeypatch.setattr(server, "_within_open_files", lambda limits: limits)
    monkeypatch.setattr(server, "set_up_logging", lambda: None)
    before = gc.get_freeze_count()

    def load(path, limits):
        assert gc.get_freeze_count() > before
        raise InputError("enough")

    monkeypatch.setattr(server, "Versions", load)
    try:
        with pytest.raises(InputError, match="enough"):
            server.serve("anywhere")
    finally:
        gc.unfreeze()


def test_an_assertion_is_its_message_and_what_it_compared():
    @tf.function
    def refuse(first, second):
        tf.debugging.assert_equal(first, second, "`a` is [B] `b`")

    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        refuse(tf.constant([1, 2]), tf.constant([1, 3]))
    assert _reason(error.value.message) == (
        "`a` is [B] `b`, [1 3]. Received: [1 2]."
    )
    assert _reason("assertion failed: [`a` >= 0]") == "`a` >= 0"
    assert _reason("Bad base64.") == "the graph said: Bad base64."
