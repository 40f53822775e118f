"""NDCG, MRR and RequestAUC against the exact metrics of the same rows."""

import json
import math

import numpy as np
import pytest

from tests.metrics import slates
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.losses import SquaredError
from tfadrec.metrics import MRR, NDCG, RequestAUC, ranking

METRICS = {
    "NDCG(1)": (lambda: NDCG(1), lambda *rows: ranking.ndcg(*rows, 1)),
    "NDCG(3)": (lambda: NDCG(3), lambda *rows: ranking.ndcg(*rows, 3)),
    "NDCG(50)": (lambda: NDCG(50), lambda *rows: ranking.ndcg(*rows, 50)),
    "MRR": (MRR, ranking.mrr),
    "RequestAUC": (RequestAUC, ranking.uauc),
}
every = pytest.mark.parametrize(
    ("make", "exact"), METRICS.values(), ids=METRICS
)


def measured(metric, clicks, scores, mask):
    metric.update_state(clicks, scores, np.float32(mask))
    return float(metric.result())


@every
@pytest.mark.parametrize("digits", [6, 0], ids=["no ties", "ties"])
@pytest.mark.parametrize("garbage", [np.nan, np.inf, -99.0, 99.0])
def test_the_exact_metric_of_the_same_rows(make, exact, digits, garbage):
    clicks, scores, mask = slates.sample(digits=digits, garbage=garbage)
    expected = exact(*slates.rows(clicks, scores, mask))
    assert 0.2 < expected < 0.9
    assert measured(make(), clicks, scores, mask) == pytest.approx(
        expected, abs=2e-6
    )


@every
def test_batches_add_up(make, exact):
    clicks, scores, mask = slates.sample(1)
    metric = make()
    for start in range(0, 200, 50):
        part = slice(start, start + 50)
        measured(metric, clicks[part], scores[part], mask[part])
    expected = exact(*slates.rows(clicks, scores, mask))
    assert float(metric.result()) == pytest.approx(expected, abs=2e-6)


@every
def test_without_padding(make, exact):
    clicks, scores, _ = slates.sample(2, garbage=0.0)
    everything = np.ones(clicks.shape, bool)
    expected = exact(*slates.rows(clicks, scores, everything))
    metric = make()
    metric.update_state(clicks, scores)
    assert float(metric.result()) == pytest.approx(expected, abs=2e-6)


@every
def test_weights_tell_padding_and_no_more(make, exact):
    clicks, scores, mask = slates.sample(3)
    weights = np.random.default_rng(0).random(mask.shape) + 0.1
    metric = make()
    metric.update_state(clicks, scores, mask * weights)
    expected = exact(*slates.rows(clicks, scores, mask))
    assert float(metric.result()) == pytest.approx(expected, abs=2e-6)
    # [B]: whole requests.
    kept = np.arange(200) % 2 == 0
    metric = make()
    whole = np.nan_to_num(clicks), np.nan_to_num(scores)
    metric.update_state(*whole, np.float32(kept))
    other = make()
    other.update_state(whole[0][kept], whole[1][kept])
    assert float(metric.result()) == pytest.approx(float(other.result()))


@every
@pytest.mark.parametrize("jit_compile", [False, True])
def test_inside_a_compiled_function(make, exact, jit_compile):
    clicks, scores, mask = slates.sample(4, requests=40, digits=1)
    metric = make()

    @tf.function(jit_compile=jit_compile)
    def step(*batch):
        metric.update_state(*batch)
        return metric.result()

    batch = [tf.constant(x) for x in (clicks, scores, np.float32(mask))]
    expected = exact(*slates.rows(clicks, scores, mask))
    assert float(step(*batch)) == pytest.approx(expected, abs=2e-6)


@every
def test_undefined_is_nan_until_there_is_a_request(make, exact):
    metric = make()
    assert math.isnan(metric.result())
    # No click, clicks only, and nothing but padding.
    clicks = np.float32([[0, 0], [1, 1], [1, 0]])
    mask = np.array([[1, 1], [1, 1], [0, 0]], bool)
    assert math.isnan(measured(metric, clicks, np.zeros([3, 2]), mask))
    # No place at all.
    metric.update_state(np.zeros([2, 0]), np.zeros([2, 0]))
    assert math.isnan(metric.result())
    metric.update_state([[0, 1]], [[1.0, 2.0]])
    assert float(metric.result()) == 1.0


@every
@pytest.mark.parametrize("diverged", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_not_finite_is_nan_until_reset(make, exact, diverged):
    metric = make()
    metric.update_state([[0, 1], [1, 0]], [[1.0, 2.0], [diverged, 0.0]])
    metric.update_state([[0, 1]], [[1.0, 2.0]])
    assert math.isnan(metric.result())
    metric.reset_state()
    metric.update_state([[0, 1]], [[1.0, 2.0]])
    assert float(metric.result()) == 1.0


@every
def test_rows_that_are_no_slates_are_refused(make, exact):
    with pytest.raises(ValueError, match=r"takes whole slates, \[B, C\]"):
        make().update_state([0, 1], [0.1, 0.2])


@every
def test_config_survives_json(make, exact):
    metric = make()
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(metric)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(metric)
    assert again.get_config() == metric.get_config()
    clicks, scores, mask = slates.sample(5)
    assert measured(again, clicks, scores, mask) == measured(
        metric, clicks, scores, mask
    )


def test_by_hand():
    """The clicks of the first request stand second and third, of 4."""
    clicks = [[0, 1, 1, 0], [1, 0, 0, 0]]
    scores = [[9.0, 8, 7, 6], [5.0, 4, 0, 0]]
    mask = [[1.0, 1, 1, 1], [1, 1, 0, 0]]
    first = (1 / math.log2(3) + 1 / 2) / (1 + 1 / math.log2(3))
    for metric, expected in (
        (NDCG(10), (first + 1) / 2),
        (NDCG(1), (0 + 1) / 2),
        (MRR(), (1 / 2 + 1) / 2),
        (RequestAUC(), (1 / 2 + 1) / 2),
    ):
        metric.update_state(clicks, scores, mask)
        assert float(metric.result()) == pytest.approx(expected, abs=1e-6)


def test_ties_by_hand():
    """One click among four equal rows: as good as a random order."""
    for metric, expected in (
        (NDCG(2), (1 + 1 / math.log2(3)) / 4),
        (MRR(), (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4),
        (RequestAUC(), 1 / 2),
    ):
        metric.update_state([[0, 0, 1, 0]], [[3.0, 3, 3, 3]])
        assert float(metric.result()) == pytest.approx(expected, abs=1e-6)


def test_names():
    assert NDCG(10).name == "ndcg_10"
    assert NDCG(3, name="first").name == "first"
    assert MRR().name == "mrr"
    assert RequestAUC().name == "request_auc"


@pytest.mark.parametrize("k", [0, -1, 1.5, True, None])
def test_a_wrong_k(k):
    with pytest.raises(InputError, match="`k` must be an integer >= 1"):
        NDCG(k)


def test_in_compile_and_after_reload(tmp_path):
    clicks, scores, mask = slates.sample(6, garbage=7.0)
    model = keras.Sequential(
        [keras.layers.Activation("linear", input_shape=(12,))]
    )
    model.compile(
        loss=SquaredError(), weighted_metrics=[NDCG(3), MRR(), RequestAUC()]
    )
    path = tmp_path / "model.keras"
    model.save(path)
    rows = slates.rows(clicks, scores, mask)
    for each in (model, keras.models.load_model(path)):
        found = each.evaluate(
            scores,
            clicks,
            sample_weight=np.float32(mask),
            verbose=0,
            return_dict=True,
        )
        assert found["ndcg_3"] == pytest.approx(
            ranking.ndcg(*rows, 3), abs=2e-6
        )
        assert found["mrr"] == pytest.approx(ranking.mrr(*rows), abs=2e-6)
        assert found["request_auc"] == pytest.approx(
            ranking.uauc(*rows), abs=2e-6
        )
