"""Faults planted into a bundle, and into what it is asked."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from tests.serving import worlds
from tfadrec.core.errors import InputError
from tfadrec.diagnosis import bundle_checks, examine_bundle
from tfadrec.diagnosis.finding import Finding
from tfadrec.monitoring.measure import Measure
from tfadrec.serving.deployment import write_labels


@pytest.fixture(scope="module")
def version():
    return worlds.exported("words", replayed=True)[0] / "1"


@pytest.fixture(scope="module")
def rows():
    return worlds.words().dataset


def told(findings):
    return [(f.name, f.where, f.level) for f in findings]


@pytest.mark.slow
def test_nothing_is_wrong_with_an_exported_bundle(version):
    assert told(examine_bundle(version)) == []


@pytest.mark.slow
def test_a_file_that_has_changed(version, tmp_path):
    copy = shutil.copytree(version, tmp_path / "1")
    (copy / "parity.json").write_text("{}")
    (finding,) = examine_bundle(copy)
    assert (finding.name, finding.level) == ("changed_file", "error")
    assert "parity.json" in finding.much


def test_a_version_with_a_label_that_has_changed(tmp_path, monkeypatch):
    """It is the one that is served. Others may be removed at any time."""
    monkeypatch.setattr(bundle_checks, "changed_files", told_of)
    for number in (1, 2, 3, 4):
        (tmp_path / str(number)).mkdir()
    write_labels(tmp_path, {"stable": 2, "canary": 4, "previous": 1})
    found = told(examine_bundle(tmp_path))
    assert [where for _, where, _ in found] == ["1", "2", "4"]
    (tmp_path / "4" / "saved_model.pb").touch()
    assert len(examine_bundle(tmp_path / "4")) == 1


def test_a_version_with_a_label_that_gives_what_was_taken_down(
    tmp_path, monkeypatch
):
    (tmp_path / "taken_down.json").write_text('["a17", "b2"]')
    monkeypatch.setattr(
        bundle_checks, "still_given", lambda _, n: ("b2",) * (n == 2)
    )
    for label, level in (("stable", "warning"), ("previous", "note")):
        labels = {label: 2, "canary": 3}
        (found,) = bundle_checks.take_downs(tmp_path, labels)
        assert (found.where, found.level) == (label, level)
        assert found.much == "1 by version 2, such as b2"
    (tmp_path / "taken_down.json").write_text("[")
    (found,) = bundle_checks.take_downs(tmp_path, labels)
    assert (found.where, found.level) == ("taken_down.json", "error")
    assert "cannot be read" in found.much
    assert found.mend.startswith("Write the ids of all ads that are down")


def told_of(version):
    yield Finding("changed_file", "error", version.name, "changed", "", "")


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        (None, ("not_compared", "parity.json", "warning")),
        ({"a": 1e-7, "b": 8e-6}, ("near_bound", "b", "note")),
        ({"a": 1e-7, "b": 1e-6}, None),
    ],
)
def test_a_comparison(tmp_path, differences, expected):
    if differences is not None:
        report = {"bound": 1e-5, "differences": differences}
        (tmp_path / "parity.json").write_text(json.dumps(report))
    found = told(bundle_checks.unchecked(tmp_path))
    assert found == ([] if expected is None else [expected])


def answering(logits):
    def ask(user_id, **_):
        z = np.resize(np.asarray(logits, np.float32), len(user_id))
        return {"logits": z, "score": 1 / (1 + np.exp(-z))}

    return ask


@pytest.mark.slow
@pytest.mark.parametrize(
    ("logits", "name"),
    [([1.0], "constant_answers"), ([20.0, -20.0], "saturated_logits")],
)
def test_odd_answers(version, logits, name):
    ask = answering(logits)
    (finding,) = bundle_checks.answers_to_warm_up(version, ask)
    assert finding.name == name


def skewed(version, rows):
    """Findings but for those of the score, which is of other rows."""
    ask = worlds.opened("words")["serving_default"]
    found = bundle_checks.skew(version, ask, rows)
    return {(f.name, f.where) for f in found if f.where != "score"}


@pytest.mark.slow
def test_rows_of_the_training_are_like_them(version, rows):
    assert skewed(version, rows) == set()


def test_histories_that_grow_are_called_so():
    def said(signal, name):
        return bundle_checks.mend(Measure(signal, name, 1.0, 0.0, 0.5, 9))

    assert "young log grow" in said("history_ages", "psi")
    assert "made as it was" in said("age", "psi")
    assert "Calibrate" in said("score", "calibration")


@pytest.mark.slow
def test_a_feature_that_is_made_otherwise(version, rows):
    """What is said of a candidate is always the same, as by a default."""
    feature = next(f for f in rows.schema.of("candidate"))
    columns = dict(rows.impressions.columns)
    columns[feature.tensor] = np.full_like(columns[feature.tensor], 1)
    impressions = dataclasses.replace(rows.impressions, columns=columns)
    other = dataclasses.replace(rows, impressions=impressions)
    assert skewed(version, other) == {("train_serve_skew", feature.tensor)}


@pytest.mark.slow
def test_rows_without_an_input_are_refused(version, rows):
    features = [f for f in rows.schema.features if f.entity != "candidate"]
    schema = dataclasses.replace(rows.schema, features=tuple(features))
    with pytest.raises(InputError, match=r"Received: no .* with --like"):
        skewed(version, dataclasses.replace(rows, schema=schema))
