"""Worlds whose probabilities are known."""

import dataclasses
import json

import numpy as np
import pytest

from tests.evaluation import rows
from tfadrec import metrics
from tfadrec.calibration import (
    METHODS,
    Calibration,
    cross_fitted,
    fit_calibration,
)
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema
from tfadrec.core.work_folder import WorkFolder
from tfadrec.serving.scores import Scores

PLACES, KEPT = 40, 0.1


def with_places(places, clicked, size=PLACES, **columns):
    """Rows whose context has a category, of code 1 and up."""
    dataset = rows.dataset([1] * len(clicked), clicked, **columns)
    vocabulary = tuple(f"p{i}" for i in range(size))
    place = Feature("place", "context", "category", vocabulary=vocabulary)
    schema = Schema(
        source="rows",
        user_id_type="int64",
        ad_id_type="int64",
        event_types=("view",),
        labels=dataset.schema.labels,
        features=(place,),
    )
    impressions = dataclasses.replace(
        dataset.impressions, columns={"place": np.asarray(places, np.int32)}
    )
    return dataclasses.replace(dataset, schema=schema, impressions=impressions)


def world(rng, n):
    """Rows, their true logits, and what a ranker that is off says of them.

    It is too sure, its level is wrong, and it does not know the places, which
    differ a lot; most rows are of a few places.
    """
    off = np.random.default_rng(7).normal(0, 1, PLACES + 1)
    places = np.minimum(rng.zipf(1.5, n), PLACES)
    known = rng.normal(0, 1, n)
    truth = known + off[places] - 2.5
    clicked = rng.random(n) < 1 / (1 + np.exp(-truth))
    logits = {"clicked": (1.4 * known - 1.0).astype(np.float32)}
    return with_places(places, clicked), truth, logits


def kept(rng, dataset, logits):
    """The log: all clicks and a tenth of the other rows."""
    clicked = dataset.impressions.labels["clicked"] == 1
    chosen = clicked | (rng.random(len(clicked)) < KEPT)
    return dataset.select(chosen), {t: z[chosen] for t, z in logits.items()}


def served(calibration, dataset, logits):
    """Logits of the answer, with the negatives that the log leaves out."""
    ranker = type("Ranker", (), {})()
    from tfadrec import losses

    ranker.task_losses = {"clicked": losses.get("binary")}
    scores = Scores(ranker, KEPT, calibration)
    codes = calibration.codes_of(dataset)
    tensors = {t: tf.constant(z) for t, z in logits.items()}
    return scores.answer(scores.corrected(tensors, codes))


@pytest.mark.parametrize("method", METHODS)
def test_the_truth_is_found(method):
    """Log loss within 1 % of that of the truth, ECE < .01, order kept."""
    rng = np.random.default_rng(0)
    dataset, _, logits = world(rng, 200_000)
    log, of_log = kept(rng, dataset, logits)
    calibration = fit_calibration(of_log, log, method=method, field="place")
    dataset, truth, logits = world(rng, 100_000)
    answer = served(calibration, dataset, logits)
    found = answer["logits"].numpy()
    labels = dataset.impressions.labels["clicked"]
    loss = metrics.ranking.log_loss
    if method == "temperature":  # does not mend a level
        assert loss(labels, found) < loss(labels, logits["clicked"])
        return
    assert loss(labels, found) < 1.01 * loss(labels, truth)
    assert metrics.probabilities.calibration_error(labels, found) < 0.01
    places = dataset.impressions.columns["place"]
    error = metrics.probabilities.field_error(labels, found, places)
    raw = answer["raw_logits"].numpy()
    assert error < 0.1
    assert metrics.probabilities.field_error(labels, raw, places) > 0.3
    for place in (1, 2, 30):
        part = places == place
        before, after = (
            metrics.ranking.auc(labels[part], z[part])
            for z in (logits["clicked"], found)
        )
        assert after == pytest.approx(before, abs=1e-4)
    # Raw answers are the ranker's, corrected for the log alone.
    np.testing.assert_allclose(raw, logits["clicked"] + np.log(KEPT), atol=1e-5)


def test_without_a_field_the_places_stay_wrong():
    rng = np.random.default_rng(0)
    dataset, _, logits = world(rng, 100_000)
    log, of_log = kept(rng, dataset, logits)
    calibration = fit_calibration(of_log, log)
    dataset, truth, logits = world(rng, 50_000)
    found = served(calibration, dataset, logits)["logits"].numpy()
    labels = dataset.impressions.labels["clicked"]
    loss = metrics.ranking.log_loss
    assert loss(labels, found) > 1.03 * loss(labels, truth)


def test_values_of_few_rows_hardly_move():
    """Places of 2,000 rows and of 4: both off by 1, in turns up and down."""
    sizes = np.array([2000] * 20 + [4] * 20)
    places = np.repeat(np.arange(1, 41), sizes)
    truth = np.where(places % 2, 1.0, -1.0)
    clicked = np.random.default_rng(0).random(len(places)) < 1 / (
        1 + np.exp(-truth)
    )
    dataset = with_places(places, clicked)
    logits = {"clicked": np.zeros(len(places), np.float32)}
    found = fit_calibration(logits, dataset, field="place")
    shifts = np.abs(found.tasks["clicked"].shifts)
    np.testing.assert_allclose(shifts[1:21], 1, atol=0.2)
    assert shifts[21:].mean() < 0.8
    assert shifts[0] == 0


def test_where_values_differ_by_chance_nothing_moves():
    rng = np.random.default_rng(1)
    places = rng.integers(1, PLACES + 1, 20_000)
    dataset = with_places(places, rng.random(20_000) < 0.2)
    logits = {"clicked": rng.normal(size=20_000).astype(np.float32)}
    found = fit_calibration(logits, dataset, field="place")
    assert np.abs(found.tasks["clicked"].shifts).max() < 0.15


def test_conversions_are_composed_again():
    """pCTCVR is the product of both calibrated probabilities."""
    rng = np.random.default_rng(0)
    n = 30_000
    clicked = rng.random(n) < 0.4
    converted = clicked & (rng.random(n) < 0.25)
    dataset = rows.dataset([1] * n, clicked, labels={"converted": converted})
    logits = {
        name: rng.normal(1, 0.01, n).astype(np.float32)
        for name in ("clicked", "converted", "converted_if_clicked")
    }
    calibration = fit_calibration(logits, dataset)
    assert set(calibration.tasks) == {"clicked", "converted_if_clicked"}
    found = calibration.of_rows(logits, dataset)
    rates = {t: 1 / (1 + np.exp(-z.mean())) for t, z in found.items()}
    assert rates["clicked"] == pytest.approx(0.4, abs=0.01)
    assert rates["converted_if_clicked"] == pytest.approx(0.25, abs=0.01)
    assert rates["converted"] == pytest.approx(0.1, abs=0.01)


def test_a_task_of_one_class_is_left_alone():
    dataset = rows.dataset([1, 1], [1, 1])
    logits = {"clicked": np.array([1.0, 2.0], np.float32)}
    calibration = fit_calibration(logits, dataset)
    assert calibration.of_rows(logits, dataset)["clicked"].tolist() == [1, 2]


def test_the_file(tmp_path):
    rng = np.random.default_rng(0)
    dataset, _, logits = world(rng, 5000)
    folder = WorkFolder(tmp_path, "run")
    assert Calibration.load(tmp_path) is None
    for method in METHODS:
        made = fit_calibration(logits, dataset, method=method, field="place")
        with folder.held():
            made.save(folder)
        again = Calibration.load(tmp_path)
        np.testing.assert_array_equal(
            made.of_rows(logits, dataset)["clicked"],
            again.of_rows(logits, dataset)["clicked"],
        )
        assert again.until == dataset.impressions.times.max()
    told = json.loads((tmp_path / "calibration.json").read_text())
    del told["until"]  # as before it was told
    with folder.held():
        folder.write_text("calibration.json", json.dumps(told))
    assert Calibration.load(tmp_path).until is None
    for text in ("[]", "{", '{"field": null, "tasks": {"clicked": {}}}'):
        (tmp_path / "calibration.json").write_text(text)
        with pytest.raises(InputError, match="must hold a calibration"):
            Calibration.load(tmp_path)
    with pytest.raises(InputError, match=r"where calibration\.json is not"):
        folder.check()
    (tmp_path / "calibration.json").unlink()
    with folder.held():
        made.save(folder)
        Calibration.remove(folder)
    assert Calibration.load(tmp_path) is None


def test_fields_of_every_entity():
    dataset = rows.dataset([2, 0, 1], [1, 0, 0], brands=[1, 2, 2, 1])
    logits = {"clicked": np.zeros(3, np.float32)}
    found = fit_calibration(logits, dataset, field="brand")
    assert found.codes_of(dataset).tolist() == [2, 0, 1]
    unseen = found(
        {"clicked": tf.zeros([2, 2])}, tf.constant([[1, 99], [-1, 0]])
    )
    shifts = found.tasks["clicked"].shifts
    level = unseen["clicked"][1, 1] - shifts[0]
    np.testing.assert_allclose(
        unseen["clicked"] - level,
        [[shifts[1], shifts[0]], [shifts[0]] * 2],
        atol=1e-6,
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"method": "bins"}, "`method` must be one of platt, .*='bins'"),
        ({"field": "campaign"}, "'campaign'; there are place"),
    ],
)
def test_what_cannot_be(changed, message):
    dataset = with_places([1, 2], [0, 1])
    logits = {"clicked": np.zeros(2, np.float32)}
    with pytest.raises(InputError, match=message):
        fit_calibration(logits, dataset, **changed)
    with pytest.raises(InputError, match="the labels of all tasks"):
        fit_calibration({"liked": logits["clicked"]}, dataset)


def test_held_out_users_tell_what_a_field_is_worth():
    """Places that differ help; places of a few rows each that do not, harm."""
    rng = np.random.default_rng(3)
    dataset, _, logits = world(rng, 20_000)
    labels = dataset.impressions.labels["clicked"]
    users = rng.integers(1, 2000, len(labels)).astype(np.int32)

    def loss(places, size, **settings):
        own = with_places(places, labels, size, users=users)
        found = cross_fitted(logits, own, **settings)["clicked"]
        return metrics.ranking.log_loss(labels, found)

    places = dataset.impressions.columns["place"]
    raw = metrics.ranking.log_loss(labels, logits["clicked"])
    curve = loss(places, PLACES)
    assert loss(places, PLACES, field="place") < curve < raw
    # In sample any field helps; what users have of their own is noise.
    some = with_places(users, labels, 2000, users=users)
    fitted = fit_calibration(logits, some, field="place")
    own = metrics.ranking.log_loss(
        labels, fitted.of_rows(logits, some)["clicked"]
    )
    assert own < curve <= loss(users, 2000, field="place") + 1e-9
