"""The label stable moves where all gates are kept, and moves back."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from tests.killed import leave
from tests.serving import worlds
from tests.training import small
from tfadrec import data, serving
from tfadrec.cli.main import main
from tfadrec.core.errors import InputError
from tfadrec.metrics import ranking
from tfadrec.serving import promotion
from tfadrec.serving.deployment import read_labels, write_labels

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
    return serving.promote(
        path, dataset, serving.Gates(**{**NO_LIMITS, **limits}), rows=rows
    )


def test_a_canary_that_keeps_all_gates_becomes_stable(bundle, dataset):
    path, *_ = bundle
    outcomes = serving.promote(
        path, dataset, serving.Gates(latency=None, calibration=9.0), rows=200
    )
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


def test_a_slow_canary(bundle, dataset, monkeypatch):
    path, *_ = bundle
    for limit, kept in ((1.5, False), (2.0, True)):
        monkeypatch.setattr(
            promotion, "_latencies", lambda *_: {"stable": 2.0, "canary": 4.0}
        )
        (outcome,) = promoted(path, dataset, latency=limit)
        assert (outcome["limit"], outcome["kept"]) == (2 * limit, kept)


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
