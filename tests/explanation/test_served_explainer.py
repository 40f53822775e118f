"""The signature `explain` says what `explain` says."""

import itertools
import json
import time

import numpy as np
import pytest

from tfadrec import models, serving
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.explanation import Question, ServedExplainer, explain
from tfadrec.serving.cost_of_explaining import write_cost
from tfadrec.serving.write_model import write_model

STEPS = 16
ROWS = np.array([3, 40, 70])


@pytest.fixture(scope="module")
def service(deep, rows):
    explainer = ServedExplainer(deep, rows.schema, steps=STEPS)
    return serving.RankingService(deep, rows, explainer=explainer)


@pytest.fixture(scope="module")
def signatures(service):
    return service.signatures("explain", "serving_default")


@pytest.mark.slow
def test_it_is_what_the_process_explains(service, signatures, deep, rows):
    ask = serving.answers(service, signatures)
    request = serving.replay(rows, ROWS)
    answer = ask["explain"](**request)
    some = rows.select(ROWS)
    inputs, *_ = next(iter(some.batches(len(ROWS))))
    question = Question.of_inputs(deep, inputs)
    found = explain(deep, question, rows.schema, most_steps=STEPS)
    names = [name.decode() for name in answer["field_names"][0]]
    assert set(names) == set(found.fields)
    for place, name in enumerate(names):
        np.testing.assert_allclose(
            answer["fields"][:, place], found.fields[name], atol=2e-5
        )
    # Requests have the events that are real, and no padding behind them.
    longest = answer["events"].shape[1]
    assert longest == found.real.sum(axis=1).max()
    np.testing.assert_allclose(
        answer["events"], found.events[:, :longest], atol=2e-5
    )
    np.testing.assert_allclose(answer["logit"], found.logits, atol=1e-5)
    np.testing.assert_allclose(answer["unknown"], found.unknown, atol=1e-5)
    np.testing.assert_allclose(
        answer["completeness_error"], found.errors, atol=1e-4
    )
    served = ask["serving_default"](**request)["logits"]
    np.testing.assert_allclose(served, answer["logit"], atol=1e-5)


@pytest.mark.slow
def test_it_is_saved(service, signatures, rows, tmp_path):
    request = serving.replay(rows, ROWS)
    expected = serving.answers(service, signatures)["explain"](**request)
    write_model(service, tmp_path / "1", signatures)
    loaded = tf.saved_model.load(tmp_path / "1")
    again = serving.answers(loaded, loaded.signatures)["explain"]
    found = again(**request)
    assert set(found) == set(expected)
    for name, values in expected.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(found[name], values, atol=1e-6)


def test_its_cost_is_told(rows, tmp_path):
    """Errors of .1 and .3 in turn."""
    errors = itertools.cycle([0.1, 0.3])

    def explain(**request):
        assert len(request["user_id"]) == 1
        time.sleep(0.001)
        return {"completeness_error": np.array([next(errors)])}

    write_cost(tmp_path, rows, explain)
    told = json.loads((tmp_path / "explain.json").read_text())
    assert told["mean_error"] == pytest.approx(0.2)
    assert told["worst_error"] == pytest.approx(0.3)
    assert told["milliseconds"] >= 1


def test_what_it_cannot_explain_is_refused(deep, rows):
    with pytest.raises(InputError, match="explains one ranker"):
        ServedExplainer(models.RankerEnsemble([deep]), rows.schema)
    with pytest.raises(InputError, match="9 more ads, and explanations"):
        serving.RankingService(
            deep,
            rows,
            more=rows.catalogue.take(np.arange(9)),
            explainer=ServedExplainer(deep, rows.schema),
        )
