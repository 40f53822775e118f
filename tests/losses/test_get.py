"""Losses from what settings say."""

import typing

import pytest

from tfadrec import losses
from tfadrec.core.door import keras
from tfadrec.core.errors import InputError
from tfadrec.core.ranges import REAL_LOSSES, LossName


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("binary", losses.BinaryCrossEntropy),
        ("squared", losses.SquaredError),
        ("huber", losses.Huber),
        ("ziln", losses.ZeroInflatedLogNormal),
        ("softmax", losses.SoftmaxCrossEntropy),
        ("ranknet", losses.RankNet),
        ("lambda", losses.LambdaLoss),
        ("jrc", losses.JRC),
    ],
)
def test_by_name(name, kind):
    loss = losses.get(name)
    assert type(loss) is kind
    assert loss.name == name
    assert type(losses.get({"class": name})) is kind


def test_which_are_of_amounts():
    names = typing.get_args(LossName)
    assert {n for n in names if not losses.get(n).is_binary} == REAL_LOSSES


def test_with_arguments():
    assert losses.get({"class": "huber", "delta": 2.5}).delta == 2.5
    assert losses.get({"class": "lambda", "k": 10}).k == 10
    assert losses.get({"class": "jrc", "alpha": 0.9}).alpha == 0.9


def test_a_loss_is_given_back():
    loss = losses.RankNet()
    assert losses.get(loss) is loss


def test_a_sum():
    loss = losses.get({"binary": 1.0, "softmax": 0.3})
    assert isinstance(loss, losses.SumOfLosses)
    assert [(type(part), weight) for part, weight in loss.losses] == [
        (losses.BinaryCrossEntropy, 1.0),
        (losses.SoftmaxCrossEntropy, 0.3),
    ]


NAMES = "binary, squared, huber, ziln, softmax, ranknet, lambda, jrc"


@pytest.mark.parametrize(
    "wrong",
    [
        "binry",
        None,
        3,
        {"class": "binry"},
        {"class": None},
        {"class": ["binary"]},
        {"binry": 1.0},
        {3: 1.0},
        keras.losses.BinaryCrossentropy(from_logits=True),
    ],
)
def test_an_unknown_loss_is_refused_with_the_names(wrong):
    message = f"must be one of {NAMES}, .*Received"
    with pytest.raises(InputError, match=message) as error:
        losses.get(wrong)
    meant = "Did you mean binary?" in str(error.value)
    assert meant == ("'bin" in repr(wrong))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"class": "huber", "dleta": 1.0},
            "The loss 'huber' takes delta. Received: dleta. Correct",
        ),
        (
            {"class": "binary", "k": 1},
            "The loss 'binary' takes no arguments. Received: k.",
        ),
    ],
)
def test_an_unknown_argument_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        losses.get(wrong)


def test_settings_are_checked_against_all_names():
    assert typing.get_args(LossName) == tuple(losses.named.NAMES)
