"""What a model is trained to make small: losses of rows, slates and pairs.

Each loss of a task is a `TaskLoss`; `get` finds one by its name. `GroupGap` is
a penalty beside them.
"""

from tfadrec.losses.binary_cross_entropy import BinaryCrossEntropy
from tfadrec.losses.get import get
from tfadrec.losses.group_gap import GroupGap
from tfadrec.losses.huber import Huber
from tfadrec.losses.in_batch_info_nce import InBatchInfoNCE
from tfadrec.losses.jrc import JRC
from tfadrec.losses.lambda_loss import LambdaLoss
from tfadrec.losses.rank_net import RankNet
from tfadrec.losses.softmax_cross_entropy import SoftmaxCrossEntropy
from tfadrec.losses.squared_error import SquaredError
from tfadrec.losses.sum_of_losses import SumOfLosses
from tfadrec.losses.task_loss import TaskLoss
from tfadrec.losses.zero_inflated_log_normal import ZeroInflatedLogNormal

__all__ = [
    "JRC",
    "BinaryCrossEntropy",
    "GroupGap",
    "Huber",
    "InBatchInfoNCE",
    "LambdaLoss",
    "RankNet",
    "SoftmaxCrossEntropy",
    "SquaredError",
    "SumOfLosses",
    "TaskLoss",
    "ZeroInflatedLogNormal",
    "get",
]
