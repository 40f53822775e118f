"""Parts of logits: derived ones, and what they add up to."""

import numpy as np
import pytest

from tfadrec import layers, models
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.explanation import (
    Question,
    explain,
    importances,
    near_ads,
)


@pytest.fixture
def linear(rows):
    """A ranker whose logit is 3 hour + 2, the ad's bias and the user's."""
    ranker = models.AdRanker.for_dataset(
        rows,
        layers.DIN((4,)),
        ad_tower={"width": 4},
        match_texts=False,
        hidden_units=(),
        cross_layers=0,
    )
    ranker.build(None)
    ranker.compile()
    fields = ranker._context_fields
    numbers = [f for f in fields._fields if f.is_scalar]
    names = [f.feature["name"] for f in numbers]
    fields._missing.assign([0.25 if n == "hour" else 0.0 for n in names])
    # Columns of the context come after those of the vectors and the match.
    first = 3 * 4 + 1
    for feature in fields.features:
        if feature["name"] == "hour":
            break
        field = next(f for f in fields._fields if f.feature == feature)
        first += (
            1
            if field.is_scalar
            else fields.width
            if field.is_projected
            else field.size
        )
    output = ranker._heads["clicked"]._output
    kernel = np.zeros(output.kernel.shape, np.float32)
    kernel[first] = 3.0
    output.kernel.assign(kernel)
    output.bias.assign([2.0])
    random = np.random.default_rng(2)
    for table in (ranker.ad_tower._id.table, ranker.user_tower._id.table):
        values = random.normal(size=table.shape)
        values[0] = 0
        table.assign(values)
    return ranker


def asked(ranker, rows, size=12):
    inputs, *_ = next(iter(rows.batches(size)))
    return Question.of_inputs(ranker, inputs), inputs


def test_parts_of_a_linear_ranker_are_its_terms(linear, rows):
    question, inputs = asked(linear, rows)
    found = explain(linear, question, rows.schema)
    hour = inputs["hour"].numpy()
    known = np.where(np.isnan(hour), 0.25, hour)
    expected = {
        "context.hour": 3 * (known - 0.25),
        "ad id": linear.ad_tower._id.table.numpy()[inputs["candidate_ads"], -1],
        "user id": linear.user_tower._id.table.numpy()[inputs["user_id"], -1],
    }
    for name, parts in found.fields.items():
        np.testing.assert_allclose(
            parts, expected.get(name, np.zeros(12)), atol=1e-5, err_msg=name
        )
    np.testing.assert_allclose(found.unknown, 2 + 3 * 0.25, rtol=1e-6)
    assert np.isnan(hour).any()


def test_parts_add_up(deep, rows):
    question, inputs = asked(deep, rows, 6)
    found = explain(deep, question, rows.schema)
    logits = deep(inputs)["clicked"].numpy()
    np.testing.assert_allclose(found.logits, logits, atol=1e-5)
    # The baseline is what the ranker says where all inputs are unknown.
    nothing = question.unknown(deep).score(deep)["clicked"].numpy()
    np.testing.assert_allclose(found.unknown, nothing, atol=1e-5)
    assert found.errors.max() < 0.01
    assert np.abs(found.logits - found.unknown).min() > 0
    events = sum(
        part for name, part in found.fields.items() if name.startswith("hist")
    )
    np.testing.assert_allclose(found.events.sum(axis=1), events, atol=1e-8)
    assert np.abs(found.events[~found.real]).max() == 0
    moving = {n for n, part in found.fields.items() if np.abs(part).max() > 0}
    assert {
        *("ad text", "ad.brand", "ad.price", "user.age", "user id", "ad id"),
        *("history type and age", "history event.dwell", "history ad text"),
        *("candidate.bid", "candidate.taste", "context.device"),
    } <= moving


@pytest.mark.slow
def test_fewer_points_are_less_exact_and_more_are_taken_where_needed(
    deep, rows
):
    question, _ = asked(deep, rows)
    rough = explain(deep, question, rows.schema, most_steps=16)
    fine = explain(deep, question, rows.schema, goal=1e-4, most_steps=64)
    assert set(rough.steps) == {16}
    assert fine.steps.max() == 64
    assert fine.errors.mean() < rough.errors.mean()


def test_attention_is_that_of_the_encoder(deep, rows):
    """DIN's weights times the events are the interest."""
    question, _ = asked(deep, rows)
    weights = explain(deep, question, rows.schema, most_steps=16).attention
    assert set(weights) == {"encoder", "text_matching"}
    padding = ~question.real
    assert np.abs(weights["encoder"][padding]).max() == 0
    text = weights["text_matching"].sum(axis=1)
    has_events = question.real.any(axis=1)
    np.testing.assert_allclose(text[has_events], 1, atol=1e-5)


def test_another_task_is_refused(linear, rows):
    question, _ = asked(linear, rows)
    with pytest.raises(InputError, match=r"predicts: clicked. Received: 'x'"):
        explain(linear, question, rows.schema, task="x")


def test_events_close_up(deep, rows):
    """Without its first event a history is that of the others."""
    question, inputs = asked(deep, rows)
    gone = np.zeros_like(question.real)
    gone[:, 0] = True
    shorter = question.without(deep, gone)
    rolled = {
        name: tf.roll(values, -1, 1) if name.startswith("history_") else values
        for name, values in inputs.items()
        if name != "history_length"
    }
    length = tf.maximum(inputs["history_length"] - 1, 0)
    logits = deep({**rolled, "history_length": length})["clicked"]
    np.testing.assert_allclose(
        shorter.score(deep)["clicked"], logits, atol=1e-5
    )


def test_one_field_carries_all(linear, rows):
    """A click is whether it is late: nothing else is worth anything."""
    hours = rows.impressions.columns["hour"]
    linear.ad_tower._id.table.assign_sub(linear.ad_tower._id.table)
    linear.user_tower._id.table.assign_sub(linear.user_tower._id.table)
    clicked = np.nan_to_num(hours, nan=0.25) > 0
    late = rows.select(np.arange(80))
    late.impressions.labels["clicked"][:] = clicked[:80]
    found = {i.field: i for i in importances(linear, late)}
    first = next(iter(found))
    assert first == "context.hour"
    # All clicks came before all others; dealt out, the order is chance.
    assert found[first].loss == pytest.approx(0.5, abs=0.15)
    assert found[first].low > 0.2
    others = [i for name, i in found.items() if name != first]
    assert {i.loss for i in others} == {0.0}
    assert {"user id", "history", "ad id", "ad.brand", "candidate.slot"} <= {
        i.field for i in others
    }


def test_near_ads_are_those_of_the_same_text(deep, rows):
    question, inputs = asked(deep, rows)
    near = near_ads(deep, question, rows.catalogue, k=2)
    shown = inputs["candidate_ads"].numpy()
    past = inputs["history_ads"].numpy()
    checked = 0
    for row, found in enumerate(near):
        own = past[row][question.real[row]]
        assert len(found) == min(2, len(set(own[own > 0])))
        if shown[row] and shown[row] in own:
            assert found[0]["ad_id"] == rows.catalogue.ad_ids[shown[row] - 1]
            assert found[0]["cosine"] == pytest.approx(1, abs=1e-5)
            checked += 1
    assert checked
