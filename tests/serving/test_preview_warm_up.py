"""The preview answers a version's own requests before others get it."""

import logging

import numpy as np
import pytest

from tests.serving import worlds
from tfadrec.core.errors import InputError
from tfadrec.serving.preview import versions, warm_up
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.request_error import RequestError
from tfadrec.serving.preview.servable import Servable

SIGNATURES = (
    *("encode_ads", "encode_user", "recommend", "recommend_from"),
    *("score_new_ads", "score_slate", "serve_examples", "serving_default"),
)


@pytest.fixture
def path(tmp_path):
    (tmp_path / "model").mkdir()
    worlds.add_version(tmp_path / "model", 1)
    return tmp_path / "model"


def opened(*given):
    found = versions.Versions(*given)
    found.load()
    return found


@pytest.fixture
def asked(monkeypatch):
    """Version and signature of each request, in their order."""
    found = []
    run = Servable.run

    def watched(self, signature, inputs, seconds):
        found.append((self.version, signature))
        return run(self, signature, inputs, seconds)

    monkeypatch.setattr(Servable, "run", watched)
    return found


def test_a_version_is_found_once_it_has_answered(path, asked, monkeypatch):
    """The first one, and one that takes its place, of fewer requests."""
    found = opened(path)
    assert {signature for _, signature in asked} == set(SIGNATURES)
    assert set(found.find("model").signatures) == set(SIGNATURES)
    first = len(asked)
    worlds.add_version(path, 2)
    every = warm_up.requests
    monkeypatch.setattr(warm_up, "requests", lambda f: list(every(f))[:2])
    meanwhile = []
    replay = versions.warm_up

    def watched(servable, *given):
        meanwhile.append((servable.version, found.find("model").version))
        return replay(servable, *given)

    monkeypatch.setattr(versions, "warm_up", watched)
    assert found.refresh() == {}
    assert meanwhile == [(2, 1)]
    assert [version for version, _ in asked] == [1] * first + [2] * 2
    assert found.find("model").version == 2


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (("gone", {}), r"number 1, 'gone': there is no such signature"),
        (("encode_user", {}), r"number 1, 'encode_user': all inputs must be"),
        (
            ("serve_examples", {"examples": np.array([b"\1"], object)}),
            r"number 1, 'serve_examples': the graph said: ",
        ),
    ],
)
def test_one_that_does_not_answer_is_not_found(
    path, one_request, monkeypatch, request_, reason
):
    """It is told why, and the version before it stays."""
    found = opened(path)
    monkeypatch.setattr(warm_up, "requests", lambda file: [request_])
    worlds.add_version(path, 2)
    failed = found.refresh()
    assert list(failed) == [2]
    message = "a version must answer its warm-up requests. Received: "
    assert failed[2].startswith(message)
    newest, before = found.status()
    assert (newest["state"], before["state"]) == ("END", "AVAILABLE")
    assert newest["status"]["error_message"] == failed[2]
    assert found.find("model").version == 1
    (path / "1").unlink()
    with pytest.raises(InputError, match=reason):
        opened(path)


def test_time_is_bounded(path, asked, caplog):
    """A slow version is found all the same, and it is told what is missing."""
    with caplog.at_level(logging.WARNING):
        found = opened(path, Limits(warm_up_seconds=0))
    assert asked == []
    assert found.find("model").version == 1
    (record,) = caplog.records
    file = worlds.bundle("numbers") / "1" / warm_up.FILE
    count = len(list(warm_up.requests(file)))
    assert f"{count} of its requests did not fit into 0 s" in record.message


def test_a_request_may_take_what_is_left(path, monkeypatch):
    """Those before it are counted in, and the others are left out."""
    (path / "1").unlink()
    worlds.add_version(path, 3)
    servable = Servable(path / "3")
    now = [100.0]
    given = []

    def run(signature, inputs, seconds):
        given.append(seconds)
        now[0] += 4
        if len(given) == 2:
            raise RequestError("DEADLINE_EXCEEDED", "late.")

    monkeypatch.setattr(servable, "run", run)
    monkeypatch.setattr(warm_up.time, "monotonic", lambda: now[0])
    file = servable.folder / warm_up.FILE
    count = len(list(warm_up.requests(file)))
    assert warm_up.warm_up(servable, 7, lambda: False) == count - 1
    assert given == [7, 3]


def test_the_rest_is_left_out_where_the_server_ends(
    path, one_request, asked, caplog
):
    found = opened(path)
    worlds.add_version(path, 2)
    found.stop()
    with caplog.at_level(logging.WARNING):
        found.refresh()
    assert [version for version, _ in asked] == [1]
    assert caplog.records == []


def test_a_version_without_the_file_is_ready(tmp_path):
    class Bare:
        folder = tmp_path

    assert warm_up.warm_up(Bare(), 1, lambda: False) == 0
