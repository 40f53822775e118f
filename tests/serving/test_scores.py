"""Answers by hand: probabilities, their correction and their bounds."""

import types

import numpy as np
import pytest

from tfadrec import layers, losses
from tfadrec.calibration import Calibration
from tfadrec.calibration.platt import Platt
from tfadrec.calibration.task_calibration import TaskCalibration
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.serving.scores import Scores


def scores(kept=1.0, **tasks):
    found = {name: losses.get(loss) for name, loss in tasks.items()}
    return Scores(types.SimpleNamespace(task_losses=found), kept)


def answer(made, **logits):
    logits = {k: tf.constant([v]) for k, v in logits.items()}
    found = made.answer(made.corrected(logits))
    return {k: float(v[0]) for k, v in found.items()}


def test_a_log_without_most_negatives_is_corrected():
    """Of 1,000 impressions 10 have a click; 99 of the others are kept.

    There the click rate is 10 / 109; it is .01 in truth. Of both clicks and
    conversions the probability is the product, and pcvr stays.
    """
    log_rate = np.log(10 / 99)
    found = answer(
        scores(0.1, clicked="binary", converted="binary"),
        clicked=log_rate,
        converted_if_clicked=0.0,
        converted=np.log(5 / 104),
    )
    assert found["pctr"] == pytest.approx(0.01, rel=1e-5)
    assert found["logits"] == pytest.approx(np.log(1 / 99), rel=1e-5)
    assert found["pcvr"] == 0.5
    assert found["pctcvr"] == found["score"]
    assert found["score"] == pytest.approx(0.005, rel=1e-5)


def test_a_whole_log_is_left_as_it_is():
    found = answer(scores(clicked="binary"), clicked=1.25)
    assert set(found) == {"logits", "pctr", "score"}
    assert found["logits"] == 1.25
    assert found["pctr"] == found["score"] == pytest.approx(0.7772999)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("binary", True),
        ("jrc", True),
        ({"binary": 0.1, "softmax": 1.0}, True),
        ("softmax", False),
        ("ranknet", False),
        ("lambda", False),
        ({"lambda": 1.0, "softmax": 1.0}, False),
    ],
)
def test_what_an_order_alone_makes_is_no_probability(loss, expected):
    """Unless something has fixed the level since."""
    ranker = types.SimpleNamespace(
        task_losses={"clicked": losses.get(loss)}, fold_in=None
    )
    assert Scores(ranker, 1.0).are_probabilities == expected
    curve = {"clicked": TaskCalibration("platt", Platt(1.0, 0.0))}
    assert Scores(ranker, 1.0, Calibration(curve)).are_probabilities
    other = Calibration({"shared": curve["clicked"]})
    assert Scores(ranker, 1.0, other).are_probabilities == expected
    ranker.fold_in = layers.FoldIn()
    ranker.fold_in.build(None)
    both = types.SimpleNamespace(
        task_losses=ranker.task_losses, rankers=[ranker, ranker]
    )
    for mixed in (False, True):
        for each in (ranker, both):
            made = Scores(each, 1.0).are_probabilities
            assert made == (expected or mixed)
        ranker.fold_in.mix.assign([0.5, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0])


@pytest.mark.parametrize("logit", [-1e30, -200.0, 200.0, 1e30])
def test_no_probability_is_0_or_1(logit):
    made = scores(clicked="binary", shared="binary")
    found = answer(made, clicked=logit, shared=logit)
    for name in ("pctr", "score", "shared"):
        assert 0 < found[name] < 1
        assert min(found[name], 1 - found[name]) == pytest.approx(1e-7, rel=0.2)


def test_a_real_label_is_answered_with_its_mean():
    made = scores(clicked="binary", watched="squared", pctr="binary")
    found = answer(made, clicked=0.0, watched=34.5, pctr=0.0)
    assert found["watched"] == 34.5
    # An answer keeps its name where a label has the same.
    assert found["pctr"] == found["pctr_label"] == 0.5
    assert made.means == ("logits", "watched")


def test_every_task_has_an_answer_of_its_own():
    """Whatever labels are called, in whatever order."""
    names = ("pctr", "pctr_label", "pctr_label_label", "score", "logits")
    for tasks in (names, names[::-1]):
        made = scores(clicked="binary", **dict.fromkeys(tasks, "squared"))
        values = {task: float(n) for n, task in enumerate(names)}
        found = answer(made, clicked=0.0, **values)
        assert len(found) == 3 + len(names)
        assert found["pctr_label"] == 1.0
        assert found["pctr_label_label"] == 2.0
        assert found["pctr_label_label_label"] == 0.0
        assert (found["score_label"], found["logits_label"]) == (3.0, 4.0)


def test_a_label_called_as_what_is_not_calibrated():
    """Calibrated logits are one more here."""

    def calibration(logits, codes):
        return {task: values + 1 for task, values in logits.items()}

    found = {n: losses.get("binary") for n in ("clicked", "raw_clicked")}
    ranker = types.SimpleNamespace(task_losses=found)
    made = Scores(ranker, 1.0, calibration)
    answers = answer(made, clicked=0.5, raw_clicked=-3.0)
    assert (answers["logits"], answers["raw_logits"]) == (1.5, 0.5)
    assert answers["raw_clicked"] == pytest.approx(1 / (1 + np.exp(2)))


def test_another_logit_of_a_click():
    """It is that of the log's impressions; here half of those without one."""
    made = scores(0.5, clicked="binary", converted="binary")
    after = {"clicked": 1.0, "converted": 0.0, "converted_if_clicked": 2.0}
    own = made.corrected({k: tf.constant(v) for k, v in after.items()})
    found = made.answer(made.with_clicks(own, lambda z: 3 * z - 1.5))
    assert float(found["logits"]) == pytest.approx(1.5 + np.log(0.5))
    pctr = 1 / (1 + 2 * np.exp(-1.5))
    assert float(found["pctr"]) == pytest.approx(pctr)
    assert float(found["pcvr"]) == pytest.approx(1 / (1 + np.exp(-2)))
    both = float(found["pctr"]) * float(found["pcvr"])
    assert float(found["score"]) == pytest.approx(both)


@pytest.mark.parametrize("tasks", [{"liked": "binary"}, {"clicked": "squared"}])
def test_a_ranker_without_click_probabilities(tasks):
    with pytest.raises(InputError, match="answers with click probabilities"):
        scores(**tasks)
