"""Faults planted into the leaderboard of a search."""

import json

import pytest

from tfadrec.core.errors import InputError
from tfadrec.diagnosis import examine_sweep
from tfadrec.tuning.files import search_folder

SPACE = """
optimizer:
  class: LazyAdam
  learning_rate: {float: {min: 0.0001, max: 0.1, log: true}}
encoder:
  class: {choice: [DIN, BST]}
  hidden: {rate: {int: {min: 0, max: 20}}}
ranker: {dropout: {choice: [0.0, 0.1, 0.2, 0.3]}}
"""


def trial(number, score, rate=0.01, **more):
    return {
        "trial": str(number),
        "status": "completed" if score is not None else "failed",
        "score": score,
        "message": "" if score is not None else "out of memory",
        "values": {
            "optimizer.learning_rate": rate,
            "encoder.class": "DIN",
            "encoder.hidden.rate": 10,
            "ranker.dropout": 0.1,
        },
        **more,
    }


def sweep(folder, trials, final=None):
    (folder / "search.json").write_text(json.dumps({"space": SPACE}))
    board = {"objective": "val_auc", "trials": trials, "final": final}
    (folder / "leaderboard.json").write_text(json.dumps(board))
    return [(f.name, f.where, f.level) for f in examine_sweep(folder)]


GOOD = [trial(n, 0.7 - 0.01 * n) for n in range(5)]


def test_nothing_is_wrong_with_a_good_search(tmp_path):
    assert sweep(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([*GOOD, trial(9, None)], ("failed_trials", "trial 9", "warning")),
        (
            [*GOOD, trial(9, None, status="infeasible")],
            ("infeasible_trials", "trial 9", "warning"),
        ),
        (
            [*GOOD, trial(9, None, status="running")],
            ("few_trials", "trials", "note"),
        ),
        (GOOD[:2], ("few_trials", "trials", "note")),
        (
            [trial(n, 0.7 + 1e-6 * n, 0.0001) for n in range(5)],
            ("same_scores", "val_auc", "warning"),
        ),
        # 0.00012 is 2.6 % of the way in logs, and nearly none without.
        (
            [trial(0, 0.8, 0.00012), *GOOD],
            ("best_at_border", "optimizer.learning_rate", "warning"),
        ),
    ],
    ids=lambda found: found[0] if isinstance(found, tuple) else "",
)
def test_a_planted_fault_is_found(tmp_path, trials, expected):
    assert sweep(tmp_path, trials) == [expected]


def test_values_at_the_end_of_choices_and_of_integers(tmp_path):
    best = trial(0, 0.8)
    best["values"] |= {"encoder.hidden.rate": 20, "ranker.dropout": 0.3}
    assert sweep(tmp_path, [best, *GOOD]) == [
        ("best_at_border", "encoder.hidden.rate", "warning"),
        ("best_at_border", "ranker.dropout", "warning"),
    ]
    # Less than none there is not.
    best["values"] |= {"encoder.hidden.rate": 0, "ranker.dropout": 0.0}
    assert sweep(tmp_path, [best, *GOOD]) == []


def test_seeds_that_move_more_than_settings(tmp_path):
    final = {"finalists": [{"trial": "0", "scores": [0.7, 0.6, 0.8]}]}
    assert sweep(tmp_path, GOOD, final) == [("noise", "val_auc", "warning")]


@pytest.mark.parametrize(
    "trials",
    [
        5,
        [1],
        {"a": 1},
        [trial(0, "x"), trial(1, 0.5), trial(2, 0.5)],
        [trial(n, 0.1 * n, rate=0) for n in range(4)],
        [{}],
    ],
)
def test_a_leaderboard_of_other_values(tmp_path, trials):
    with pytest.raises(InputError, match="has other values") as told:
        sweep(tmp_path, trials)
    assert "\n" not in str(told.value)


def test_a_leaderboard_that_was_changed(tmp_path):
    folder = search_folder(tmp_path / "search")
    with folder.held():
        for name in ("search.json", "leaderboard.json"):
            folder.write_text(name, "{}")
    (folder.path / "leaderboard.json").write_text("[]")
    with pytest.raises(InputError, match=r"where leaderboard\.json is not"):
        examine_sweep(folder.path)


def test_a_search_that_has_ended_nothing(tmp_path):
    with pytest.raises(InputError, match="no search has ended"):
        sweep(tmp_path, [])
