"""A loss from what settings say."""

from collections.abc import Mapping
from typing import Any

from tfadrec.losses.named import named
from tfadrec.losses.sum_of_losses import SumOfLosses
from tfadrec.losses.task_loss import TaskLoss


def get(loss: Any) -> TaskLoss:
    """The loss of a task, from what settings say.

    Args:
      loss: a name (`binary`, `squared`, `huber`, `ziln`, `softmax`, `ranknet`,
        `lambda` or `jrc`); a mapping `{"class": name, **arguments}`; a mapping
        name -> weight, for the sum of several; or a loss of this package, which
        is given back.

    Returns:
      The loss.

    Raises:
      InputError: where a name, an argument or a weight is wrong.

    Example:
      >>> get("binary").num_outputs
      1
      >>> get({"class": "huber", "delta": 2.0}).delta
      2.0
      >>> get({"binary": 1.0, "softmax": 0.3}).by_request
      True
    """
    if isinstance(loss, Mapping) and "class" not in loss:
        return SumOfLosses(loss)
    return named(loss)
