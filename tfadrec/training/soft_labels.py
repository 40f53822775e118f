"""What another model says of training rows, for a ranker to learn beside them.

With y the label, p the probability of another model, the teacher, and z the
logit of the one that learns, the loss of knowledge distillation at temperature
1 (Hinton, Vinyals and Dean, 2015, arXiv:1503.02531) is linear in its labels:

    (1 - a) H(y, z) + a H(p, z) = H((1 - a) y + a p, z)

with H the binary cross-entropy. So it takes no other loss, but other labels.
"""

import dataclasses

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.core.work_folder import WorkFolder
from tfadrec.data.dataset import Dataset
from tfadrec.losses import BinaryCrossEntropy
from tfadrec.models import RankingModel

#: The label that is imitated.
LABEL = "clicked"
#: What a teacher's probabilities count (`benchmarks/RESULTS.md`).
SHARE = 0.5
#: The file of them in a run's folder, float32 [n], of the training rows.
_KEPT = "teacher.npy"


def check_learns(model: RankingModel) -> None:
    """Refuses a model whose loss has no room for soft labels.

    Raises:
      InputError: where it learns no clicks, or not by binary cross-entropy, or
        where clicks weigh the rows of a task.
    """
    loss = model.task_losses.get(LABEL)
    if not isinstance(loss, BinaryCrossEntropy):
        raise InputError(
            "a ranker imitates another model by binary cross-entropy of "
            f"{LABEL!r}. Received: the loss {loss and loss.name!r} for it. "
            "Leave `losses` or `distil` out."
        )
    weighed = [t for t, name in model.row_weights.items() if name == LABEL]
    if weighed:
        raise InputError(
            "a label that is half another model's weighs no rows. Received: "
            f"`row_weights` of {LABEL!r} for {weighed[0]!r}. Leave "
            "`row_weights` or `distil` out."
        )


def keep(folder: WorkFolder, rows: Dataset, logits: np.ndarray) -> Dataset:
    """Rows whose label is half what was logged and half what is said of them.

    Args:
      folder: of the run, which is held; it keeps the probabilities.
      rows: with labels of 0 and 1.
      logits: float [n], the teacher's.
    """
    # Of large logits the exponential overflows, tanh does not.
    probs = (0.5 + 0.5 * np.tanh(logits / 2)).astype(np.float32)
    with folder.writing() as fresh:
        np.save(fresh / _KEPT, probs)
    return _mixed(rows, probs)


def kept(folder: WorkFolder, rows: Dataset) -> Dataset | None:
    """The rows as `keep` gave them; None where it has not.

    Raises:
      InputError: where the file is not as it was written.
    """
    if not folder.is_own(_KEPT):
        return None
    try:
        probs = np.load(folder.path / _KEPT, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise folder.damaged(_KEPT) from error
    if probs.shape != (len(rows),):
        raise folder.damaged(_KEPT)
    return _mixed(rows, probs)


def _mixed(rows: Dataset, probs: np.ndarray) -> Dataset:
    labels = dict(rows.impressions.labels)
    labels[LABEL] = (1 - SHARE) * labels[LABEL] + SHARE * probs
    impressions = dataclasses.replace(rows.impressions, labels=labels)
    return dataclasses.replace(rows, impressions=impressions)
