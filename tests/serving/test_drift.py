"""What the preview measures of its requests, against its training rows."""

import re
import threading
import time
import types
import urllib.request

import numpy as np
import pytest

from tests.serving import servers, worlds
from tfadrec import serving
from tfadrec.monitoring.signal import Signal
from tfadrec.serving.preview import drift
from tfadrec.serving.preview.drift import Drift
from tfadrec.serving.preview.json_tensors import plain
from tfadrec.serving.preview.metrics import Metrics

ROWS = 208
PASSED_OVER = 'tfadrec_monitor_passed_over_total{model_name="numbers"}'
REQUESTS = 'tfadrec_monitor_requests{model_name="numbers"}'


@pytest.fixture(scope="module")
def rows():
    """Training rows as clients send them, one by one, as arrays.

    They are spread over the log: of the first ones histories are short.
    """
    dataset = worlds.numbers().dataset
    picked = np.linspace(0, len(dataset) - 1, ROWS).astype(int)
    replayed = serving.replay(
        dataset, np.random.default_rng(0).permutation(picked)
    )
    replayed = {
        name: np.char.encode(v.astype(str)).astype(object)
        if v.dtype.kind in "OU"
        else v
        for name, v in replayed.items()
    }
    return [
        {name: values[n : n + 1] for name, values in replayed.items()}
        for n in range(ROWS)
    ]


@pytest.fixture
def versions():
    """One version, of which the folder alone is read."""
    folder = worlds.bundle("numbers") / "1"
    newest = types.SimpleNamespace(folder=folder)
    return types.SimpleNamespace(
        name="numbers", newest=newest, find=lambda _: newest
    )


@pytest.fixture
def measuring(versions):
    return Drift(versions, 200)


def shifted(row):
    """By four of its deviations."""
    return {**row, "scroll": row["scroll"] + 40.0}


def samples(page):
    return {
        line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
        for line in page.splitlines()
        if not line.startswith("#")
    }


def alarms(page):
    """Signals of which a measure is beyond its bound."""
    found = samples(page)
    return {
        re.search('signal="(.*?)"', name)[1]
        for name, value in found.items()
        if "_value{" in name
        and not (
            found[name.replace("_value", "_low")]
            <= value
            <= found[name.replace("_value", "_high")]
        )
    }


def add(measuring, versions, rows):
    for row in rows:
        measuring.add(versions.newest, row, {})
        measuring.step()
    return measuring.page()


@pytest.mark.parametrize("change", [dict, shifted])
def test_a_shift_and_none(measuring, versions, rows, change):
    some = [change(row) for row in rows]
    page = add(measuring, versions, some[:199])
    assert set(samples(page)) == {PASSED_OVER}
    page = add(measuring, versions, some[199:200])
    assert alarms(page) == ({"scroll"} if change is shifted else set())
    found = samples(page)
    assert found[REQUESTS] == 200
    assert found[PASSED_OVER] == 0
    watched = {re.search('signal="(.*?)"', n)[1] for n in found if "_va" in n}
    assert {"user_id", "history_ads", "scroll", "device"} < watched


def test_scores_of_ads_that_were_shown(measuring, versions, rows):
    """As the model's, or all of them one."""
    pages = []
    for scores in ("score", "scores"):  # the second are of the best ads
        for row in rows[:200]:
            one = np.ones([1], np.float32)
            measuring.add(versions.newest, row, {scores: one})
            measuring.step()
        pages.append(alarms(measuring.page()))
    assert pages == [{"score"}, set()]


def test_what_is_too_much_is_passed_over(measuring, versions, rows):
    """Without any work on it; and so is what has no user."""
    for n in range(600):
        measuring.add(versions.newest, rows[n % ROWS], {})
    measuring.add(versions.newest, {"examples": np.zeros(1)}, {})
    assert samples(measuring.page())[PASSED_OVER] == 600 - drift._MOST_USERS
    for _ in range(600 // 16):
        measuring.step()
    long = np.array([b"x" * drift._MOST_BYTES], object)
    measuring.add(versions.newest, {**rows[0], "device": long}, {})
    assert samples(measuring.page())[PASSED_OVER] == 600 - 512 + 1


#: A sample with labels, as the text format has them: in a value, a backslash
#: stands before itself, a quote and the n of a new line.
SAMPLE = re.compile(
    r'[a-zA-Z_:][\w:]*\{((?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)+)\} \S+'
)


@pytest.mark.parametrize("name", ['a"} 1\nup 0', "back\\slash", "\udcff<b>"])
def test_a_folder_of_any_name_leaves_the_page_whole(versions, rows, name):
    versions.name = name
    measuring, metrics = Drift(versions, 20), Metrics(name)
    metrics.add("REST", "OK", 0.001)
    page = add(measuring, versions, rows[:20]) + metrics.page()
    page.encode()
    lines = [each for each in page.splitlines() if each[0] != "#"]
    assert len(lines) > 50
    escaped = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\udcff": "?"}
    wanted = "".join(escaped.get(letter, letter) for letter in name)
    for line in lines:
        assert f'model_name="{wanted}"' in SAMPLE.fullmatch(line)[1]


def test_what_cannot_be_counted_is_not_kept(
    measuring, versions, rows, monkeypatch
):
    """It would be counted with every later request, and fail with it."""

    def observe(*_):
        raise RuntimeError("planted")

    monkeypatch.setattr(Signal, "observe", observe)
    failed = 0
    for row in rows[:60]:
        measuring.add(versions.newest, row, {})
        try:
            measuring.step()
        except RuntimeError:
            failed += 1
    assert failed == 60 // 16
    monkeypatch.undo()
    assert samples(add(measuring, versions, rows[:140]))[REQUESTS] == 200


def test_a_newer_version_begins_anew(measuring, versions, rows):
    """Requests of the one before are not counted with it."""
    add(measuring, versions, rows[:199])
    before = versions.newest
    newer = types.SimpleNamespace(folder=before.folder)
    versions.find = lambda _: newer
    for row in rows[:200]:
        measuring.add(before, row, {})
        measuring.step()
    assert set(samples(measuring.page())) == {PASSED_OVER}
    versions.newest = newer
    assert len(samples(add(measuring, versions, rows[:200]))) > 20


def test_a_bundle_without_statistics(
    measuring, versions, rows, tmp_path, caplog
):
    versions.newest.folder = tmp_path
    page = add(measuring, versions, rows[:201])
    assert set(samples(page)) == {PASSED_OVER}
    assert len(caplog.records) == 1
    assert "has no monitor.json" in caplog.text


def test_a_fault_ends_nothing(measuring, versions, rows, monkeypatch, caplog):
    """The thread goes on, and works a fiftieth of the time."""
    seen, pauses = threading.Event(), []

    def step():
        if len(pauses) == 1:
            raise RuntimeError("planted")
        begun = time.thread_time()
        while time.thread_time() - begun < 0.02:
            pass

    def wait(pause):
        pauses.append(pause)
        seen.set()
        return len(pauses) == 4

    monkeypatch.setattr(measuring, "step", step)
    monkeypatch.setattr(measuring._stop, "wait", wait)
    measuring.start().join()
    assert "planted" in caplog.text
    assert pauses[0] == pauses[1] == 0.1
    assert pauses[2] >= 0.02 / 0.02
    assert len(pauses) == 4


@pytest.mark.slow
def test_a_server_tells_of_a_shift(rows):
    """Of a window of training rows, and of one in which a number has moved."""
    path = worlds.bundle("numbers")
    with (
        servers.preview(path, "--window", 200) as server,
        servers.Connection(server.url) as connection,
    ):
        root = server.url.partition("/v1/")[0]

        def page():
            url = f"{root}/monitoring/prometheus/metrics"
            with urllib.request.urlopen(url) as answer:
                return answer.read().decode()

        def ask(change):
            for row in rows[:200]:
                sent = {k: plain(v) for k, v in change(row).items()}
                connection.predict("serving_default", sent)

        def next_window(last):
            """What the page has of a window, once it is another than that."""
            begin = "# HELP tfadrec_monitor_alarms"
            for _ in range(300):
                found = page().partition(begin)[2].partition("\n")[2]
                if found not in ("", last):
                    return found
                time.sleep(0.1)
            raise AssertionError(page())

        assert "tfadrec_monitor_alarms" not in page()
        ask(dict)
        same = next_window("")
        assert alarms(same) == set()
        ask(shifted)
        assert "scroll" in alarms(next_window(same))
        assert not server.errors()
