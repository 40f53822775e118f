"""SumOfLosses: what is added, what it predicts, and what is refused.

Its numbers, padding and saving are in test_every_loss.py.
"""

import math

import numpy as np
import pytest

from tfadrec import losses
from tfadrec.core.errors import InputError


def test_by_hand():
    # One binary loss of log 2 for each row, and half a softmax of log 2.
    loss = losses.SumOfLosses({"binary": 1.0, "softmax": 0.5})
    found = loss.per_row([[1.0, 0.0]], [[0.0, 0.0]])
    np.testing.assert_allclose(found, [[1.5 * math.log(2)] * 2], rtol=1e-6)


def test_pairs_of_losses_with_arguments():
    loss = losses.SumOfLosses(
        [({"class": "lambda", "k": 1}, 0.5), (losses.Huber(2.0), 1)]
    )
    assert loss.losses[0][0].k == 1
    assert loss.losses[1][0].delta == 2.0
    again = losses.SumOfLosses.from_config(loss.get_config())
    assert again.losses[0][0].k == 1
    assert again.get_config() == loss.get_config()


def test_its_name_is_what_it_adds():
    loss = losses.SumOfLosses({"binary": 1.0, "softmax": 0.5})
    assert loss.name == "binary_and_softmax"
    assert loss.get_config()["name"] == loss.name
    assert losses.SumOfLosses({"binary": 1}, name="own").name == "own"


@pytest.mark.parametrize(
    ("weights", "by_request", "is_binary", "is_calibrated"),
    [
        ({"binary": 1}, False, True, True),
        ({"softmax": 1, "binary": 1}, True, True, True),
        ({"softmax": 1, "ranknet": 1}, True, True, False),
        # Ordering the rows says nothing of the level: an amount stays one.
        ({"ranknet": 1, "squared": 1}, True, False, True),
        ({"huber": 1, "squared": 1}, False, False, True),
    ],
)
def test_what_it_is(weights, by_request, is_binary, is_calibrated):
    loss = losses.SumOfLosses(weights)
    assert loss.num_outputs == 1
    assert loss.by_request == by_request
    assert loss.is_binary == is_binary
    assert loss.is_calibrated == is_calibrated
    z = [[0.3, -2.0]]
    likeness = losses.get("binary" if is_binary else "squared")
    np.testing.assert_array_equal(loss.expected(z), likeness.expected(z))
    np.testing.assert_array_equal(loss.score(z), likeness.score(z))


def test_of_several_outputs():
    loss = losses.SumOfLosses([(losses.JRC(0.1), 1.0), (losses.JRC(0.9), 1.0)])
    assert loss.num_outputs == 2
    outputs = np.random.default_rng(0).normal(size=[2, 3, 2])
    labels = [[1, 0, 0], [0, 1, 1]]
    np.testing.assert_allclose(
        loss.per_row(labels, outputs),
        2 * losses.JRC(0.5).per_row(labels, outputs),
        rtol=1e-5,
    )
    np.testing.assert_array_equal(
        loss.score(outputs), losses.JRC().score(outputs)
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({}, "needs at least one loss. Received: none"),
        (
            {"binary": 1, "jrc": 1},
            "the same number of outputs. Received: num_outputs=1 of "
            "BinaryCrossEntropy, num_outputs=2 of JRC",
        ),
        (
            {"binary": 1, "softmax": 1, "huber": 1},
            "all predict probabilities, or all amounts. Received: "
            "is_binary=True of BinaryCrossEntropy, is_binary=False of Huber",
        ),
        ({"binary": 0}, "must be a finite number > 0. Received: 0"),
        ({"binary": -1.0}, "must be a finite number > 0. Received: -1.0"),
        ({"binary": math.nan}, "must be a finite number > 0. Received: nan"),
        ({"binary": math.inf}, "must be a finite number > 0. Received: inf"),
        ({"binary": True}, "must be a finite number > 0. Received: True"),
        ({"binary": "1"}, "must be a finite number > 0. Received: '1'"),
        ({"binary": None}, "must be a finite number > 0. Received: None"),
    ],
)
def test_what_cannot_be_added(wrong, message):
    with pytest.raises(InputError, match=message):
        losses.SumOfLosses(wrong)
