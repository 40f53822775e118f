"""Curves against scikit-learn's, ads against sums by hand."""

import html
import re

import numpy as np
import pytest
from sklearn import metrics

from tests.evaluation import rows as made
from tfadrec.evaluation import measure
from tfadrec.metrics import rows
from tfadrec.metrics.ranking import sigmoid
from tfadrec.report.ads import ads_section
from tfadrec.report.curves import (
    _curves,
    calibration_section,
    curves_section,
)


def random_rows(n=300, seed=0):
    random = np.random.default_rng(seed)
    logits = np.round(random.normal(0, 1, n), 1).astype(np.float32)
    clicked = random.random(n) < sigmoid(logits.astype(float))
    ads = random.integers(1, 5, n)
    dataset = made.dataset(ads, clicked.astype(np.float32), users=ads)
    return dataset, logits


@pytest.mark.parametrize("weighted", [False, True])
def test_curves_are_scikit_learns(weighted):
    """The area below the drawn points, of which there are few enough."""
    dataset, logits = random_rows()
    labels = dataset.impressions.labels["clicked"]
    weights = np.random.default_rng(1).integers(1, 5, 300).astype(float)
    weights = weights if weighted else None
    found = _curves(labels, logits, weights)
    x, y = np.array(found["roc"]).T
    area = ((x[1:] - x[:-1]) * (y[1:] + y[:-1]) / 2).sum()
    assert area == pytest.approx(
        metrics.roc_auc_score(labels, logits, sample_weight=weights), abs=1e-9
    )
    recall, precision = np.array(found["pr"]).T
    steps = np.diff(np.concatenate([[0.0], recall]))
    assert (steps * precision).sum() == pytest.approx(
        metrics.average_precision_score(labels, logits, sample_weight=weights),
        abs=1e-9,
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_curves_are_those_of_all_rows_in_ranges(monkeypatch, weighted):
    random = np.random.default_rng(2)
    labels, logits = random.integers(0, 2, 900), random.normal(0, 1, 900)
    weights = random.integers(0, 3, 900).astype(float) if weighted else None
    known = random.random(900) < 0.8
    expected = _curves(labels, logits, weights, known)
    assert len(expected["pr"]) == 200
    monkeypatch.setattr(rows, "_AT_ONCE", 100)
    monkeypatch.setattr(rows, "_BLOCK", 70)
    found = _curves(labels, logits, weights, known)
    for name, points in expected.items():
        np.testing.assert_allclose(found[name], points, rtol=1e-12)


@pytest.mark.filterwarnings("error")
def test_the_best_rows_may_not_count():
    """Of what no weight lies above, there is no precision."""
    labels, logits = np.array([1, 1, 0, 1]), np.array([4.0, 3.0, 2.0, 1.0])
    found = _curves(labels, logits, np.array([0.0, 1.0, 1.0, 2.0]))
    assert found["pr"] == [(1 / 3, 1.0), (1 / 3, 0.5), (1.0, 0.75)]
    assert found["roc"] == [(0.0, 0.0), (0.0, 1 / 3), (1.0, 1 / 3), (1.0, 1.0)]


def test_the_best_baseline_is_drawn_too_and_a_single_class_is_not():
    dataset, logits = random_rows()
    models = {"ranker": measure({"clicked": logits}, dataset)}
    baselines = {
        "worse": measure({"clicked": -logits}, dataset),
        "better": measure({"clicked": logits + 1}, dataset),
    }
    page = "".join(curves_section(models, dataset, baselines))
    keys = re.findall(r'<span class="key c\d">([^<]*)<', page)
    assert keys == ["ranker", "better", "chance"] * 2
    none = made.dataset([1, 2], [0, 0])
    nothing = {"ranker": measure({"clicked": np.zeros(2)}, none)}
    assert curves_section(nothing, none) == []


def test_before_and_after():
    dataset, logits = random_rows()
    raw, right = (
        measure({"clicked": z}, dataset) for z in (3 * logits, logits)
    )
    page = "".join(calibration_section(raw, right))
    assert re.findall(r'<span class="key c\d">([^<]*)<', page) == [
        *("before", "after", "right"),
    ]
    for found in (raw, right):
        assert f"{found.metrics['clicked']['ece']:.4f}" in page


def test_ads_and_surprises():
    """Ad 1 is clicked as predicted, ad 2 more often, ad 3 less."""
    ads = np.repeat([1, 2, 3], 40)
    clicked = np.concatenate(
        [np.arange(40) % 2, np.ones(40), np.zeros(40)]
    ).astype(np.float32)
    dataset = made.dataset(ads, clicked)
    logits = np.linspace(-0.1, 0.1, 120).astype(np.float32)
    page = "".join(
        ads_section(measure({"clicked": logits}, dataset), dataset, "clicked")
    )
    tables = {
        heading: re.findall(r"<tr><td>(.*?)</td>", body)
        for heading, body in re.findall(
            r"<h3>(.*?)</h3>(.*?)(?=<h3>|$)", page, re.S
        )
    }
    assert tables["Ads most clicked"] == ["2", "1", "3"]
    assert tables["Ads least clicked"] == ["3", "1", "2"]
    assert tables["Ads predicted too high"][0] == "3"
    assert tables["Ads predicted too low"][0] == "2"
    best = re.search(r"<h3>Ads most clicked.*?</table>", page, re.S)[0]
    cells = re.findall(r"<td>(.*?)</td>", html.unescape(best))
    predicted = sigmoid(logits[40:80].astype(float)).mean()
    assert cells[2:5] == ["40", "1.0000", f"{predicted:.4f}"]
    # The surest miss is the highest score without a click.
    assert f"{sigmoid(float(logits[-1])):.4f}" in page


def test_ads_of_counted_rows_have_the_rates_of_their_counts():
    """Of 100 impressions three were clicked, of 50 five: by row it is half."""
    dataset = made.dataset(
        [1, 1, 2, 2], [1, 0, 1, 0], weights=np.array([3.0, 97.0, 5.0, 45.0])
    )
    found = measure({"clicked": np.zeros(4, np.float32)}, dataset)
    page = "".join(ads_section(found, dataset, "clicked"))
    most = re.search(r"<h3>Ads most clicked.*?</table>", page, re.S)[0]
    cells = re.findall(r"<td>(.*?)</td>", most)
    assert cells[:5] == ["2", "", "50", "0.1000", "0.5000"]
    assert cells[5:] == ["1", "", "100", "0.0300", "0.5000"]


def test_ads_and_examples_are_those_of_all_rows_in_parts(monkeypatch):
    dataset, logits = random_rows()
    found = measure({"clicked": logits}, dataset)
    expected = ads_section(found, dataset, "clicked")
    monkeypatch.setattr("tfadrec.core.blocks.ROWS", 70)
    assert ads_section(found, dataset, "clicked") == expected
