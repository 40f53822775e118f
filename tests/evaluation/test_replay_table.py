"""What the stretches of a replay come to."""

import pytest

from tfadrec.evaluation import replay_line, replay_sums, replay_table

NAN = float("nan")


def way(auc, examples=10, **more):
    measures = {"auc": auc, "log_loss": 0.5, "calibration": 1.0, **more}
    return {**measures, "examples": examples, "seconds": None}


def stretch(rows, frozen, updated, retrained, **more):
    return {
        "since": 0,
        "rows": rows,
        "frozen": way(frozen, **more),
        "updated": way(updated, **more),
        "retrained": way(retrained, examples=100, **more),
    }


FIRST = stretch(50, 0.6, 0.6, 0.6)
QUIET = stretch(1000, NAN, NAN, NAN, calibration=NAN, log_loss=0.1)


def test_a_stretch_without_a_click_takes_nothing_from_the_others():
    """0.7 and 0.8 of 100 and 300 rows are 0.775; its log loss counts."""
    days = [FIRST, stretch(100, 0.6, 0.7, 0.8), stretch(300, 0.7, 0.8, 0.8)]
    sums = replay_sums([*days, QUIET])
    assert sums["updated"]["auc"] == pytest.approx(0.775)
    assert sums["updated"]["calibration"] == 1.0
    assert sums["updated"]["log_loss"] == pytest.approx(
        (400 * 0.5 + 1000 * 0.1) / 1400
    )
    assert sums["gain_kept"] == pytest.approx((0.775 - 0.675) / (0.8 - 0.675))
    assert sums["updated"]["examples"] == 30
    assert (sums["later"], sums["told"]) == (3, 2)
    line = replay_line(sums)
    assert line.startswith(
        "After the first stretch, in 2 of 3 that tell an AUC, AUC frozen "
        "0.6750, updated 0.7750, retrained 0.8000: updating keeps 80.0% of"
    )
    assert replay_line(replay_sums(days)).startswith(
        "After the first stretch, AUC frozen 0.6750"
    )


def test_what_is_kept_of_the_log_loss():
    """Of a gain of 0.2, where retraining has one."""
    day = stretch(100, 0.6, 0.7, 0.8)
    for name, log_loss in (("frozen", 0.6), ("updated", 0.45)):
        day[name]["log_loss"] = log_loss
    day["retrained"]["log_loss"] = 0.4
    sums = replay_sums([FIRST, day])
    assert sums["log_loss_kept"] == pytest.approx(0.75)
    assert (
        "updating keeps 50.0% of retraining's gain, and 75.0% of that in log "
        "loss, for 10.0% of its examples." in replay_line(sums)
    )
    day["retrained"]["log_loss"] = 0.6
    assert "log loss" not in replay_line(replay_sums([FIRST, day]))


@pytest.mark.parametrize(
    ("stretches", "begins"),
    [
        ([FIRST], "One stretch tells nothing"),
        ([FIRST, QUIET], "No stretch after the first has rows with and"),
    ],
)
def test_nothing_is_said_of_what_no_stretch_tells(stretches, begins):
    line = replay_line(replay_sums(stretches))
    assert line.startswith(begins)
    assert "ahead" not in line
    assert "nan" not in line
    assert len(replay_table(stretches).splitlines()) == 1 + len(stretches)
