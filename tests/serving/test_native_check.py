"""What comes of answers of the C library; `test_bundle` has real ones."""

import json
import logging
import sys

import numpy as np
import pytest

from tests.serving import worlds
from tfadrec import serving
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.serving import native_check

REQUESTS = [
    ("score", {"x": np.array([0.25])}),
    ("double", {"x": np.array([3.0])}),
]
ASK = {
    "score": lambda x: {"score": x, "logits": 8 * x},
    "double": lambda x: {"vector": 2 * x},
}


@pytest.fixture
def answered(monkeypatch):
    """What the process answers: at first, as `ASK`."""
    answers = [ASK[name](**request) for name, request in REQUESTS]
    told = [{"signature": name} for name, _ in REQUESTS]
    monkeypatch.setattr(
        native_check, "replay", lambda *_: (answers, {"requests": told})
    )
    return answers


def check(folder):
    native_check.check_native(folder, REQUESTS, ASK, ("logits",), 1e-5)


def test_the_report(answered, tmp_path):
    answered[1]["vector"] = 6 * (1 + np.array([5e-6]))
    check(tmp_path)
    report = json.loads((tmp_path / "native.json").read_text())
    score, double = report["requests"]
    assert score == {"signature": "score", "difference": 0}
    assert double["difference"] == pytest.approx(5e-6)
    assert report["bound"] == 1e-5


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [(0, "score", 0.2501), (0, "logits", np.nan), (1, "vector", 6.001)],
)
def test_other_answers_are_refused(answered, tmp_path, place, name, value):
    answered[place][name] = np.array([value])
    with pytest.raises(TfadrecError, match=f"in {REQUESTS[place][0]}") as error:
        check(tmp_path)
    assert not isinstance(error.value, InputError)
    assert not (tmp_path / "native.json").exists()


def test_a_lost_request_is_refused(answered, tmp_path):
    answered.pop()
    with pytest.raises(TfadrecError, match=r"written, 2\. Received: 1\."):
        check(tmp_path)


def test_a_bundle_that_does_not_load_is_refused(tmp_path):
    with pytest.raises(
        TfadrecError, match=r"C library\. Received: .*SavedModel"
    ):
        native_check.replay(tmp_path, 1, 0.0)


def test_which_request_is_replayed_is_told(tmp_path, caplog):
    """Each line as it comes, and none of the report."""
    script = (
        "import sys; print('recommend, 1 of 2', flush=True);"
        "print('retrieve, 2 of 2'); print('a warning', file=sys.stderr);"
        "print('{\"requests\": []}')"
    )
    command = [sys.executable, "-c", script]
    caplog.set_level(logging.INFO, "tfadrec.serving")
    errors = tmp_path / "errors"
    with errors.open("w") as stream:
        code, last = native_check._run(command, stream)
    assert (code, last) == (0, '{"requests": []}')
    assert errors.read_text() == "a warning\n"
    assert caplog.messages == [
        "Replaying in TensorFlow's C library: recommend, 1 of 2",
        "Replaying in TensorFlow's C library: retrieve, 2 of 2",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["words", "numbers"])
def test_an_export_that_is_checked(
    name, no_replay, few_calls, tmp_path, caplog
):
    """The warm-up requests of every signature, timed, and named before that."""
    caplog.set_level(logging.INFO, "tfadrec.serving")
    world = getattr(worlds, name)()
    folder = serving.export_bundle(
        world.ranker, world.dataset, tmp_path, **world.text, native=True
    )
    report = json.loads((folder / "native.json").read_text())
    assert {told["signature"] for told in report["requests"]} == set(world.ask)
    told = [m.rpartition(": ")[2] for m in caplog.messages if " of " in m]
    count = len(report["requests"])
    assert told[-count:] == [
        f"{request['signature']}, {1 + number} of {count}"
        for number, request in enumerate(report["requests"])
    ]
    assert report["load_seconds"] > 0
    assert report["peak_megabytes"] > 100
    for told in report["requests"]:
        assert 0 <= told["difference"] <= report["bound"] == 1e-5
        assert set(told["threads"]) == {"1", "2", "4"}
        rows = {shape[0] for shape in told["shapes"].values()}
        merged = [told["merged"]] if rows == {1} else []
        for times in [*told["threads"].values(), *merged]:
            assert 0 < times["p50_ms"] <= times["p99_ms"]
            assert times["per_second"] > 0
