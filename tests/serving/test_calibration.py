"""What is served is what was evaluated: raw and calibrated."""

import json

import numpy as np
import pytest

from tests.serving import worlds
from tfadrec import serving
from tfadrec.calibration import Calibration, fit_calibration
from tfadrec.calibration.task_calibration import TaskCalibration


@pytest.fixture
def passed():
    """Leaves the shared worlds' towers as they were."""
    worlds_used = [worlds.numbers(), worlds.words()]
    before = [w.ranker.ad_tower.passed for w in worlds_used]
    yield
    for world, kept in zip(worlds_used, before, strict=True):
        world.ranker.ad_tower.passed = kept


def fitted(world, method, field):
    """A calibration whose shifts tell things apart."""
    dataset = world.dataset
    logits = world.ranker.predict(dataset.batches(100))
    found = fit_calibration(logits, dataset, method=method, field=field)
    tasks = {
        task: TaskCalibration(
            c.method, c.curve, np.linspace(-2, 3, len(c.shifts))
        )
        for task, c in found.tasks.items()
    }
    return Calibration(tasks, found.field), logits


@pytest.mark.parametrize(
    ("method", "field"), [("isotonic", "brand"), ("beta", "device")]
)
def test_answers_are_calibrated_by_fields_of_ads_and_requests(
    passed, method, field
):
    world = worlds.numbers()
    dataset = world.dataset
    calibration, logits = fitted(world, method, field)
    service = serving.RankingService(
        world.ranker, dataset, calibration=calibration
    )
    ask = worlds.untraced(service, world, "serving_default", "recommend_from")
    rows = np.arange(len(dataset))
    request = serving.replay(dataset, rows)
    answer = ask["serving_default"](**request)
    expected = calibration.of_rows(logits, dataset)["clicked"]
    assert np.abs(expected - logits["clicked"]).max() > 0.5
    np.testing.assert_allclose(answer["logits"], expected, atol=1e-4)
    np.testing.assert_allclose(
        answer["raw_logits"], logits["clicked"], atol=1e-5
    )
    for prefix in ("", "raw_"):
        probs = 1 / (1 + np.exp(-answer[f"{prefix}logits"].astype(float)))
        np.testing.assert_allclose(answer[f"{prefix}pctr"], probs, rtol=1e-5)
    np.testing.assert_array_equal(answer["score"], answer["pctr"])
    # Choices go by the calibrated score.
    slates = serving.with_candidates(
        dataset,
        {k: v[:1] for k, v in request.items()},
        dataset.catalogue.ad_ids[None, :9],
    )
    chosen = ask["recommend_from"](
        **slates,
        bids=np.ones([1, 9], np.float32),
        exclude_ads=np.zeros([1, 0], dataset.catalogue.ad_ids.dtype),
        exclude_history=[False],
        k=[9],
    )
    assert (np.diff(chosen["pctr"][0]) <= 0).all()
    assert {"raw_pctr", "raw_logits"} <= set(chosen)


@pytest.mark.slow
def test_a_bundle_is_compared_with_the_calibrated_ranker(
    passed, few_calls, tmp_path
):
    """New ads, clicks and conversions: all of the export's own check."""
    world = worlds.words()
    logits = world.ranker.predict(world.dataset.batches(100))
    calibration = fit_calibration(logits, world.dataset, field="category")
    folder = serving.export_bundle(
        world.ranker,
        world.dataset,
        tmp_path / "bundle",
        **world.text,
        calibration=calibration,
    )
    report = json.loads((folder / "parity.json").read_text())
    assert max(report["differences"].values()) <= 1e-5
    ask = serving.open_bundle(folder)["serving_default"]
    answer = ask(**serving.replay(world.dataset, np.arange(20)))
    assert {"raw_pctr", "raw_pcvr", "raw_pctcvr", "raw_logits"} <= set(answer)
    np.testing.assert_allclose(
        answer["pctcvr"], answer["pctr"] * answer["pcvr"], rtol=1e-5
    )
    of_rows = calibration.of_rows(logits, world.dataset)
    np.testing.assert_allclose(
        answer["logits"], of_rows["clicked"][:20], atol=1e-4
    )
