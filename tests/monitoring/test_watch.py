"""A log of requests beside the rows that a profile was made of."""

import json
import os

import numpy as np
import pytest

from tests.serving import shop
from tfadrec.core.errors import InputError
from tfadrec.monitoring import Profile, Watch, watch
from tfadrec.monitoring.known_ids import KnownIds
from tfadrec.serving.watched_rows import as_rows

#: A category of the request with a vocabulary, whose name is taken.
KNOWN_DEVICE = next(
    f.tensor for f in shop.dataset().schema.features if f.name == "k"
)
SCORES = np.random.default_rng(3).beta(2, 8, 400)


@pytest.fixture(scope="module")
def rows():
    dataset = shop.dataset()
    return as_rows(dataset)


@pytest.fixture(scope="module")
def profile(rows):
    dataset = shop.dataset()
    return Profile.of(
        dataset.schema,
        dataset.history_length,
        {
            "users": KnownIds.of(dataset.user_ids.tolist()),
            "ads": KnownIds.of(dataset.catalogue.ad_ids.tolist()),
        },
        rows,
        np.arange(len(rows)),
        scores=SCORES,
        score_users=np.arange(len(SCORES)),
    )


@pytest.fixture
def log(tmp_path, rows):
    """Writes a log of rows; each is changed as it comes."""

    def write(change=lambda row, n: None, count=600, **more):
        file = tmp_path / "requests.jsonl"
        with file.open("w") as out:
            for n in range(count):
                row = dict(rows[n % len(rows)])
                change(row, n)
                line = {"id": f"r{n}", "time": 1_700_000_000 + n}
                line |= {k: v(n) for k, v in more.items()}
                out.write(json.dumps({**line, "instances": [row]}) + "\n")
        return file

    return write


def alarms(profile, log, labels=None, window=600):
    return {
        (m.signal, m.name)
        for found in Watch(profile, log, labels, window=window)
        for m in found.alarms
    }


def test_the_rows_themselves_are_no_drift(profile, log):
    (found,) = Watch(profile, log(), window=600)
    assert found.alarms == []
    assert found.requests == 600
    assert (found.begin, found.end) == (1_700_000_000, 1_700_000_599)
    watched = {m.signal for m in found.measures}
    schema = shop.dataset().schema
    derived = ("cross", "overlap")
    expected = {
        f"{f.tensor}_keys" if f.kind == "lookup" else f.tensor
        for f in schema.of("user", "context", "candidate", "event")
        if f.kind not in derived
    }
    assert watched >= expected
    assert {"user_id", "candidate_ads", "history_length"} < watched


def every(name, value):
    def change(row, n):
        row[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (every("user_id", "nobody"), ("user_id", "blank")),
        (every("candidate_ads", "new"), ("candidate_ads", "blank")),
        (every("hour", 500.0), ("hour", "ks")),
        (every("hour", float("nan")), ("hour", "blank")),
        (every("device", "fridge"), ("device", "psi")),
        (every(KNOWN_DEVICE, "fridge"), (KNOWN_DEVICE, "blank")),
        (every("bid", 0.99), ("bid", "psi")),
        (every("history_length", 0), ("history_length", "psi")),
        (every("likes", ["y"]), ("likes", "psi")),
        (every("face", [30.0, 40.0]), ("face", "ks")),
    ],
)
def test_a_shift_is_alarmed(profile, log, change, expected):
    assert expected in alarms(profile, log(change))


def test_ads_that_have_joined_are_known(profile, log, tmp_path):
    file, unknown = (
        log(every("candidate_ads", "new")),
        ("candidate_ads", "blank"),
    )
    assert unknown in alarms(profile, file)
    more = profile.with_ads(["new", "a0"])
    assert unknown not in alarms(more, file)
    assert len(more.ids["ads"].digests) == len(profile.ids["ads"].digests) + 1
    # Nothing else changes in a bundle.
    profile.save(tmp_path)
    before = (tmp_path / "monitor.json").read_bytes()
    Profile.load(tmp_path).with_ads(["new"]).save(tmp_path)
    assert (tmp_path / "monitor.json").read_bytes() == before


def test_only_what_shifts_is_alarmed(profile, log):
    found = alarms(profile, log(every("hour", 500.0)))
    assert {signal for signal, _ in found} == {"hour"}


def test_what_cannot_be_read_is_missing(profile, log):
    """Nothing that a client sends ends the watching."""

    def change(row, n):
        row |= {"history_ads": "x", "history_length": "y", "likes": 3}
        row |= {"face": None, "hour": {"a": 1}, "history_dwell": None}

    (found,) = Watch(profile, log(change), window=600)
    shares = {name: each["missing"] for name, each in found.shares.items()}
    assert shares["history_length"] == shares["hour"] == shares["face"] == 1
    assert found.shares["likes"]["unknown"] == 1
    assert "history_ads" not in shares


def test_an_input_that_vanishes_is_missing(profile, log):
    """But none of an empty history, and of candidates where none is sent."""

    def change(row, n):
        del row["hour"], row["bid"], row["history_ads"], row["history_dwell"]
        if n % 2:
            row["history_length"] = 0
        else:
            row["candidate_ads"] = ["a1", "a2"]

    (found,) = Watch(profile, log(change), window=600)
    blank = {m.signal: m for m in found.measures if m.name == "blank"}
    for name in ("hour", "bid", "history_ads", "history_dwell"):
        assert blank[name].value == 1
        assert blank[name].is_alarm
    assert (blank["hour"].count, blank["bid"].count) == (600, 900)

    def recommend(row, n):
        for name in ("candidate_ads", *(f.tensor for f in candidates)):
            row.pop(name, None)

    candidates = shop.dataset().schema.of("candidate")
    assert alarms(profile, log(recommend)) == set()

    def no_history(row, n):
        for name in [name for name in row if name.startswith("history_")]:
            del row[name]

    found = alarms(profile, log(no_history))
    names = ("ads", "events", "ages", "length", "dwell")
    assert {(f"history_{name}", "blank") for name in names} <= found


def test_users_features_may_be_left_out(profile, log):
    """The bundle has its own, so their absence is no sign."""

    def change(row, n):
        row |= {"age": float("nan"), "city": "", "likes": []}

    assert alarms(profile, log(change)) == set()

    def leave_out(row, n):
        del row["age"], row["city"], row["likes"]

    assert alarms(profile, log(leave_out)) == set()


def test_inputs_are_read_as_instances_are(profile, tmp_path, rows):
    """By column, a slate of two candidates, texts in base64."""
    row = dict(rows[0])
    columns = {name: [value, value] for name, value in row.items()}
    columns["candidate_ads"] = [["a1", {"b64": "YTI="}], ["a3", "odd"]]
    columns["bid"] = [[1.0, 2.0], [3.0, None]]
    body = {"signature_name": "score_slate", "inputs": columns}
    file = tmp_path / "log"
    file.write_text((json.dumps(body) + "\n\n") * 100)
    (found,) = Watch(profile, file, window=200)
    assert found.requests == 200
    assert found.begin is None
    assert found.shares["candidate_ads"]["unknown"] == 0.25
    assert found.shares["bid"]["missing"] == 0.25
    counts = {(m.signal, m.name): m.count for m in found.measures}
    assert counts["candidate_ads", "blank"] == 400


def test_scores_that_drift(profile, log):
    same = log(scores=lambda n: [float(SCORES[n % len(SCORES)])])
    assert alarms(profile, same) == set()
    half = log(scores=lambda n: [float(SCORES[n % len(SCORES)]) / 2])
    assert alarms(profile, half) == {("score", "psi"), ("score", "ks")}


def test_calibration_on_labels_that_come_late(profile, log, tmp_path):
    """The first 600 are not known yet, and of the rest a second line is."""
    random = np.random.default_rng(0)
    clicked = random.random(1200) < SCORES[np.arange(1200) % len(SCORES)]
    requests = log(
        count=1200, scores=lambda n: [float(SCORES[n % len(SCORES)])]
    )

    def write(labels):
        file = tmp_path / "labels.jsonl"
        lines = [
            {"id": f"r{n}", "labels": [None if n < 900 else int(labels[n])]}
            for n in range(600, 1200)
        ]
        lines += [
            {"id": f"r{n}", "labels": [int(labels[n])]} for n in range(600, 900)
        ]
        file.write_text("\n".join(map(json.dumps, lines)))
        return file

    (found,) = Watch(profile, requests, write(clicked), window=1200)
    (measure,) = [m for m in found.measures if m.name == "calibration"]
    predicted = SCORES[np.arange(600, 1200) % len(SCORES)].sum()
    assert measure.value == pytest.approx(predicted / clicked[600:].sum())
    assert measure.count == 600
    assert not measure.is_alarm
    assert "600 labels of 1,200 scores, 0 alarms" in found.line
    twice = clicked | (random.random(1200) < 0.25)
    found = alarms(profile, requests, write(twice), window=1200)
    assert found == {("score", "calibration")}


def test_no_click_at_all(profile, log, rows, tmp_path):
    """Of 600 users with 120 clicks predicted an alarm, of a single one none.

    That one clicks nothing with a chance of 1 less his largest score.
    """
    labels = tmp_path / "labels.jsonl"
    lines = [{"id": f"r{n}", "labels": [0]} for n in range(600)]
    labels.write_text("\n".join(map(json.dumps, lines)))

    def calibration(change):
        scores = {"scores": lambda n: [float(SCORES[n % len(SCORES)])]}
        (found,) = Watch(profile, log(change, **scores), labels, window=600)
        (measure,) = [m for m in found.measures if m.name == "calibration"]
        alpha = 1 / 2000 / len(found.measures)
        return measure, np.log(2 / alpha)

    predicted = SCORES[np.arange(600) % len(SCORES)].sum()
    measure, _ = calibration(lambda row, n: row.update(user_id=f"u{n}"))
    assert measure.value == pytest.approx(predicted)
    assert measure.is_alarm
    measure, least = calibration(every("user_id", rows[0]["user_id"]))
    evidence = -np.log(1 - SCORES.max())
    assert measure.high == pytest.approx(predicted * least / evidence)
    assert not measure.is_alarm


def test_one_user_with_a_click_tells_nothing(profile, log, rows, tmp_path):
    labels = tmp_path / "labels.jsonl"
    lines = [{"id": f"r{n}", "labels": [int(n == 5)]} for n in range(600)]
    labels.write_text("\n".join(map(json.dumps, lines)))
    scores = {"scores": lambda n: [float(SCORES[n % len(SCORES)])]}
    change = every("user_id", rows[0]["user_id"])
    (found,) = Watch(profile, log(change, **scores), labels, window=600)
    assert not [m for m in found.measures if m.name == "calibration"]


def test_windows(profile, log):
    """The rest is measured where it is no less than 200."""
    watched = Watch(profile, log(count=1099), window=500)
    assert [w.requests for w in watched] == [500, 500]
    assert watched.left == 99
    found = list(Watch(profile, log(count=1200), window=500))
    assert [w.requests for w in found] == [500, 500, 200]
    assert [w.number for w in found] == [1, 2, 3]
    bound = {(m.signal, m.name): m.high for m in found[0].measures}
    smaller = {(m.signal, m.name): m.high for m in found[2].measures}
    assert all(smaller[key] >= high for key, high in bound.items())


def test_a_profile_is_kept(profile, tmp_path):
    profile.save(tmp_path)
    found = Profile.load(tmp_path)
    assert found.references == profile.references
    assert found.schema == profile.schema
    assert found.ids["ads"].has(["a1", "odd"]).tolist() == [True, False]
    (tmp_path / "monitor.json").write_text("{}")
    with pytest.raises(InputError, match="must be as they were exported"):
        Profile.load(tmp_path)
    with pytest.raises(InputError, match=r"has no monitor\.json"):
        Profile.load(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "line 1 of .*which is not"),
        ("[1]", "a line is an object"),
        ('{"id": "x"}', "a request has instances or inputs"),
        ('{"instances": [3]}', "instances are objects"),
        ('{"inputs": {"user_id": ["a"], "hour": []}}', "line 1 of"),
        ('{"instances": [{"user_id": "a"}], "time": "soon"}', "soon"),
        ('{"instances": [{"user_id": "a"}], "scores": [["x"]]}', "line 1"),
        ('{"instances": [{"user_id": "a"}], "scores": [NaN]}', "from 0 to 1"),
        ('{"instances": [{"user_id": "a"}], "scores": [-2.5]}', "from 0 to 1"),
        (
            f'{{"instances": [{{"user_id": "a"}}], "time": 1{400 * "0"}}}',
            "line 1",
        ),
        ('{"instances": [{"user": "a"}]}\n' * 3, "whose 3 lines none does"),
        (
            f'{{"inputs": {{"x": {"[" * 800 + "]" * 800}}}, "b64": 1}}',
            "line 1 of",
        ),
    ],
)
def test_lines_that_are_no_requests(profile, tmp_path, text, message):
    file = tmp_path / "log.jsonl"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        list(Watch(profile, file))


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "r"}',
        '{"labels": [1]}',
        '{"id": "r", "labels": [2]}',
        f'{{"id": "r", "labels": [1{400 * "0"}]}}',
        "x",
    ],
)
def test_lines_that_are_no_labels(profile, log, tmp_path, text):
    file = tmp_path / "labels.jsonl"
    file.write_text(text)
    with pytest.raises(InputError, match="a line of labels"):
        list(Watch(profile, log(), file))


@pytest.mark.parametrize("fault", ["other ids", "other numbers", "no scores"])
def test_labels_of_no_request(profile, log, tmp_path, fault):
    scores = {} if fault == "no scores" else {"scores": lambda n: [0.5]}
    line = {
        "id": "x1" if fault == "other ids" else "r1",
        "labels": [1, 0] if fault == "other numbers" else [1],
    }
    file = tmp_path / "labels.jsonl"
    file.write_text(json.dumps(line))
    with pytest.raises(InputError, match=r"none of 1 has the `id`"):
        list(Watch(profile, log(count=3, **scores), file))
    # No window comes before it.
    with pytest.raises(InputError, match=r"none of 1 has the `id`"):
        next(iter(Watch(profile, log(count=400, **scores), file, window=200)))


@pytest.mark.parametrize("labels", ["", "null", "NaN", "null, NaN"])
def test_labels_of_which_none_is_known(profile, log, tmp_path, labels):
    file = tmp_path / "labels.jsonl"
    file.write_text(labels and f'{{"id": "r1", "labels": [{labels}]}}')
    with pytest.raises(InputError, match=r"known.*where none is"):
        list(Watch(profile, log(count=3), file))


@pytest.mark.parametrize("name", ["hour", "candidate_ads"])
def test_what_is_nested_deeply_is_missing(profile, log, name):
    """However deep the reader of JSON goes: Python's own stack is shorter."""

    def change(row, n):
        row[name] = []
        for _ in range(300 + n):
            row[name] = [row[name]]

    (found,) = Watch(profile, log(change, 400), window=400)
    assert found.shares[name] == {"missing": 1.0, "unknown": 0.0}


def test_files_that_never_end(profile, log, tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", "/dev/zero", tmp_path):
        with pytest.raises(InputError, match="a pipe, a device or a folder"):
            list(Watch(profile, place))
        with pytest.raises(InputError, match="a pipe, a device or a folder"):
            list(Watch(profile, log(), place))
    monkeypatch.setattr(watch, "_LONGEST", 100)
    with pytest.raises(InputError, match=r"line 1 of .*more"):
        list(Watch(profile, log()))


def test_numbers_beyond_all_floats_are_missing(profile, log):
    (found,) = Watch(profile, log(lambda row, n: row.update(bid=10**400), 200))
    assert found.shares["bid"] == {"missing": 1.0, "unknown": 0.0}


def test_a_window_is_not_too_small(profile, log):
    with pytest.raises(InputError, match="at least 200"):
        list(Watch(profile, log(), window=199))
