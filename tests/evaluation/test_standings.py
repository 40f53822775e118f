"""The table of all models, what is said of it, and of the rows."""

import sys

import numpy as np
import pytest

from tests.evaluation import rows
from tfadrec.evaluation import (
    Evaluation,
    evaluate_baselines,
    measure,
    rows_facts,
    rows_line,
    standings,
    verdicts,
)


def of(task="clicked", **metrics):
    return Evaluation({task: metrics}, {}, {})


def click(auc, gauc=0.5, log_loss=0.7):
    return of(auc=auc, gauc=gauc, log_loss=log_loss)


def test_a_line_for_each_model():
    nan = float("nan")
    table = standings(
        {
            "constant": click(0.5, nan, 0.69),
            "runs/a": click(0.71234, 0.6, 0.63),
            "runs/b": click(0.71235, 0.5, 0.63),
        }
    )
    assert table.splitlines() == [
        "clicked      auc      gauc    log_loss",
        "constant  0.5000       nan      0.6900",
        "runs/a    0.7123    0.6000 *    0.6300 *",
        "runs/b    0.7124 *  0.5000      0.6300 *",
    ]


def test_a_table_for_each_task():
    both = Evaluation(
        {"clicked": {"auc": 0.6, "count": 3}, "revenue": {"rmse": 2, "mae": 1}},
        {},
        {},
    )
    table = standings({"constant": of("revenue", rmse=1.5, mae=1), "a": both})
    assert table.splitlines() == [
        "revenue     rmse       mae",
        "constant  1.5000 *  1.0000 *",
        "a         2.0000    1.0000 *",
        "",
        "clicked     auc",
        "a        0.6000 *",
    ]


# 50 clicks of 100 rows: an AUC has the error sqrt(101 / (12 50 50)) = 0.0580.
HALF = rows.dataset([1] * 100, [0, 1] * 50)
CHANCE = "R cannot be told from chance: clicked AUC {} on 100 rows, where "


def measured(seed, strength=1.0, users=100, **labels):
    """A dataset, and what is measured of scores of some worth."""
    rng = np.random.default_rng(seed)
    n = 10 * users
    truth = rng.normal(size=n)
    dataset = rows.dataset(
        [1] * n,
        truth + rng.normal(size=n) > 0,
        users=np.repeat(np.arange(1, users + 1), 10),
        labels=labels and {"revenue": truth},
    )

    def of(noise, task="clicked"):
        scores = strength * truth + noise * rng.normal(size=n)
        real = {task} - {"clicked"}
        return measure({task: scores}, dataset, real=real)

    return dataset, of


@pytest.mark.parametrize(("auc"), [0.6160, 0.3])
def test_chance_is_named(auc):
    (line,) = verdicts("R", click(auc), {}, HALF, "log_loss")
    assert line == CHANCE.format(f"{auc:.4f}") + "chance reaches 0.6160."


@pytest.mark.parametrize("metric", ["auc", "gauc", "log_loss"])
def test_nothing_is_said_of_a_ranker_that_is_surely_ahead(metric):
    dataset, of = measured(0)
    assert not verdicts("R", of(0.2), {"worse": of(1.5)}, dataset, metric)


def test_behind_the_best_baseline():
    dataset, of = measured(0)
    own, best, other = of(1.0), of(0.2), of(3.0)
    others = {"other": other, "best": best}
    (line,) = verdicts("R", own, others, dataset)
    values = [e.metrics["clicked"]["auc"] for e in (own, best)]
    told, interval = line.split("; ")
    assert told == (
        "R is not ahead of the best baseline: clicked auc "
        f"{values[0]:.4f}, best {values[1]:.4f}"
    )
    low, high = map(float, interval[:-7].split("between ")[1].split(" and "))
    difference = values[0] - values[1]
    assert low < difference < high < 0
    assert interval.startswith(f"the difference {difference:+.4f} lies ")


def test_a_lead_that_may_be_luck_is_none():
    """A lead of some thousandths shows in four digits, and is not sure."""
    dataset, of = measured(1)
    own, other = of(1.0), of(1.05)
    lead = own.metrics["clicked"]["auc"] - other.metrics["clicked"]["auc"]
    assert 0.0005 < lead < 0.02
    (line,) = verdicts("R", own, {"other": other}, dataset)
    assert f"the difference +{lead:.4f} lies between -0.0" in line


def test_of_many_rows_some_users_are_resampled(monkeypatch):
    """All of their rows; what was measured is of all."""
    dataset, of = measured(0)
    own, best = of(1.0), of(0.2)
    module = sys.modules[verdicts.__module__]
    monkeypatch.setattr(module, "_MOST_RESAMPLED", 300)
    seen = []
    compare = module.differences

    def watched(models, some, **settings):
        seen.append((models, some.impressions))
        return compare(models, some, **settings)

    monkeypatch.setattr(module, "differences", watched)
    (line,) = verdicts("R", own, {"best": best}, dataset)
    assert (
        "clicked auc {auc:.4f}, best".format(**own.metrics["clicked"]) in line
    )
    ((models, some),) = seen
    users, counts = np.unique(some.users, return_counts=True)
    assert 20 <= len(users) <= 40
    assert (counts == 10).all()
    rows_ = np.flatnonzero(np.isin(dataset.impressions.users, users))
    np.testing.assert_array_equal(
        models["R"][0].scores["clicked"], own.scores["clicked"][rows_]
    )
    np.testing.assert_array_equal(
        some.labels["clicked"], dataset.impressions.labels["clicked"][rows_]
    )


def test_a_ranker_is_not_ahead_of_its_equal():
    dataset, of = measured(0)
    own = of(0.5)
    (line,) = verdicts("R", own, {"same": own}, dataset)
    assert line.endswith(
        "; the difference +0.0000 lies between +0.0000 and +0.0000 (95 %)."
    )


def test_rows_of_one_user_tell_no_interval():
    dataset, of = measured(0, users=1)
    (line,) = verdicts("R", of(0.0), {"other": of(9.0)}, dataset)
    assert line.endswith("; these rows are too few to tell an interval.")


def test_weights_are_rows():
    """Four rows that stand for 100: the same bound."""
    few = rows.dataset([1] * 4, [0, 1, 0, 1], weights=[25] * 4)
    (line,) = verdicts("R", click(0.61), {}, few)
    assert line.endswith("on 4 rows, where chance reaches 0.6160.")


def test_of_amounts_the_error_is_compared():
    dataset, of = measured(0, revenue=True)
    good, bad = of(0.1, "revenue"), of(1.0, "revenue")
    (line,) = verdicts("R", bad, {"good": good}, dataset, "rmse")
    values = [e.metrics["revenue"]["rmse"] for e in (bad, good)]
    assert line.startswith(
        "R is not ahead of the best baseline: revenue rmse "
        f"{values[0]:.4f}, good {values[1]:.4f}; the difference +"
    )
    assert not verdicts("R", good, {"bad": bad}, dataset)


def test_what_is_not_defined():
    one = rows.dataset([1, 1], [1, 1])
    nan = float("nan")
    (line,) = verdicts("R", click(nan), {"constant": click(nan)}, one)
    assert line.startswith("R cannot be judged: clicked is 1 in all 2 rows")
    two = rows.dataset([1] * 100, [0, 1] * 50)
    (line,) = verdicts("R", click(0.9, nan), {"c": click(0.5)}, two, "gauc")
    assert line.startswith("R cannot be judged by gauc of clicked, which these")


def test_conversions_after_a_click_are_judged_by_the_clicked_rows():
    """100 clicks with 50 conversions among 300 rows: see `HALF`."""
    converted = [0, 1] * 50 + [0] * 200
    dataset = rows.dataset(
        [1] * 300, [1] * 100 + [0] * 200, labels={"converted": converted}
    )
    given = of("converted_if_clicked", auc=0.61, gauc=0.5, log_loss=0.7)
    (line,) = verdicts("R", given, {}, dataset)
    told = CHANCE.format("0.6100").replace("clicked AUC", "{} AUC")
    assert line.startswith(told.format("converted_if_clicked"))
    found = evaluate_baselines(
        dataset, dataset, {"clicked": True, "converted": True}
    )["constant"].metrics["converted_if_clicked"]
    assert found["count"] == 100
    assert found["log_loss"] == pytest.approx(np.log(2))


def test_the_rows():
    found = rows_facts(
        rows.dataset(
            [1, 2, 0, 2],
            [1, 0, 0, 0],
            users=[0, 3, 3, 4],
            weights=[3, 1, 1, 1],
            times=[86400, 5, 7, 9],
        )
    )
    assert found == {
        "rows": 4,
        "users": 2,
        "ads": 2,
        "from": "1970-01-01 00:00:05",
        "to": "1970-01-02 00:00:00",
        "label": "clicked",
        "rate": 0.5,
    }
    assert rows_line("test", found) == (
        "4 test rows, 1970-01-01 00:00:05 to 1970-01-02 00:00:00 (UTC), "
        "2 users, 2 ads, mean of clicked 0.5000"
    )


def test_a_time_beyond_all_years_is_a_number():
    times = [np.iinfo(np.int64).min, np.iinfo(np.int64).max]
    facts = rows_facts(rows.dataset([1, 2], [1, 0], times=times))
    assert [facts["from"], facts["to"]] == list(map(str, times))


@pytest.mark.parametrize(
    ("ratio", "spread", "is_told"),
    [
        (1.2, 1.05, True),
        (0.8, 1.05, True),
        (1.2, 1.15, False),
        (1.04, 1.0, False),
    ],
)
def test_probabilities_that_are_surely_wrong(ratio, spread, is_told):
    """An interval that reaches from ratio / spread to ratio times spread."""
    ends = {
        "calibration_low": ratio / spread,
        "calibration_high": ratio * spread,
    }
    given = of("clicked", auc=0.9, calibration=ratio, **ends)
    lines = verdicts("R", given, {}, HALF)
    assert len(lines) == is_told
    if is_told:
        told = f"R predicts {ratio:.2f} times as many clicked as there were, "
        assert lines[0].startswith(told)
        assert f"{ratio / spread:.2f} to {ratio * spread:.2f}. `" in lines[0]
