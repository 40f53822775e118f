"""The table of all models, what is said of it, and of the rows."""

import numpy as np
import pytest

from tests.evaluation import rows
from tfadrec.evaluation import (
    Evaluation,
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
OTHERS = {"constant": click(0.5), "popularity": click(0.65, 0.55, 0.66)}


@pytest.mark.parametrize(
    ("own", "metric", "line"),
    [
        (click(0.66), "auc", None),
        (
            click(0.65004, 0.9, 0.1),
            "auc",
            "R is not ahead of the best baseline: clicked auc 0.6500, "
            "popularity 0.6500.",
        ),
        (
            click(0.7, 0.54),
            "gauc",
            "R is not ahead of the best baseline: clicked gauc 0.5400, "
            "popularity 0.5500.",
        ),
        (
            click(0.7, 0.6, 0.67),
            "log_loss",
            "R is not ahead of the best baseline: clicked log_loss 0.6700, "
            "popularity 0.6600.",
        ),
        (click(0.7, 0.6, 0.65), "log_loss", None),
        (
            click(0.616),
            "auc",
            "R cannot be told from chance: clicked AUC 0.6160 on 100 rows, "
            "where chance reaches 0.6160.",
        ),
        (
            click(0.3),
            "log_loss",
            "R cannot be told from chance: clicked AUC 0.3000 on 100 rows, "
            "where chance reaches 0.6160.",
        ),
    ],
)
def test_one_line_where_nothing_was_learned(own, metric, line):
    found = verdicts("R", own, OTHERS, HALF, metric)
    assert found == ([] if line is None else [line])


def test_weights_are_rows():
    """Four rows that stand for 100: the same bound."""
    few = rows.dataset([1] * 4, [0, 1, 0, 1], weights=[25] * 4)
    (line,) = verdicts("R", click(0.61), {}, few)
    assert line.endswith("on 4 rows, where chance reaches 0.6160.")


def test_of_amounts_the_error_is_compared():
    train = rows.dataset([1, 1], [0, 1], labels={"revenue": [1, 2]})
    own = of("revenue", rmse=2.0, mae=1.0)
    (line,) = verdicts(
        "R", own, {"constant": of("revenue", rmse=1.5, mae=9)}, train, "rmse"
    )
    assert line == (
        "R is not ahead of the best baseline: revenue rmse 2.0000, "
        "constant 1.5000."
    )
    assert not verdicts("R", own, {"constant": of("revenue", rmse=3)}, train)


def test_nothing_is_said_of_what_is_not_defined():
    one = rows.dataset([1, 1], [1, 1])
    nan = float("nan")
    assert not verdicts("R", click(nan), {"constant": click(nan)}, one)
    given = of("converted_if_clicked", auc=0.4, gauc=0.5, log_loss=1)
    assert not verdicts("R", given, OTHERS, one)


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
