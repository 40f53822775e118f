import pytest

from tfadrec.core.errors import InputError
from tfadrec.evaluation import Evaluation, compare, evaluate


def run(auc, log_loss=0.5, cold=0.6, task="clicked"):
    metrics = {"auc": auc, "gauc": 0.7, "log_loss": log_loss, "ndcg@10": 0.3}
    cold_metrics = metrics | {"auc": cold}
    return Evaluation(
        {task: metrics}, {"cold_ads": {task: cold_metrics}}, {task: ()}
    )


def cells(table):
    """First cell of a line -> the rest, split at two spaces or more."""
    lines = [
        [cell.strip() for cell in line.split("  ") if cell.strip()]
        for line in table.splitlines()
    ]
    return {line[0]: line[1:] for line in lines if line}


def test_mean_spread_and_the_best():
    rows = cells(
        compare(
            {
                # Mean 0.72, deviations -0.02, 0, 0.02: standard deviation 0.02.
                "text": [run(0.70, 0.4), run(0.72, 0.4), run(0.74, 0.4)],
                "ids": [run(0.69, 0.3), run(0.71, 0.5)],
                "popularity": [run(0.65, 0.6)],
            }
        )
    )
    assert rows["clicked"] == [
        "text (3 seeds)",
        "ids (2 seeds)",
        "popularity (1 seed)",
    ]
    assert rows["auc"] == [
        "0.7200 ± 0.0200 *",
        "0.7000 ± 0.0141",
        "0.6500",
    ]
    # Of log losses the least is best, and equals share the star.
    assert rows["log_loss"] == [
        "0.4000 ± 0.0000 *",
        "0.4000 ± 0.1414 *",
        "0.6000",
    ]
    assert list(rows)[1:7] == [
        "auc",
        "gauc",
        "log_loss",
        "ndcg@10",
        "cold_ads auc",
        "cold_ads gauc",
    ]


def test_an_undefined_mean_is_nan_and_never_best():
    rows = cells(compare({"a": [run(float("nan")), run(0.9)], "b": [run(0.5)]}))
    assert rows["auc"] == ["nan", "0.5000 *"]


def test_a_task_that_one_model_lacks_is_nan_there():
    rows = cells(compare({"a": [run(0.9)], "b": [run(0.8, task="bought")]}))
    assert rows["clicked"] == ["a (1 seed)", "b (1 seed)"]
    assert rows["bought"] == ["a (1 seed)", "b (1 seed)"]
    assert rows["auc"] == ["nan", "0.8000 *"]


def test_one_model_gets_no_star_and_no_slice_no_line(model, random_dataset):
    evaluation = evaluate(model, random_dataset())
    rows = cells(compare({"alone": [evaluation]}))
    assert rows["auc"] == [f"{evaluation.metrics['clicked']['auc']:.4f}"]
    assert "cold_ads auc" not in rows


@pytest.mark.parametrize("evaluations", [{}, {"a": []}])
def test_nothing_to_compare_is_refused(evaluations):
    with pytest.raises(InputError, match="at least one evaluation of every"):
        compare(evaluations)
