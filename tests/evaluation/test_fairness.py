"""Exposure and error by group: by hand, and as Fairlearn has them."""

import dataclasses

import numpy as np
import pytest

from tests.diagnosis.test_dataset import clean
from tfadrec.core.errors import InputError
from tfadrec.data import Impressions
from tfadrec.evaluation import measure, measure_fairness
from tfadrec.evaluation.groups import groups_of


@pytest.fixture(scope="module")
def dataset():
    return clean()


@pytest.fixture(scope="module")
def evaluated(dataset):
    """Scores that no two rows share, and that prefer some ads."""
    n = np.arange(len(dataset))
    logits = np.sin(n * 1.7) + 0.4 * np.cos(dataset.impressions.ads) - 1
    return measure({"clicked": logits}, dataset)


def four_requests(dataset):
    """Each of one user and of three ads, of the brands x, y and y."""
    brands = np.array(dataset.catalogue.columns["brand"])
    first = [np.flatnonzero(brands == 1)[:1], np.flatnonzero(brands == 2)[:2]]
    ads = 1 + np.concatenate(first)
    clicked = [1, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0]
    rows = Impressions(
        requests=np.repeat(np.arange(4), 3),
        users=np.repeat(np.arange(1, 5), 3).astype(np.int32),
        ads=np.tile(ads, 4).astype(np.int32),
        times=np.arange(12),
        labels={"clicked": np.array(clicked, np.float32)},
        columns={
            "hour": np.zeros(12, np.float32),
            "place": np.ones(12, np.int32),
        },
        history_starts=np.zeros(12, np.int64),
        history_ends=np.zeros(12, np.int64),
    )
    return dataclasses.replace(dataset, impressions=rows)


def test_four_requests(dataset):
    """x is chosen three times of four, y once of eight; see `clicked`."""
    rows = four_requests(dataset)
    logits = [2.0, 0, 1, 0, 2, 1, 2, 1, 0, 2, 0, 1]
    found = measure_fairness(
        measure({"clicked": np.array(logits)}, rows), rows, "brand"
    )
    assert set(found.groups) == {"x", "y"}
    x, y = found.groups["x"], found.groups["y"]
    assert (x["rows"], y["rows"]) == (4, 8)
    assert (x["exposure"], y["exposure"]) == (0.75, 0.125)
    assert (x["exposure_share"], y["exposure_share"]) == (0.75, 0.25)
    assert (x["opportunity"], y["opportunity"]) == (1, 0)
    of_x = 1 / (1 + np.exp(-np.array([2.0, 0, 2, 2])))
    assert x["calibration"] == pytest.approx(of_x.sum() / 2)
    losses = -np.log(np.where([1, 0, 0, 1], of_x, 1 - of_x))
    assert x["log_loss"] == pytest.approx(losses.mean())
    assert x["auc"] == (1 + 0.5 + 1 + 0.5) / 4
    gaps = {gap.measure: gap for gap in found.gaps}
    exposure = gaps["exposure"]
    assert (exposure.highest, exposure.lowest) == ("x", "y")
    assert exposure.difference == 0.625
    assert exposure.ratio == pytest.approx(1 / 6)
    assert (gaps["opportunity"].difference, gaps["opportunity"].ratio) == (1, 0)


def test_gaps_are_those_of_fairlearn(dataset, evaluated):
    """Recorded of its 0.15: demographic parity and equal opportunity."""
    found = measure_fairness(evaluated, dataset, "brand", replicates=2)
    gaps = {gap.measure: gap for gap in found.gaps}
    for measure_name, difference, ratio in FAIRLEARN:
        gap = gaps[measure_name]
        assert gap.difference == pytest.approx(difference, abs=1e-12)
        assert gap.ratio == pytest.approx(ratio, abs=1e-12)


#: Measure, difference, ratio.
FAIRLEARN = (
    ("exposure", 0.019069009556524408, 0.926448105996263),
    ("opportunity", 0.04177316293929714, 0.8480975893116468),
)


def test_intervals_are_those_of_the_delta_method(dataset, evaluated):
    """Of a ratio of sums over users: root sum e_u^2 over the rows."""
    found = measure_fairness(evaluated, dataset, "brand")
    names, groups = groups_of(dataset, "brand")
    rows, logits = dataset.impressions, evaluated.scores["clicked"]
    best = logits.reshape(-1, 4).argmax(axis=1) + 4 * np.arange(600)
    chosen = np.zeros(len(dataset))
    chosen[best] = 1
    for place, name in enumerate(names):
        part = groups == place
        rate = chosen[part].mean()
        assert found.groups[name]["exposure"] == pytest.approx(rate)
        errors = np.bincount(rows.users[part], chosen[part] - rate)
        error = np.sqrt(np.square(errors).sum()) / part.sum()
        low, high = found.intervals[name]["exposure"]
        assert high - low == pytest.approx(2 * 1.96 * error, rel=0.12)
        assert low < rate < high


def test_equal_choices_are_no_gap(dataset):
    """Ties are shared: every row is chosen one time in four."""
    evaluated = measure({"clicked": np.zeros(len(dataset))}, dataset)
    found = measure_fairness(evaluated, dataset, "place", replicates=20)
    gaps = {gap.measure: gap for gap in found.gaps}
    for name in ("exposure", "opportunity"):
        assert gaps[name].difference == pytest.approx(0, abs=1e-12)
        assert gaps[name].ratio == pytest.approx(1)
        assert gaps[name].line == (
            f"{name}: equal in all groups; difference 0.0000 (0.0000 to 0.0000)"
        )


def test_one_user_tells_no_interval(dataset, evaluated):
    """Of his group and of gaps of it; of the others there are intervals."""
    rows = dataset.impressions
    places = np.where(rows.users == rows.users[0], 2, 1).astype(np.int32)
    columns = {**rows.columns, "place": places}
    alone = dataclasses.replace(
        dataset, impressions=dataclasses.replace(rows, columns=columns)
    )
    one, many = groups_of(alone, "place")[0][::-1]
    found = measure_fairness(evaluated, alone, "place", replicates=20)
    assert found.groups[one]["rows"] == np.sum(places == 2)
    assert np.isnan(list(found.intervals[one].values())).all()
    assert not np.isnan(list(found.intervals[many].values())).any()
    for gap in found.gaps:
        assert np.isnan([gap.difference_low, gap.ratio_high]).all()
        assert "(a group of one user tells no interval)" in gap.line
        assert "nan" not in gap.line


def test_numbers_make_four_groups(dataset):
    """Named in the column's own unit, nan apart."""
    hours = np.array(dataset.impressions.columns["hour"])
    hours[:100] = np.nan
    columns = {**dataset.impressions.columns, "hour": hours}
    rows = dataclasses.replace(dataset.impressions, columns=columns)
    names, groups = groups_of(
        dataclasses.replace(dataset, impressions=rows), "context.hour"
    )
    assert names[0] == "missing"
    assert len(names) == 5
    counts = np.bincount(groups)
    assert counts[0] == 100
    np.testing.assert_allclose(counts[1:], 2300 / 4, atol=5)
    lower = 12 + 6 * hours[groups == 1].max()
    assert float(names[1].removeprefix("to ")) == pytest.approx(lower, rel=1e-3)


def test_rare_values_are_the_others(dataset):
    """Of ages by user, as categories: unknown users are missing."""
    places = np.array(dataset.impressions.columns["place"])
    places[:10], places[10:60] = 2, 0
    places[60:] = 1
    columns = {**dataset.impressions.columns, "place": places}
    rows = dataclasses.replace(dataset.impressions, columns=columns)
    names, groups = groups_of(
        dataclasses.replace(dataset, impressions=rows), "place"
    )
    assert names == ["missing", "top", "others"]
    assert np.bincount(groups).tolist() == [50, 2340, 10]


def test_what_cannot_be_measured(dataset, evaluated):
    with pytest.raises(InputError, match=r"Did you mean ad\.brand"):
        measure_fairness(evaluated, dataset, "ad.brant")
    evaluated = measure({"clicked": np.zeros(len(dataset))}, dataset)
    scores = {"converted": evaluated.scores["clicked"]}
    with pytest.raises(InputError, match="by the task clicked"):
        measure_fairness(
            dataclasses.replace(evaluated, scores=scores), dataset, "brand"
        )
