"""Intervals that hold what they promise, in worlds where the truth is known."""

import math

import numpy as np
import pytest
from scipy import stats

from tests.evaluation import rows
from tfadrec.core.errors import InputError
from tfadrec.evaluation import differences, differences_text, measure
from tfadrec.evaluation.comparison.holm import holm
from tfadrec.evaluation.comparison.resampling import units_of

METRICS = ("auc", "gauc", "log_loss")


def world(rng, noise=(1.0, 1.0), *, users=150, heavy=False, metrics=METRICS):
    """Two models of one dataset; equal noise makes them equally good.

    Users have levels of their own, and a model errs on a user as a whole as
    well: rows of a user are far from independent. A heavy-tailed world has
    users of up to 200 rows.
    """
    sizes = (
        np.minimum(rng.zipf(1.8, users), 200)
        if heavy
        else 1 + rng.poisson(8, users)
    )
    user = np.repeat(np.arange(1, users + 1), sizes)
    n = len(user)
    truth = rng.normal(size=n) + rng.normal(size=users + 1)[user] - 1.5
    clicked = rng.random(n) < 1 / (1 + np.exp(-truth))
    dataset = rows.dataset([1] * n, clicked, users=user)

    def model(size):
        errs = rng.normal(size=n) + rng.normal(size=users + 1)[user]
        return measure({"clicked": truth + 0.7 * size * errs}, dataset)

    models = {name: [model(s)] for name, s in zip("ab", noise, strict=True)}
    return differences(
        models, dataset, metrics=metrics, parts=["all"], replicates=300
    )


def simulate(worlds, **settings):
    """Metric -> its differences in many worlds."""
    rng = np.random.default_rng(0)
    found = {}
    for _ in range(worlds):
        for difference in world(rng, **settings):
            found.setdefault(difference.metric, []).append(difference)
    return found


def coverage(found, truth=0.0):
    return np.mean([d.low <= truth <= d.high for d in found])


def test_intervals_of_equal_models_hold():
    """30 worlds: 85 to 100 % of them, within 2.5 standard deviations."""
    for found in simulate(30, users=80).values():
        assert coverage(found) >= 0.85
        assert stats.kstest([d.p for d in found], "uniform").pvalue > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("heavy", [False, True])
def test_intervals_of_many_equal_models_hold(heavy):
    """500 worlds: 93 to 97 %, and p-values that are uniform.

    Where a few users have most of the rows, intervals are a little too wide.
    """
    for metric, found in simulate(500, heavy=heavy).items():
        assert 0.93 <= coverage(found) <= 0.97, metric
        p_values = [d.p for d in found]
        likely = stats.kstest(p_values, "uniform").pvalue
        assert likely > (0.001 if heavy else 0.01), metric


@pytest.mark.slow
def test_a_difference_of_the_detectable_size_is_found():
    """A noise is looked for at which the true difference is detectable.

    The true difference of two noises is the mean over many worlds.
    """

    def size(found):
        """The true difference as a share of the detectable one."""
        truth = np.mean([d.difference for d in found])
        return abs(truth) / np.mean([d.detectable for d in found])

    def worlds(number, noise):
        return simulate(number, noise=(1.0, noise), metrics=("auc",))["auc"]

    noises = [1.4, 1.6, 1.8, 2.0]
    sizes = [size(worlds(60, noise)) for noise in noises]
    found = worlds(500, np.interp(1, sizes, noises))
    assert size(found) == pytest.approx(1, abs=0.1)
    # What is found grows by 2.8 phi(-0.84) = 0.79 % for each 1 % of size.
    expected = 0.8 + 0.79 * (size(found) - 1)
    assert np.mean([d.p <= 0.05 for d in found]) >= expected - 0.036
    assert all(d.verdict == "worse" for d in found if d.p <= 0.05)


def few(clicked, scores, **columns):
    dataset = rows.dataset([1] * len(clicked), clicked, **columns)
    evaluations = [measure({"clicked": s}, dataset) for s in scores]
    return dataset, evaluations


def test_values_are_those_of_the_evaluation():
    rng = np.random.default_rng(0)
    clicked, users = rng.random(300) < 0.3, rng.integers(1, 40, 300)
    dataset, (a, b) = few(clicked, rng.normal(size=(2, 300)), users=users)
    found = differences({"a": [a], "b": [b]}, dataset, replicates=20)
    assert {(d.part, d.metric) for d in found} == {
        (part, metric)
        for part in ("all", "empty_history", "with_history")
        for metric in METRICS
    }
    for d in found:
        if d.part == "with_history":  # nobody has one
            assert math.isnan(d.difference)
            assert math.isnan(d.p_holm)
            assert d.verdict == "open"
            continue
        metrics = [e.metrics["clicked"][d.metric] for e in (b, a)]
        assert [d.value, d.reference_value] == pytest.approx(metrics, rel=1e-9)
        assert d.low < d.difference < d.high
        # Nobody has a history, so `empty_history` is `all`: one hypothesis.
        assert d.p_holm == d.p
    text = differences_text(found)
    assert "b against a, clicked" in text
    assert "with_history" not in text
    assert "slices by metric: 0 better, 0 worse, 0 open" in text
    assert "one seed each" in text


def test_slices_of_the_same_rows_are_one_hypothesis():
    """Three ads make four sets of rows with `all`; `history` repeats it."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=600)
    dataset = rows.dataset(
        np.arange(600) % 3 + 1,
        rng.random(600) < 1 / (1 + np.exp(-truth)),
        users=np.repeat(np.arange(1, 101), 6),
        brands=[0, 1, 2, 2],
    )
    models = {"a": [measure({"clicked": 0 * truth}, dataset)]} | {
        name: [measure({"clicked": truth * size}, dataset)]
        for name, size in (("b", 0.2), ("c", 0.05))
    }
    found = differences(
        models, dataset, metrics=["log_loss"], columns=["brand"], replicates=20
    )
    text = differences_text(found)
    assert text.count("slices by metric:") == 2
    for model in "bc":  # its three brands, and not the history
        own = [d.verdict for d in found if d.model == model and "=" in d.part]
        counted = [f"{own.count(v)} {v}" for v in ("better", "worse", "open")]
        assert f"slices by metric: {', '.join(counted)}" in text
    parts = {d.part for d in found if not math.isnan(d.p)}
    assert parts == {"all", "empty_history", *(f"brand={b}" for b in B)}
    distinct = [d for d in found if d.part in parts - {"empty_history"}]
    assert [d.p_holm for d in distinct] == holm([d.p for d in distinct])
    of_all = {(d.model, d.part): d.p_holm for d in found}
    for model in "bc":
        assert of_all[model, "all"] == of_all[model, "empty_history"]


B = ("missing", "x", "y")


def test_one_user_tells_no_interval():
    rng = np.random.default_rng(0)
    dataset, (a, b) = few(
        rng.random(40) < 0.4, rng.normal(size=[2, 40]), users=[1] * 40
    )
    found = differences({"a": [a], "b": [b]}, dataset, replicates=20)
    text = differences_text(found)
    assert "too few users" in text
    assert "nan" not in text


def test_less_log_loss_is_better():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=2000)
    clicked = rng.random(2000) < 1 / (1 + np.exp(-truth))
    users = np.repeat(np.arange(1, 201), 10)
    dataset, (worse, better) = few(clicked, [-truth, truth], users=users)
    models = {"worse": [worse], "better": [better]}
    for found in differences(models, dataset, parts=["all"], replicates=50):
        assert found.verdict == "better"
        assert (found.difference < 0) == (found.metric == "log_loss")


def test_seeds_are_a_spread_of_their_own():
    """Log losses by hand: a constant logit z has log(1 + e^z) - z y."""
    n = 400
    clicked = np.arange(n) % 2
    users = np.repeat(np.arange(1, n // 2 + 1), 2)  # each one of both kinds
    levels = {"a": [0.0], "b": [0.2, 0.4, 0.9]}
    dataset = rows.dataset([1] * n, clicked, users=users)
    models = {
        name: [measure({"clicked": np.full(n, z)}, dataset) for z in of]
        for name, of in levels.items()
    }
    (found,) = differences(
        models, dataset, metrics=["log_loss"], parts=["all"], replicates=50
    )
    losses = [math.log1p(math.exp(z)) - z / 2 for z in levels["b"]]
    assert found.difference == pytest.approx(np.mean(losses) - math.log(2))
    # A user's rows have the same losses whoever is drawn: no spread of rows.
    assert found.rows_error == pytest.approx(0, abs=1e-12)
    error = np.std(losses, ddof=1) / math.sqrt(3)
    assert found.seeds_error == pytest.approx(error)
    wide = stats.t.ppf(0.975, 2) * error
    assert found.high - found.difference == pytest.approx(wide)
    assert found.p == pytest.approx(2 * stats.t.sf(found.difference / error, 2))
    assert "one seed each" not in differences_text([found])


def test_a_users_rows_are_drawn_together():
    """Ten copies of every row tell no more: the error is the same."""
    rng = np.random.default_rng(0)
    clicked = rng.random(200) < 0.4
    scores = rng.normal(size=(2, 200))
    errors = []
    for copies in (1, 10):
        users = np.repeat(np.arange(1, 201), copies)
        dataset, (a, b) = few(
            np.repeat(clicked, copies),
            np.repeat(scores, copies, axis=1),
            users=users,
        )
        models = {"a": [a], "b": [b]}
        found = differences(models, dataset, metrics=["auc"], replicates=200)
        errors.append(found[0].rows_error)
    assert errors[0] == pytest.approx(errors[1], rel=1e-6)


def test_requests_are_drawn_one_by_one():
    """The error of a mean of 10 equal rows each is root 10 times smaller.

    Those of a user are the same, so that nine of ten tell nothing.
    """
    rng = np.random.default_rng(0)
    scores = np.repeat(rng.normal(size=(2, 200)), 10, axis=1)
    clicked = np.repeat(rng.random(200) < 0.4, 10)
    dataset, (a, b) = few(
        clicked, scores, users=np.repeat(np.arange(1, 201), 10)
    )
    dataset.impressions.requests[:] = np.arange(2000)
    errors = {}
    for by in ("user", "request"):
        found = differences(
            {"a": [a], "b": [b]}, dataset, metrics=["log_loss"], by=by
        )
        errors[by] = found[0].rows_error
        text = differences_text(found)
        assert f"over resampled {by}s;" in text
        assert ("requests count as independent" in text) == (by == "request")
    # A standard error of 1,000 samples is known within 2.2 %.
    expected = pytest.approx(np.sqrt(10), rel=0.1)
    assert errors["user"] / errors["request"] == expected


def test_units():
    """Unknown users may be anybody: each of their requests is a unit."""
    impressions = rows.dataset([1] * 6, [0] * 6, users=[0, 0, 1, 1, 2, 0])
    impressions = impressions.impressions
    impressions.requests[:] = [7, 8, 9, 10, 10, 8]
    units, count = units_of(impressions)
    assert count == 4
    assert [units.tolist().index(u) for u in units] == [0, 1, 2, 2, 4, 1]
    units, count = units_of(impressions, "request")
    assert count == 4
    assert [units.tolist().index(u) for u in units] == [0, 1, 2, 3, 3, 1]
    with pytest.raises(InputError, match="by user or request"):
        units_of(impressions, "ad")


def test_holm():
    # 3 x .01; 2 x .02, and no less than that: 1 x .03 is .04.
    nan = float("nan")
    found = holm([0.03, 0.01, nan, 0.02])
    assert found[:2] + found[3:] == pytest.approx([0.04, 0.03, 0.04])
    assert math.isnan(found[2])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"models": ["a"]}, "a comparison needs two models"),
        ({"metrics": ["f1"]}, "are compared by auc, gauc.* Received: f1"),
        ({"parts": ["hot_ads"]}, "parts all, empty_.* Received: hot_ads"),
        ({"replicates": 1}, "`replicates` must be >= 2"),
        ({"rows": 1}, "which has none of these 1"),
    ],
)
def test_what_cannot_be_compared(changed, message):
    dataset, evaluations = few([0, 1], np.zeros([2, 2]))
    models = dict(zip("ab", [[e] for e in evaluations], strict=True))
    models = {name: models[name] for name in changed.pop("models", "ab")}
    dataset = dataset.select(np.arange(changed.pop("rows", 2)))
    with pytest.raises(InputError, match=message):
        differences(models, dataset, **changed)
