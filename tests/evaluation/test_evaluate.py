import dataclasses
import itertools
import json
import math
import tracemalloc
import types

import numpy as np
import pytest
import sklearn.metrics

from tfadrec.core.errors import InputError
from tfadrec.evaluation import evaluate, measure
from tfadrec.metrics import probabilities, ranking, rows, top


def test_metrics_are_those_of_the_whole_dataset(model, random_dataset):
    dataset = random_dataset()
    labels = dataset.impressions.labels["clicked"]
    logits = dataset.logits["clicked"].astype(np.float32)
    evaluation = evaluate(model, dataset, batch_size=64, k=3)
    users, requests = dataset.impressions.users, dataset.impressions.requests
    _, low, high = probabilities.predicted_over_observed(
        labels, logits, groups=users
    )
    assert evaluation.metrics["clicked"] == {
        "auc": pytest.approx(sklearn.metrics.roc_auc_score(labels, logits)),
        "gauc": ranking.group_auc(labels, logits, users),
        "uauc": pytest.approx(
            np.mean(
                [
                    sklearn.metrics.roc_auc_score(labels[own], logits[own])
                    for own in (users == user for user in np.unique(users))
                    if 0 < labels[own].mean() < 1
                ]
            )
        ),
        "log_loss": ranking.log_loss(labels, logits),
        "normalized_entropy": ranking.normalized_entropy(labels, logits),
        "calibration": ranking.calibration_ratio(labels, logits),
        "ndcg@3": ranking.ndcg(labels, logits, requests, 3),
        "mrr": ranking.mrr(labels, logits, requests),
        "hit@3": top.hit_rate(labels, logits, requests, 3),
        "recall@3": top.recall(labels, logits, requests, 3),
        "pr_auc": top.pr_auc(labels, logits),
        "rig": probabilities.relative_information_gain(labels, logits),
        "brier": probabilities.brier_score(labels, logits),
        "ece": probabilities.calibration_error(labels, logits),
        "calibration_low": low,
        "calibration_high": high,
        "count": 400,
        "positives": labels.sum(),
    }
    assert dataset.batch_sizes == [64]
    assert list(evaluation.slices) == ["empty_history", "with_history"]


def test_hits_among_more_ranks_than_a_request_has_ads_are_not_told(
    model, make_dataset
):
    dataset = make_dataset(
        labels={"clicked": [1, 0, 1, 0]},
        logits={"clicked": [2.0, 1.0, 0.0, 1.0]},
        requests=[0, 0, 1, 1],
        users=[1] * 4,
        ads=[1, 2, 1, 2],
        lengths=[0] * 4,
    )
    of_one = evaluate(model, dataset, k=1).metrics["clicked"]
    assert of_one["hit@1"] == of_one["recall@1"] == 0.5
    evaluation = evaluate(model, dataset, k=2)
    of_all = evaluation.metrics["clicked"]
    assert math.isnan(of_all["hit@2"])
    assert math.isnan(of_all["recall@2"])
    assert of_all["mrr"] == 0.75
    names = [row[0] for row in evaluation.rows("clicked")]
    assert "mrr" in names
    assert not {"hit@2", "recall@2"} & set(names)
    assert str(evaluation).endswith(
        "\n\nUndefined for these rows: hit@2, recall@2, calibration_low, "
        "calibration_high."
    )


def test_slices_by_training_impressions_and_history(
    model, make_dataset, random_dataset
):
    # In training ad 1 has 10 impressions and ad 2 has 9; ad 3 has none, and
    # row 0, the unknown ad, has 50 that are not those of any one ad.
    train_ads = [1] * 10 + [2] * 9 + [0] * 50
    train = random_dataset(len(train_ads))
    train.impressions.ads = np.array(train_ads, np.int32)
    dataset = make_dataset(
        labels={"clicked": [1, 0, 1, 0, 0, 1]},
        logits={"clicked": [2.0, 1.0, 0.0, 1.0, 3.0, 4.0]},
        users=[1, 1, 1, 1, 2, 2],
        requests=[0, 0, 1, 1, 2, 2],
        ads=[1, 1, 2, 3, 0, 0],
        lengths=[0, 0, 5, 5, 0, 1],
    )
    slices = evaluate(model, dataset, train=train).slices
    counts = {name: tasks["clicked"]["count"] for name, tasks in slices.items()}
    assert counts == {
        "cold_ads": 4,
        "warm_ads": 2,
        "empty_history": 3,
        "with_history": 3,
    }
    # Cold rows: clicks at 0 and 4, others at 1 and 3: 4 beats both.
    assert slices["cold_ads"]["clicked"]["auc"] == 0.5
    assert slices["cold_ads"]["clicked"]["gauc"] == (2 * 0 + 2 * 1) / 4
    assert slices["warm_ads"]["clicked"]["auc"] == 1.0
    assert slices["with_history"]["clicked"]["positives"] == 2


def test_a_slice_without_rows_is_nan(model, random_dataset):
    dataset = random_dataset()
    dataset.impressions.history_lengths[:] = 1
    empty = evaluate(model, dataset).slices["empty_history"]["clicked"]
    assert (empty["count"], empty["positives"]) == (0, 0)
    assert math.isnan(empty["auc"])
    assert math.isnan(empty["ndcg@10"])


def test_every_task_is_measured(model, random_dataset):
    dataset = random_dataset(tasks=("clicked", "converted"))
    evaluation = evaluate(model, dataset)
    assert list(evaluation.metrics) == ["clicked", "converted"]
    assert list(evaluation.reliability) == ["clicked", "converted"]
    assert evaluation.metrics["converted"]["auc"] == ranking.auc(
        dataset.impressions.labels["converted"],
        dataset.logits["converted"].astype(np.float32),
    )


def test_conversions_after_a_click_are_measured_where_there_was_one(
    model, random_dataset
):
    dataset = random_dataset(tasks=("clicked", "converted"))
    logits = dataset.logits["converted"].astype(np.float32)
    dataset.logits["converted_if_clicked"] = logits
    labels = dataset.impressions.labels
    rows = labels["clicked"] == 1
    evaluation = evaluate(model, dataset)
    found = evaluation.metrics["converted_if_clicked"]
    assert found["count"] == rows.sum() < 400
    assert found["positives"] == labels["converted"][rows].sum()
    assert found["auc"] == pytest.approx(
        sklearn.metrics.roc_auc_score(labels["converted"][rows], logits[rows])
    )
    assert found["calibration"] == ranking.calibration_ratio(
        labels["converted"][rows], logits[rows]
    )
    empty = dataset.impressions.history_lengths == 0
    slices = evaluation.slices["empty_history"]
    assert slices["converted_if_clicked"]["count"] == (rows & empty).sum()
    assert slices["converted"]["count"] == empty.sum()
    bins = evaluation.reliability["converted_if_clicked"]
    assert sum(point.count for point in bins) == rows.sum()


def test_without_a_click_there_is_nothing_to_measure_of_conversions(
    model, random_dataset
):
    dataset = random_dataset(tasks=("clicked", "converted"))
    dataset.logits["converted_if_clicked"] = dataset.logits["clicked"]
    dataset.impressions.labels["clicked"][:] = 0
    evaluation = evaluate(model, dataset)
    assert math.isnan(evaluation.metrics["converted_if_clicked"]["auc"])
    assert evaluation.reliability["converted_if_clicked"] == ()
    del dataset.impressions.labels["clicked"]
    dataset.logits = {"converted_if_clicked": np.zeros(400)}
    with pytest.raises(InputError, match="Received: task 'clicked', labels"):
        evaluate(model, dataset)


def test_reliability_bins_hold_equally_many_rows_in_order(
    model, random_dataset
):
    dataset = random_dataset(403)
    bins = evaluate(model, dataset).reliability["clicked"]
    logits = np.sort(dataset.logits["clicked"].astype(np.float32))
    counts = [b.count for b in bins]
    assert (sum(counts), set(counts)) == (403, {40, 41})
    assert bins[0].predicted == pytest.approx(
        np.mean(1 / (1 + np.exp(-logits[: counts[0]].astype(np.float64))))
    )
    clicks = sum(b.observed * b.count for b in bins)
    assert clicks == pytest.approx(dataset.impressions.labels["clicked"].sum())
    assert all(a.predicted < b.predicted for a, b in itertools.pairwise(bins))


def test_counted_rows_have_no_order_in_a_request(model, make_dataset):
    """Two ads with clicks and rows without: 3 of 100 and 1 of 50."""
    counts = {
        "labels": {"clicked": [1, 0, 1, 0]},
        "logits": {"clicked": [-2.0, -2.0, -3.0, -3.0]},
        **{"users": [1] * 4, "requests": [0] * 4, "lengths": [1] * 4},
        "weights": np.array([3.0, 97.0, 1.0, 49.0]),
    }
    of_counts, of_rows = (
        evaluate(model, make_dataset(ads=ads, **counts), k=2).metrics["clicked"]
        for ads in ([1, 1, 2, 2], [1, 2, 3, 0])
    )
    for name in ("ndcg@2", "mrr", "hit@2", "recall@2"):
        assert math.isnan(of_counts[name])
        assert 0 < of_rows[name] <= 1
    assert of_counts["auc"] == of_rows["auc"]


def test_reliability_of_counted_rows_is_that_of_the_rows_they_stand_for(
    model, random_dataset
):
    """Three for each row, and then two for the first half and none after."""
    dataset = random_dataset(400)
    plain = evaluate(model, dataset).reliability["clicked"]
    dataset.impressions.weights = np.full(400, 3.0)
    bins = evaluate(model, dataset).reliability["clicked"]
    assert [b.count for b in bins] == [3 * b.count for b in plain]
    assert [b.observed for b in bins] == [
        pytest.approx(b.observed) for b in plain
    ]
    dataset.impressions.weights = np.where(np.arange(400) < 200, 2.0, 0.0)
    bins = evaluate(model, dataset).reliability["clicked"]
    assert [b.count for b in bins] == [40] * 10
    clicks = sum(b.observed * b.count for b in bins)
    first = dataset.impressions.labels["clicked"][:200]
    assert clicks == pytest.approx(2 * first.sum())


def test_reliability_of_constant_predictions_is_the_base_rate(
    model, random_dataset
):
    dataset = random_dataset()
    dataset.impressions.labels["clicked"] = np.arange(400) < 100
    dataset.logits["clicked"] = np.zeros(400)
    bins = evaluate(model, dataset).reliability["clicked"]
    assert len(bins) == 10
    for point in bins:
        assert point.predicted == pytest.approx(0.5)
        assert point.observed == pytest.approx(0.25)


def test_reliability_of_three_rows_has_three_bins(model, random_dataset):
    dataset = random_dataset(3)
    bins = evaluate(model, dataset).reliability["clicked"]
    assert [b.count for b in bins] == [1, 1, 1]


def test_to_dict_is_strict_json(model, random_dataset):
    dataset = random_dataset()
    dataset.impressions.history_lengths[:] = 1
    evaluation = evaluate(model, dataset)
    again = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert again["metrics"]["clicked"] == evaluation.metrics["clicked"]
    assert again["slices"]["empty_history"]["clicked"]["auc"] is None
    assert again["slices"]["empty_history"]["clicked"]["count"] == 0
    point = evaluation.reliability["clicked"][3]
    assert again["reliability"]["clicked"][3] == dataclasses.asdict(point)


def test_the_table_is_aligned_and_holds_the_numbers(model, random_dataset):
    dataset = random_dataset()
    evaluation = evaluate(model, dataset, train=random_dataset(30))
    lines = str(evaluation).splitlines()
    assert lines[0].split() == ["clicked", "all", *evaluation.slices]
    assert len({len(line) for line in lines}) == 1
    cells = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    metrics = evaluation.metrics["clicked"]
    assert cells["auc"][0] == f"{metrics['auc']:.4f}"
    assert cells["count"][0] == "400"
    cold = evaluation.slices["cold_ads"]["clicked"]
    assert cells["gauc"][1] == f"{cold['gauc']:.4f}"


def test_an_evaluation_is_frozen(model, random_dataset):
    evaluation = evaluate(model, random_dataset())
    with pytest.raises(dataclasses.FrozenInstanceError):
        evaluation.metrics = {}


def test_wrong_input_is_refused(model, random_dataset):
    dataset = random_dataset()
    with pytest.raises(
        InputError, match=r"must have impressions\. Received: 0"
    ):
        evaluate(model, random_dataset(0))
    other = random_dataset()
    other.catalogue.ad_ids = np.array(["a", "x", "c"], object)
    with pytest.raises(InputError, match="must share one catalogue"):
        evaluate(model, dataset, train=other)
    with pytest.raises(InputError, match="`k` must be an integer >= 1"):
        evaluate(model, dataset, k=0)
    dataset.logits = {"bought": np.zeros(400)}
    with pytest.raises(InputError, match="Every task must be a label"):
        evaluate(model, dataset)
    dataset.logits = {"clicked": np.zeros(399)}
    with pytest.raises(InputError, match=r"logits must be \[n\]"):
        evaluate(model, dataset)
    dataset.logits = {"clicked": np.full(400, np.nan)}
    with pytest.raises(InputError, match="Scores must be finite"):
        evaluate(model, dataset)


def test_a_weight_is_so_many_rows(model, make_dataset, random_dataset):
    """But within a request every row counts once."""
    rows = random_dataset(60)
    counts = np.random.default_rng(1).integers(1, 4, 60)
    shown = rows.impressions
    shown.requests, shown.ads = np.arange(60) // 3, np.arange(60) % 3 + 1
    columns = {
        "users": shown.users,
        "requests": shown.requests,
        "ads": shown.ads,
        "lengths": shown.history_lengths,
    }
    weighted = make_dataset(
        shown.labels, rows.logits, **columns, weights=counts.astype(float)
    )
    repeated = make_dataset(
        {k: np.repeat(v, counts) for k, v in shown.labels.items()},
        {k: np.repeat(v, counts) for k, v in rows.logits.items()},
        **{k: np.repeat(v, counts) for k, v in columns.items()},
    )
    found, expected, plain = (
        evaluate(model, dataset).metrics["clicked"]
        for dataset in (weighted, repeated, rows)
    )
    for name in (
        "auc",
        "gauc",
        "log_loss",
        "normalized_entropy",
        "calibration",
    ):
        assert found[name] == pytest.approx(expected[name], rel=1e-6), name
        assert found[name] != plain[name]
    assert found["uauc"] == pytest.approx(expected["uauc"])
    for name in ("ndcg@10", "mrr", "count", "positives"):
        assert found[name] == plain[name]


def test_real_labels_are_measured_by_their_errors(make_dataset):
    dataset = make_dataset(
        labels={"revenue": [0, 2, 4, 0]},
        logits={"revenue": [1.0, 2.0, 2.0, 1.0]},
        users=[1] * 4,
        requests=[0] * 4,
        ads=[1] * 4,
        lengths=[0, 1, 1, 1],
        weights=np.array([1.0, 1.0, 2.0, 0.0]),
    )
    model = types.SimpleNamespace(
        predict=lambda batches: {
            k: np.asarray(v, np.float32) for k, v in batches.items()
        },
        task_losses={"revenue": types.SimpleNamespace(is_binary=False)},
    )
    evaluation = evaluate(model, dataset)
    # Errors 1, 0, -2, 1 with the weights 1, 1, 2, 0; means 7 / 4 and 10 / 4.
    assert evaluation.metrics["revenue"] == {
        "rmse": pytest.approx(math.sqrt(9 / 4)),
        "mae": pytest.approx(5 / 4),
        "mean_ratio": pytest.approx(7 / 10),
        "count": 4,
    }
    assert evaluation.reliability == {}
    empty = evaluation.slices["empty_history"]["revenue"]
    assert (empty["rmse"], empty["count"]) == (1, 1)


def test_unknown_users_are_not_one_user(model, random_dataset):
    dataset = random_dataset()
    rows = dataset.impressions
    rows.users[:] = 0
    found = evaluate(model, dataset).metrics["clicked"]
    _, *ends = probabilities.predicted_over_observed(
        rows.labels["clicked"],
        dataset.logits["clicked"].astype(np.float32),
        groups=rows.requests,
    )
    assert ends == [found["calibration_low"], found["calibration_high"]]


def test_memory_is_bounded_but_for_masks_and_whose_rows_they_are(
    monkeypatch, random_dataset
):
    """Some 20 bytes a row, of which people take 8; arrays of all took 150."""
    monkeypatch.setattr(rows, "_AT_ONCE", 1 << 12)
    monkeypatch.setattr(rows, "_BLOCK", 1 << 12)
    n = 100_000
    dataset = random_dataset(n)
    logits = {t: z.astype(np.float32) for t, z in dataset.logits.items()}
    tracemalloc.start()
    try:
        measure(logits, dataset, k=3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30 * n
