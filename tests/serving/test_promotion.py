"""The label stable moves where all gates are kept, and moves back."""

import dataclasses
import itertools
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from tests.killed import leave
from tests.serving import worlds
from tests.training import small
from tfadrec import data, serving
from tfadrec.calibration import fit_calibration
from tfadrec.cli.main import main
from tfadrec.cli.promote import _mend as mend_of
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.moment_text import moment_text
from tfadrec.metrics import ranking
from tfadrec.monitoring import Profile
from tfadrec.monitoring.known_ids import KnownIds
from tfadrec.serving import latencies, learned_rows, loaded_ads, promotion
from tfadrec.serving.ad_record import AdRecord
from tfadrec.serving.deployment import read_labels, write_labels
from tfadrec.serving.learned_rows import LearnedRows
from tfadrec.serving.watched_rows import as_rows

NO_LIMITS = dict.fromkeys(("auc", "log_loss", "calibration", "latency"))


@pytest.fixture(scope="module")
def dataset():
    return data.open_dataset(small.world())


@pytest.fixture
def bundle(tmp_path, monkeypatch, dataset):
    """Two versions that answer as they are told to, of 200 rows."""
    path = tmp_path / "shop"
    for version in ("1", "2"):
        (path / version).mkdir(parents=True)
        (path / version / "saved_model.pb").touch()
    write_labels(path, {"stable": 1, "canary": 2})
    labels = dataset.impressions.labels["clicked"]
    rate = labels[-200:].mean()
    logits = {
        1: np.log(rate / (1 - rate)) + (2 * labels - 1),
        2: np.log(rate / (1 - rate)) + (2 * labels - 1),
    }

    def opened(folder):
        given = iter(np.split(logits[int(folder.name)][-200:], [200]))
        return {
            "serving_default": lambda **_: {"logits": next(given)},
            "score_slate": lambda **_: None,
        }

    monkeypatch.setattr(promotion, "open_bundle", opened)
    return path, logits, labels


def promoted(path, dataset, rows=200, **limits):
    limits = serving.Gates(**{**NO_LIMITS, **limits})
    return serving.promote(path, dataset, limits, rows=rows).outcomes


def test_a_canary_that_keeps_all_gates_becomes_stable(bundle, dataset):
    path, *_ = bundle
    outcomes = serving.promote(
        path, dataset, serving.Gates(latency=None, calibration=9.0), rows=200
    ).outcomes
    assert [o["gate"] for o in outcomes] == ["auc", "log_loss", "calibration"]
    assert all(o["kept"] for o in outcomes)
    assert read_labels(path) == {"stable": 2, "canary": 2, "previous": 1}
    with pytest.raises(InputError, match="version 2 is both"):
        promoted(path, dataset)


@pytest.mark.parametrize(("limit", "kept"), [(0.05, False), (0.5, True)])
def test_auc_may_be_a_little_lower(bundle, dataset, limit, kept):
    path, logits, labels = bundle
    random = np.random.default_rng(0)
    logits[2] = logits[2] + random.normal(0, 1, len(labels))
    worse = ranking.auc(labels[-200:], logits[2][-200:])
    assert 0.5 < worse < 0.9
    (outcome,) = promoted(path, dataset, auc=limit)
    assert outcome == {
        "gate": "auc",
        "stable": 1.0,
        "canary": pytest.approx(worse),
        "limit": 1.0 - limit,
        "low": pytest.approx(2 * (worse - 1) - outcome["high"]),
        "high": outcome["high"],
        "state": "held" if kept else "lost",
        "kept": kept,
    }
    assert read_labels(path)["stable"] == (2 if kept else 1)


@pytest.mark.parametrize(
    ("shift", "gate", "limit", "kept"),
    [
        (3.0, "log_loss", 0.1, False),
        (0.0, "log_loss", 0.0, True),
        (3.0, "calibration", 0.5, False),
        (-3.0, "calibration", 0.5, False),
        (-3.0, "calibration", 1.0, True),
    ],
)
def test_other_gates(bundle, dataset, shift, gate, limit, kept):
    path, logits, _ = bundle
    logits[2] = logits[2] + shift
    (outcome,) = promoted(path, dataset, **{gate: limit})
    assert outcome["kept"] == kept
    assert read_labels(path)["stable"] == (2 if kept else 1)


def test_rows_of_a_log_that_keeps_few_negatives(bundle, dataset):
    """Answers are of all impressions, and one of ten is in the log."""
    path, logits, _ = bundle
    sampled = dataclasses.replace(
        dataset,
        schema=dataclasses.replace(dataset.schema, negatives_kept=0.1),
    )
    (outcome,) = promoted(path, sampled, calibration=0.5)
    assert outcome["state"] == "lost"
    for version in logits:
        logits[version] = logits[version] + np.log(0.1)
    (outcome,) = promoted(path, sampled, calibration=0.5)
    assert outcome["state"] == "held"


@pytest.mark.parametrize(
    ("limit", "state"), [(1.9, "lost"), (2.0, "open"), (2.2, "held")]
)
def test_a_slow_canary(bundle, dataset, monkeypatch, limit, state):
    """It takes twice as long, give or take a twentieth."""
    path, *_ = bundle
    noise = 1 + np.random.default_rng(0).uniform(-0.05, 0.05, [2, 50, 20])
    spent = {"stable": 2 * noise[0], "canary": 4 * noise[1]}
    monkeypatch.setattr(promotion, "latencies", lambda *_: spent)
    (outcome,) = promoted(path, dataset, latency=limit)
    assert outcome["stable"] == pytest.approx(2 * 1.05, rel=0.01)
    assert outcome["limit"] == outcome["stable"] * limit
    assert 1.95 < outcome["low"] < 2 < outcome["high"] < 2.05
    assert (outcome["state"], outcome["kept"]) == (state, state == "held")


def test_a_ratio_has_the_interval_of_its_rounds():
    """Rounds of which each is slow for both, and calls that are not alike."""
    random = np.random.default_rng(0)
    busy = random.exponential(1, [50, 1])
    same = latencies.slower(busy + np.ones([50, 20]), busy + np.ones([50, 20]))
    assert (same["low"], same["high"]) == (1, 1)
    covered = 0
    for _ in range(100):
        times = random.exponential(1, [2, 50, 20])
        told = latencies.slower(times[0], times[1])
        covered += told["low"] <= 1 <= told["high"]
    assert covered >= 88  # of 100, where 95 are meant


def test_versions_take_turns(dataset, monkeypatch):
    """And a call of the first round is none of those that count."""
    clock, asked = itertools.count(), []
    monkeypatch.setattr(latencies.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(latencies, "_SECONDS", np.inf)
    opened = {
        name: {"score_slate": lambda name=name, **_: asked.append(name)}
        for name in ("a", "b")
    }
    spent = latencies.latencies(opened, dataset)
    assert [k for k, _ in itertools.groupby(asked)] == ["a", "b"] * 51
    np.testing.assert_array_equal(spent["a"], np.full([50, 20], 1000.0))
    monkeypatch.setattr(latencies, "_SECONDS", 0)
    assert len(latencies.latencies(opened, dataset)["b"]) == 2


def learned(path, version, *rows, **settings):
    learned_rows.write_learned(path / version, *rows, **settings)
    found = LearnedRows.load(path / version)
    return None if found is None else found.until


def test_rows_that_a_version_has_learned_are_left_out(bundle, dataset):
    """What is newer than all that both versions have learned is left."""
    path, logits, _ = bundle
    times = dataset.impressions.times
    old = dataset.select(times <= times[-100])
    older = dataset.select(times <= times[-300])
    assert learned(path, "1", older, old) == times[-100]
    assert learned(path, "2", older) == times[-300]
    new = times > times[-100]
    for version in logits:
        logits[version] = logits[version][new]
    gates = serving.Gates(**{**NO_LIMITS, "auc": 0.1})
    found = serving.promote(path, dataset, gates)
    assert found.rows.impressions.times.tolist() == times[new].tolist()
    assert found.learned == (~new).sum()
    assert found.until == times[-100]
    assert found.untold == ()
    assert read_labels(path)["stable"] == 2


def test_nothing_but_learned_rows_is_refused(bundle, dataset):
    path, *_ = bundle
    times = dataset.impressions.times
    until = learned(path, "2", dataset)
    assert until == times.max()
    newest = moment_text(until)
    with pytest.raises(
        InputError, match=rf"neither version.*Received: {len(times)}, the new"
    ) as error:
        promoted(path, dataset)
    assert str(error.value).count(newest) == 2
    assert read_labels(path)["stable"] == 1


def test_versions_that_do_not_tell_what_they_learned(bundle, dataset):
    """Of the first one there is no file, and in the second no time."""
    path, *_ = bundle
    one = dataset.impressions.times == dataset.impressions.times[0]
    assert learned(path, "2", dataset.select(one)) is None
    gates = serving.Gates(**NO_LIMITS)
    found = serving.promote(path, dataset, gates, rows=200)
    assert (found.until, found.learned, found.untold) == (None, 0, (1, 2))
    assert len(found.rows) == 200
    (path / "2" / "learned.json").write_text("[]")
    with pytest.raises(InputError, match=r"learned\.json must be as it was"):
        LearnedRows.load(path / "2")


def test_rows_that_a_version_was_calibrated_by_are_learned(tmp_path, dataset):
    """Also where these are newer than those that chose it, as test rows are."""
    world = worlds.numbers()
    times = np.sort(world.dataset.impressions.times)
    old = world.dataset.select(world.dataset.impressions.times <= times[99])
    logits = world.ranker.predict(world.dataset.batches(100), verbose=0)
    settings = {"replayed": False, "names": ["serving_default"], "train": old}
    worlds.export(world, tmp_path / "a", **settings)
    assert LearnedRows.load(tmp_path / "a" / "1").until == times[99]
    worlds.export(
        world,
        tmp_path / "a",
        calibration=fit_calibration(logits, world.dataset),
        **settings,
    )
    assert LearnedRows.load(tmp_path / "a" / "2").until == times[-1]
    (tmp_path / "1").mkdir()
    assert learned(tmp_path, "1", old, until=int(times[0])) == times[99]


def test_what_a_version_tells_of_its_rows(tmp_path, dataset):
    """All impressions behind them, also those that the log has left out."""
    (tmp_path / "1").mkdir()
    shown = dataset.impressions
    weights = np.arange(len(dataset), dtype=np.float64)
    rows = dataclasses.replace(
        dataset,
        schema=dataclasses.replace(dataset.schema, negatives_kept=0.25),
        impressions=dataclasses.replace(shown, weights=weights),
    )
    learned(tmp_path, "1", rows.select(np.arange(9)), rows)
    found = LearnedRows.load(tmp_path / "1")
    clicked = shown.labels["clicked"] > 0
    clicks = weights[clicked].sum() + weights[:9][clicked[:9]].sum()
    others = weights[~clicked].sum() + weights[:9][~clicked[:9]].sum()
    assert found == LearnedRows(
        shown.times.max(),
        shown.times.min(),
        (pytest.approx(clicks), pytest.approx(clicks + 4 * others)),
    )
    file = tmp_path / "1" / "learned.json"
    file.write_text('{"newest_seconds": 7}')  # as versions before told it
    assert LearnedRows.load(tmp_path / "1") == LearnedRows(7)


DAY = 86_400


@pytest.mark.parametrize(
    ("until", "clicks", "said"),
    [
        (-DAY, None, []),
        (-365 * DAY, None, ["begin 365 days after the newest one before"]),
        (-365 * DAY, (1.0, 1e6), ["begin 365", "0.00% of those before"]),
        (-DAY, (1.0, 1e6), ["check that the clicks are all there"]),
    ],
)
def test_rows_that_are_not_like_those_that_were_learned(
    bundle, dataset, until, clicks, said
):
    """As `update` says it of a day."""
    path, *_ = bundle
    times = dataset.impressions.times
    first = int(times[-200])
    told = {
        "newest_seconds": first + until,
        "oldest_seconds": first + until - 14 * DAY,
        "clicks": 1.0 if clicks is None else clicks[0],
        "impressions": 2.0 if clicks is None else clicks[1],
    }
    (path / "2" / "learned.json").write_text(json.dumps(told))
    rows = dataset.select(np.arange(len(dataset) - 200, len(dataset)))
    found = serving.promote(path, rows, serving.Gates(**NO_LIMITS))
    assert len(found.notes) == len(said)
    for note, part in zip(found.notes, said, strict=True):
        assert part in note


def test_rows_without_what_their_users_did_before(bundle, dataset):
    """A day's dataset has that day's events alone."""
    path, *_ = bundle
    shown = dataset.impressions
    rows = dataset.select(np.argsort(shown.history_lengths)[-200:])
    length = int(rows.impressions.history_lengths.min())
    assert length >= 4
    ids = {name: KnownIds.of([]) for name in ("users", "ads")}
    profile = Profile.of(
        *(rows.schema, rows.history_length, ids),
        *(as_rows(rows), rows.impressions.people),
    )
    profile.save(path / "2")
    gates = serving.Gates(**NO_LIMITS)
    assert serving.promote(path, rows, gates).notes == ()
    write_labels(path, {"stable": 1, "canary": 2})
    half = np.sort(rows.impressions.history_lengths)[99]
    ends = rows.impressions.history_starts + 1
    day = dataclasses.replace(
        rows,
        impressions=dataclasses.replace(rows.impressions, history_ends=ends),
    )
    (note,) = serving.promote(path, day, gates).notes
    half = min(int(half), rows.history_length)
    assert note.startswith(
        "the median history of the judged impressions has 1 events, and that "
        f"of the training rows {half}; name a dataset"
    )


def test_what_was_judged_is_said(bundle, dataset):
    path, logits, _ = bundle
    times = dataset.impressions.times
    new = times > times[-201]
    learned(path, "1", dataset.select(~new))
    for version in logits:
        logits[version] = logits[version][new]
    call = ["promote", str(path), "--data", str(small.world())]
    gates = path.parent / "gates.yaml"
    gates.write_text("latency: null\ncalibration: null\nauc: 0.1\n")
    done = CliRunner().invoke(main, [*call, "--gates", str(gates)])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"Judged by {new.sum()} newest rows, ")
    assert lines[1].startswith(f"Left out are {(~new).sum():,} that are")
    assert moment_text(times[-201]) in lines[1]
    assert lines[2].startswith("Version 2 does not tell which rows")


@pytest.mark.parametrize(("rounds", "state"), [(4, "open"), (5, "held")])
def test_few_rounds_of_calls_tell_nothing(
    bundle, dataset, monkeypatch, rounds, state
):
    """Where a round takes long, a minute has few of them."""
    path, *_ = bundle
    times = {name: np.ones([rounds, 20]) for name in ("stable", "canary")}
    monkeypatch.setattr(promotion, "latencies", lambda *_: times)
    monkeypatch.setattr(promotion, "judged_notes", lambda *_: ("odd rows",))
    file = path.parent / "gates.yaml"
    file.write_text(json.dumps({**NO_LIMITS, "latency": 9.0}))
    call = ["promote", str(path), "--data", str(small.world())]
    call += ["--gates", str(file), "--rows", "200"]
    done = CliRunner().invoke(main, call)
    assert "Note: odd rows" in done.stdout.splitlines()
    assert (done.exit_code == 0) == (state == "held")
    assert read_labels(path)["stable"] == (2 if state == "held" else 1)
    if state == "open":
        (line,) = [a for a in done.stdout.splitlines() if "latency" in a]
        assert line.endswith("no interval  OPEN")
        assert "Of latency 4 rounds of calls tell no interval" in done.stderr
        assert "over the limit" not in done.stderr


def test_gates_that_are_open_and_what_to_do():
    few = "Of latency 4 rounds of calls"
    assert mend_of(["auc", "latency"], 4).startswith(few)
    assert "The interval of auc reaches" in mend_of(["auc", "latency"], 4)
    assert "The interval of auc, latency" in mend_of(["auc", "latency"], 5)
    assert "nothing else runs" in mend_of(["latency"], 5)


def test_an_ad_that_was_taken_down_does_not_come_back(
    bundle, dataset, monkeypatch
):
    """Neither with a canary nor with the version before."""
    path, *_ = bundle
    AdRecord(removed=("a1", "a2")).save(path / "2")
    (path / "taken_down.json").write_text('["a2", "a1", "a3", "other"]')
    monkeypatch.setattr(tf.saved_model, "load", lambda _: None)
    monkeypatch.setattr(
        loaded_ads, "given", lambda _, ids: tuple(i for i in ids if i[0] == "a")
    )
    with pytest.raises(InputError, match=r"gives 1, such as a3\. Take them"):
        promoted(path, dataset)
    assert read_labels(path)["stable"] == 1
    AdRecord(removed=("a2", "a1", "a3")).save(path / "2")
    promoted(path, dataset)
    assert read_labels(path)["stable"] == 2
    done = CliRunner().invoke(main, ["rollback", str(path)])
    assert done.exit_code == 0
    assert "It gives 3 ads that were taken down since" in done.stdout


def test_a_rollback_where_nothing_tells_what_was_taken_down(bundle):
    """It is a matter of labels, which have moved."""
    path, *_ = bundle
    write_labels(path, {"stable": 2, "canary": 2, "previous": 1})
    (path / "taken_down.json").write_text("[")
    done = CliRunner().invoke(main, ["rollback", str(path)])
    assert done.exit_code == 0
    assert read_labels(path) == {"stable": 1, "canary": 2}
    assert "were taken down is not known: taken_down.json must" in done.output


def test_rows_that_do_not_tell(bundle, dataset):
    """A limit inside of the interval: neither held nor lost."""
    path, logits, labels = bundle
    random = np.random.default_rng(0)
    logits[2] = logits[2] + random.normal(0, 1, len(labels))
    (first,) = promoted(path, dataset, auc=0.0)
    assert first["low"] < first["high"] < 0
    inside = float(-(first["low"] + first["high"]) / 2)
    (outcome,) = promoted(path, dataset, auc=inside)
    assert (outcome["state"], outcome["kept"]) == ("open", False)
    assert read_labels(path)["stable"] == 1


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [
        (0.95, 1.05, "held"),
        (0.85, 1.05, "open"),
        (1.05, 1.15, "open"),
        (0.8, 0.88, "lost"),
        (1.12, 1.3, "lost"),
        (float("nan"), float("nan"), "open"),
    ],
)
def test_a_calibration_by_its_interval(low, high, state):
    gates = serving.Gates(**{**NO_LIMITS, "calibration": 0.1})
    ends = {"calibration_low": low, "calibration_high": high}
    canary = {"calibration": (low + high) / 2, **ends}
    (outcome,) = gates.outcomes({"calibration": 1.0}, canary, [])
    assert (outcome["state"], outcome["kept"]) == (state, state == "held")


def test_and_back(bundle, dataset):
    path, *_ = bundle
    with pytest.raises(InputError, match="the label previous"):
        serving.roll_back(path)
    promoted(path, dataset)
    text = (path / "models.config").read_text()
    assert "versions: 1" in text  # it stays loaded
    assert serving.roll_back(path) == 1
    assert read_labels(path) == {"stable": 1, "canary": 2}


def test_a_bad_canary_is_given_up(bundle, dataset):
    """Stable stays where it is, with and without a version before it."""
    path, *_ = bundle
    shutil.copytree(path / "2", path / "3")
    with pytest.raises(
        InputError, match=r"the label previous.*rollback .* --on canary`"
    ):
        serving.roll_back(path)
    for labels in (
        {"stable": 1, "canary": 2},
        {"stable": 2, "canary": 3, "previous": 1, "eu": 3},
    ):
        write_labels(path, labels)
        assert serving.roll_back(path, on="canary") == labels["stable"]
        assert read_labels(path) == {**labels, "canary": labels["stable"]}
    with pytest.raises(
        InputError, match=r"goes to another version, .*1, 2, 3;"
    ):
        serving.roll_back(path, on="canary")
    write_labels(path, {"stable": 2, "canary": 2})
    with pytest.raises(InputError, match=r"By hand: .*one of 1, 2, 3;"):
        serving.roll_back(path)
    with pytest.raises(InputError, match=r"stable or canary\. Received: 'eu'"):
        serving.roll_back(path, on="eu")


def test_labels_of_a_team_stay_where_they_are(bundle, dataset):
    path, *_ = bundle
    shutil.copytree(path / "2", path / "3")
    own = {"eu": 3, "us": 1}
    write_labels(path, {"stable": 1, "canary": 2, **own})
    promoted(path, dataset)
    now = {"stable": 2, "canary": 2, "previous": 1}
    assert read_labels(path) == {**now, **own}
    serving.roll_back(path)
    assert read_labels(path) == {"stable": 1, "canary": 2, **own}


def test_who_gets_requests_without_a_label_is_said(bundle):
    path, *_ = bundle
    shutil.copytree(path / "2", path / "3")
    write_labels(path, {"stable": 2, "canary": 3, "previous": 1})
    call = ["rollback", str(path)]
    done = CliRunner().invoke(main, call)
    assert "Version 1 of" in done.stdout
    assert "Requests without a label get version 3, the newest" in done.stdout
    done = CliRunner().invoke(main, [*call, "--on", "canary", "--json"])
    assert "is canary again." in done.stdout
    assert f"Version 3 has no label now. Remove it (`rm -r {path}/3" in (
        done.stdout
    )
    assert json.loads(done.stdout.splitlines()[-1])["canary"] == 1
    write_labels(path, {"stable": 2, "canary": 2, "previous": 3})
    assert "without a label" not in CliRunner().invoke(main, call).stdout


def test_what_a_killed_call_has_left_is_cleared(bundle, dataset):
    """Also where it had done its work, so that nothing is left to do."""
    path, *_ = bundle
    for call in (serving.roll_back, lambda path: promoted(path, dataset)):
        left = leave(path / "manifest.json", "bundle")
        with pytest.raises(InputError, match=r"the label previous|is both"):
            call(path)
        assert not left.exists()
        write_labels(path, {"stable": 2, "canary": 2})


def test_an_export_while_gates_are_measured(bundle, dataset, monkeypatch):
    """Its version would have lost the label canary, and not been loaded."""
    path, *_ = bundle
    opened = promotion.open_bundle

    def exported(folder):
        (path / "3").mkdir(exist_ok=True)
        (path / "3/saved_model.pb").touch()
        write_labels(path, {"stable": 1, "canary": 3})
        return opened(folder)

    monkeypatch.setattr(promotion, "open_bundle", exported)
    with pytest.raises(InputError, match="has moved meanwhile"):
        promoted(path, dataset)
    assert read_labels(path) == {"stable": 1, "canary": 3}


def test_versions_that_are_not_there(bundle, dataset):
    path, *_ = bundle
    shutil.rmtree(path / "2")
    with pytest.raises(InputError, match=r"canary 2 in .*, which is not"):
        promoted(path, dataset)
    with pytest.raises(InputError, match="names its stable version"):
        promoted(path / "nothing", dataset)


def test_rows_that_gates_cannot_be_measured_on(bundle, dataset):
    path, *_ = bundle
    labels = dataset.impressions.labels["clicked"]
    with pytest.raises(InputError, match="with and without a click"):
        promoted(path, dataset.select(labels == 0))
    with pytest.raises(InputError, match="rows=0"):
        promoted(path, dataset, rows=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"acu": 0.1}, r"gates are auc, .*Did you mean auc\?"),
        ({"auc": -0.1}, "`auc` must be a number >= 0"),
        ({"auc": float("nan")}, "`auc` must be a number"),
        ({"latency": "fast"}, "latency='fast'"),
        ({"auc": True}, "auc=True"),
    ],
)
def test_wrong_gates(settings, message):
    with pytest.raises(InputError, match=message):
        serving.Gates.of(settings)


@pytest.mark.parametrize("text", ["- auc\n", "5\n", "auc\n"])
def test_gates_that_are_no_mapping(tmp_path, text):
    gates = tmp_path / "gates.yaml"
    gates.write_text(text)
    result = CliRunner().invoke(
        main,
        ["promote", "shop", "--data", "none", "--gates", str(gates)],
    )
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "a config must be sections" in result.stderr


@pytest.mark.slow
def test_the_commands_on_real_versions(tmp_path):
    """Two versions that are one: no gate but for latency could be missed."""
    path = tmp_path / "numbers"
    for version in ("1", "2"):
        shutil.copytree(worlds.bundle("numbers") / "1", path / version)
    write_labels(path, {"stable": 1, "canary": 2})
    folder = tmp_path / "gates.yaml"
    folder.write_text("calibration: null\nlatency: 50\n")
    data_folder = small.folder() / "numbers" / "data"
    call = f"promote {path} --data {data_folder} --gates {folder} --rows 60"
    done = CliRunner().invoke(main, call.split())
    assert done.exit_code == 2
    assert "impressions that neither version has learned" in done.stderr
    for version in ("1", "2"):  # as if other rows had been learned
        (path / version / "learned.json").unlink()
        (path / version / "manifest.json").unlink()
    done = CliRunner().invoke(main, [*call.split(), "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout.splitlines()[-1])
    for outcome in answer["gates"][:2]:
        assert outcome["stable"] == outcome["canary"]
    assert read_labels(path)["stable"] == 2
    back = CliRunner().invoke(main, ["rollback", str(path)])
    assert back.exit_code == 0
    assert "Version 1" in back.stdout
    folder.write_text("auc: 0\nlog_loss: 0\nlatency: 0\n")
    done = CliRunner().invoke(main, call.split())
    assert done.exit_code == 1
    (line,) = done.stderr.splitlines()
    assert "does not keep" in line
    assert "latency" in line
    assert read_labels(path)["stable"] == 1
