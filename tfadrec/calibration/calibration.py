"""What makes a ranker's logits probabilities: of all tasks, kept as a file."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tfadrec.calibration.task_calibration import TaskCalibration
from tfadrec.core.errors import InputError
from tfadrec.core.read_json import read_json
from tfadrec.core.work_folder import WorkFolder
from tfadrec.data.dataset import Dataset
from tfadrec.ops import probability
from tfadrec.runs.folder import CALIBRATION

_COMPOSED = ("clicked", "converted_if_clicked")


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Calibrates the logits of a ranker, for evaluation and in a served graph.

    Logits are those of the impressions in the log. Where a log leaves out
    impressions without a click, `Scores` corrects for that afterwards.

    Where a ranker composes conversions of clicks and of conversions of the
    clicked, these two are calibrated, and their product is worked out again.

    Args:
      tasks: task -> its calibration.
      field: the tensor's name of a category by whose values logits are shifted,
        or None.
      until: the time of the newest row that it was learned from, in seconds
        since 1970, or None where that is not known.
    """

    tasks: Mapping[str, TaskCalibration]
    field: str | None = None
    until: int | None = None

    def __call__(
        self, logits: Mapping[str, tf.Tensor], codes: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Calibrated logits of all tasks that there are; others as they are.

        Args:
          logits: task -> float [...], as a ranker gives them.
          codes: int [...], the value of the field, or what broadcasts to that.
        """
        found = dict(logits)
        for task, calibration in self.tasks.items():
            if task in found:
                found[task] = calibration(found[task], codes)
        if all(task in self.tasks and task in found for task in _COMPOSED):
            clicked, converted = (found[task] for task in _COMPOSED)
            found["converted"] = probability.logit_of_product(
                clicked, converted
            )
        return found

    def of_rows(
        self, logits: Mapping[str, NDArray], dataset: Dataset
    ) -> dict[str, NDArray]:
        """Calibrated predictions for the rows of a dataset.

        Args:
          logits: task -> [n], as `predict` gives them.
          dataset: the rows.
        """
        codes = self.codes_of(dataset)
        tensors = {task: tf.constant(z) for task, z in logits.items()}
        known = None if codes is None else tf.constant(codes)
        return {t: z.numpy() for t, z in self(tensors, known).items()}

    def codes_of(self, dataset: Dataset) -> NDArray[np.int32] | None:
        """The value of the field in each row, [n], or None without a field.

        Raises:
          InputError: where the dataset has no such field.
        """
        if self.field is None:
            return None
        return codes_of(dataset, self.field)

    def save(self, folder: WorkFolder) -> None:
        """Writes the file into a run's folder, which is held."""
        tasks = {task: c.to_dict() for task, c in self.tasks.items()}
        values = {"field": self.field, "tasks": tasks, "until": self.until}
        folder.write_text(CALIBRATION, json.dumps(values, indent=1))

    @staticmethod
    def remove(folder: WorkFolder) -> None:
        """Removes the file from a run's folder, which is held."""
        folder.remove([CALIBRATION])

    @classmethod
    def load(cls, run: str | pathlib.Path) -> "Calibration | None":
        """Reads the file of a run's folder; None where there is none.

        Raises:
          InputError: where it cannot be read.
        """
        file = pathlib.Path(run, CALIBRATION)
        if not file.exists():
            return None
        try:
            found = read_json(file)
            return cls(
                {
                    task: TaskCalibration.from_dict(values)
                    for task, values in found["tasks"].items()
                },
                found["field"],
                found.get("until"),  # earlier files lack it
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
            raise InputError(
                "a run's calibration.json must hold a calibration. Received: "
                f"{file}, which does not. Remove it, or write it again with "
                "`tfadrec calibrate`."
            ) from e


def codes_of(dataset: Dataset, field: str) -> NDArray[np.int32]:
    """The code of a category in each row of a dataset, [n], 0 = unknown.

    Args:
      dataset: the rows.
      field: the tensor's name of a category of ads, users, requests or
        candidates.

    Raises:
      InputError: where there is none.
    """
    rows = dataset.impressions
    known = {
        feature.tensor: feature.entity
        for feature in dataset.schema.features
        if feature.kind == "category" and feature.entity != "event"
    }
    if field not in known:
        raise InputError(
            "a calibration by field reads a category of ads, users, requests "
            f"or candidates. Received: {field!r}; there are "
            f"{', '.join(known) or 'none'}."
        )
    if known[field] == "ad":
        # Row 0 is the unknown ad.
        of_ads = dataset.catalogue.columns[field]
        return np.concatenate([[0], of_ads]).astype(np.int32)[rows.ads]
    if known[field] == "user":
        return np.asarray(dataset.users[field])[rows.users]
    return np.asarray(rows.columns[field])
