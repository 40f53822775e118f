"""The losses by the names that settings give them."""

import inspect
from collections.abc import Mapping
from typing import Any

from tfadrec.core.errors import InputError
from tfadrec.core.nearest import nearest
from tfadrec.core.ranges import LossName
from tfadrec.losses.binary_cross_entropy import BinaryCrossEntropy
from tfadrec.losses.huber import Huber
from tfadrec.losses.jrc import JRC
from tfadrec.losses.lambda_loss import LambdaLoss
from tfadrec.losses.rank_net import RankNet
from tfadrec.losses.softmax_cross_entropy import SoftmaxCrossEntropy
from tfadrec.losses.squared_error import SquaredError
from tfadrec.losses.task_loss import TaskLoss
from tfadrec.losses.zero_inflated_log_normal import ZeroInflatedLogNormal

#: name -> class.
NAMES: dict[LossName, type[TaskLoss]] = {
    "binary": BinaryCrossEntropy,
    "squared": SquaredError,
    "huber": Huber,
    "ziln": ZeroInflatedLogNormal,
    "softmax": SoftmaxCrossEntropy,
    "ranknet": RankNet,
    "lambda": LambdaLoss,
    "jrc": JRC,
}


def named(loss: Any) -> TaskLoss:
    """One loss by its name, or by `{"class": name, **arguments}`.

    Args:
      loss: a name of `NAMES`, such a mapping, or a loss, which is given back.

    Returns:
      The loss.

    Raises:
      InputError: where there is no such loss, or it has no such argument.
    """
    if isinstance(loss, TaskLoss):
        return loss
    name, arguments = loss, {}
    if isinstance(loss, Mapping):
        arguments = dict(loss)
        name = arguments.pop("class", None)
    if not isinstance(name, str) or name not in NAMES:
        raise InputError(
            f"A loss must be one of {', '.join(NAMES)}, or a loss of "
            f"tfadrec.losses. Received: {loss!r}. Correct the name."
            f"{nearest([name], NAMES)}"
        )
    known = set(inspect.signature(NAMES[name]).parameters) - {"kwargs", "name"}
    if unknown := sorted(set(arguments) - known):
        raise InputError(
            f"The loss {name!r} takes "
            f"{', '.join(sorted(known)) or 'no arguments'}. Received: "
            f"{', '.join(map(str, unknown))}. Correct or remove it."
        )
    return NAMES[name](**arguments)
