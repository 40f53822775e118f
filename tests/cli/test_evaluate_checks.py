"""What `evaluate` refuses before any run is loaded, or any is measured."""

import pytest

from tests.evaluation import rows
from tfadrec.cli.evaluate import (
    _check_explained,
    _check_gate,
    _check_unmeasured,
)
from tfadrec.cli.measured import _are_same
from tfadrec.core.errors import InputError


def test_averages_are_not_explained():
    runs = {"a": {"config": "fit: {seed: 1}"}}
    _check_explained(runs)
    runs["b"] = {"config": "fit: {ensemble: 3}"}
    with pytest.raises(InputError, match=r"--explain with b, .* Leave out"):
        _check_explained(runs)


def test_retrievers_have_no_scores_to_look_at():
    _check_unmeasured({"--metric": None, "--explain": False, "--slice": ()})
    with pytest.raises(InputError, match=r"Received: --in and --slice\. Leave"):
        _check_unmeasured({"--in": "all", "--cost": None, "--slice": ("x",)})


@pytest.mark.parametrize(
    ("metric", "parts", "message"),
    [
        ("uauc", ["all"], "compared by auc, log_loss. .* Name one of them"),
        ("auc", ["all", "warm_adz"], r"Received: --in warm_adz\. Did you mean"),
        ("auc", [""], "a gate is of all and of slices: all, warm_ads"),
    ],
)
def test_gates_of_what_is_not_compared(metric, parts, message):
    compared = (["auc", "log_loss"], ["all", "warm_ads"])
    _check_gate("auc", ["warm_ads", "all"], compared)
    with pytest.raises(InputError, match=message):
        _check_gate(metric, parts, compared)


@pytest.mark.parametrize(
    "changed",
    [
        {"times": [5, 6, 9]},
        {"users": [1, 2, 2]},
        {"ads": [1, 3, 2]},
        {"ads": [1, 2], "users": [1, 1], "times": [5, 5]},
    ],
)
def test_rows_are_the_same_by_time_user_and_ad(changed):
    """Two splits of a log may have as many rows at the same times."""

    def made(ads=(1, 2, 3), users=(1, 1, 2), times=(5, 5, 9)):
        clicked = [0] * len(ads)
        found = rows.dataset(ads, clicked, users=users, times=times)
        return found.impressions

    assert _are_same(made(), made())
    assert not _are_same(made(), made(**changed))
