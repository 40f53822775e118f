"""A dataset in memory: catalogue, event log, impressions, and their batches."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from tfadrec.core.schema import Schema
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.event_log import EventLog
from tfadrec.data.impressions import Impressions

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Everything that a model is trained and tested on.

    Args:
      schema: the feature spec.
      catalogue: all ads.
      user_ids: [U] distinct ids; user `user_ids[i]` is row `i + 1`.
      events: the event log.
      impressions: the labelled rows; a split holds some of them and shares
        the rest of the dataset.
      history_length: T of the batches, >= 0; a longer history keeps its newest
        events.
    """

    schema: Schema
    catalogue: Catalogue
    user_ids: np.ndarray
    events: EventLog
    impressions: Impressions
    history_length: int = 50

    def __len__(self) -> int:
        """The number of impressions."""
        return len(self.impressions.ads)

    def select(self, rows: np.ndarray) -> "Dataset":
        """The same dataset with only some of its impressions."""
        return dataclasses.replace(
            self, impressions=self.impressions.take(rows)
        )

    def with_history_length(self, history_length: int) -> "Dataset":
        """The same dataset with another T."""
        return dataclasses.replace(self, history_length=history_length)

    def with_catalogue(self, catalogue: Catalogue) -> "Dataset":
        """The same dataset with more columns in its catalogue."""
        return dataclasses.replace(self, catalogue=catalogue)

    def batches(
        self,
        batch_size: int,
        *,
        seed: int | None = None,
        first_step: int = 0,
    ) -> "tf.data.Dataset":
        """Batches of `(inputs, labels)` for `fit`, `evaluate` and `predict`.

        Args:
          batch_size: B, >= 1.
          seed: None gives every row once, in order, the last batch smaller.
            A number gives an endless stream of full batches: pass after pass,
            each in an order of its own that depends on the seed and the number
            of the pass alone, so that it can be taken up at any step.
          first_step: the batch to begin with, where a seed is given.

        Returns:
          A `tf.data.Dataset` of pairs: the inputs of the data contract, and
          name -> float32 [B] labels.
        """
        from tfadrec.data import pipeline

        return pipeline.batches(
            self.impressions,
            self.events,
            self.history_length,
            batch_size,
            seed,
            first_step,
        )
