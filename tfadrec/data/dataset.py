"""A dataset: catalogue, event log, impressions, and their batches."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.core.require_whole import require_whole
from tfadrec.core.schema import Schema
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.event_log import EventLog
from tfadrec.data.impressions import Impressions
from tfadrec.data.origin import Origin
from tfadrec.data.rate_table import RateTable
from tfadrec.data.slates import Slates
from tfadrec.data.user_keys import user_keys

if TYPE_CHECKING:
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Everything that a model is trained and tested on.

    Args:
      schema: the feature spec.
      catalogue: all ads.
      user_ids: [U] distinct ids; user `user_ids[i]` is row `i + 1`.
      users: the users' features, arrays [U + 1, ...] by their tensors' names;
        row 0 is a user of whom nothing is known.
      events: the event log.
      impressions: the labelled rows; a split holds some of them and shares
        the rest of the dataset.
      history_length: T of the batches, >= 0; of a longer history the newest
        events are read, as `NewestEvents` says.
      origin: the folder and the rows that these are of, where they are known.
      rates: what rates and counts are at the end of the whole log, by their
        tensors.
      user_keys: int64 [U + 1], what users are known by without a list of them;
        None for batches without them, see `with_user_keys`.
    """

    schema: Schema
    catalogue: Catalogue
    user_ids: np.ndarray
    users: Mapping[str, np.ndarray]
    events: EventLog
    impressions: Impressions
    history_length: int = 50
    origin: Origin | None = None
    rates: Mapping[str, RateTable] = dataclasses.field(default_factory=dict)
    user_keys: np.ndarray | None = None

    def __len__(self) -> int:
        """The number of impressions."""
        return len(self.impressions.ads)

    def select(self, rows: np.ndarray) -> "Dataset":
        """The same dataset with only some of its impressions."""
        origin = self.origin
        # Somebody may have replaced the impressions.
        if origin is not None and len(origin) != len(self):
            origin = None
        return dataclasses.replace(
            self,
            impressions=self.impressions.take(rows),
            origin=origin and origin.select(rows),
        )

    def __post_init__(self) -> None:
        require_whole(0, history_length=self.history_length)

    def with_history_length(self, history_length: int) -> "Dataset":
        """The same dataset with another T."""
        return dataclasses.replace(self, history_length=history_length)

    def with_catalogue(self, catalogue: Catalogue) -> "Dataset":
        """The same dataset with more columns in its catalogue."""
        return dataclasses.replace(self, catalogue=catalogue)

    def with_user_keys(self) -> "Dataset":
        """The same dataset, whose batches bring `user_key`.

        A `UserTower` with `ids` reads them. Slices of this dataset have them as
        well.
        """
        if self.user_keys is not None:
            return self
        return dataclasses.replace(self, user_keys=user_keys(self.user_ids))

    def read_by(self, model: Any) -> "Dataset":
        """The same dataset, with user keys where a model reads them.

        Args:
          model: has a `user_tower`.
        """
        return self if model.user_tower.ids is None else self.with_user_keys()

    def read_as(self, other: "Dataset") -> "Dataset":
        """The same dataset with the T of another, and user keys if it has them.

        Args:
          other: what a model was trained with.
        """
        found = self.with_history_length(other.history_length)
        return found if other.user_keys is None else found.with_user_keys()

    def batches(
        self,
        batch_size: int,
        *,
        by: Literal["row", "request"] = "row",
        seed: int | None = None,
        first_step: int = 0,
        max_candidates: int = 100,
    ) -> "tf.data.Dataset":
        """Batches of `(inputs, labels)` for `fit`, `evaluate` and `predict`.

        By request, an example is a request with all ads that were shown in it,
        so that the user's side is worked out once: `candidate_ads`, the
        features of candidates and the labels are [B, C], C being the largest
        request of the batch, and `candidate_mask`, bool [B, C], tells which
        places are real. Requests of like size come together: the passes of a
        seed are sorted by size within a few batches.

        Args:
          batch_size: B, >= 1, rows or requests.
          by: `row` or `request`.
          seed: None gives every example once, in order, the last batch smaller.
            A number gives an endless stream of full batches: pass after pass,
            each in an order of its own that depends on the seed and the number
            of the pass alone, so that it can be taken up at any step.
          first_step: the batch to begin with, where a seed is given.
          max_candidates: >= 1; a larger request becomes several.

        Returns:
          A `tf.data.Dataset` of pairs: the inputs of the data contract, and
          name -> float32 labels [B] or [B, C]; where rows have weights, of
          triples, with the weights, whose mean over the dataset is 1.

        Raises:
          InputError: where an argument is out of range, or rows of one request
            have different contexts.
        """
        from tfadrec.data import pipeline

        if by not in ("row", "request"):
            raise InputError(f"`by` must be row or request. Received: {by!r}.")
        users = dict(self.users)
        if self.user_keys is not None:
            users["user_key"] = self.user_keys
        return pipeline.batches(
            self.impressions,
            self.events,
            users,
            self.history_length,
            batch_size,
            skipped=self.schema.skipped,
            slates=self.slates(max_candidates) if by == "request" else None,
            context=self._context(),
            seed=seed,
            first_step=first_step,
        )

    def slates(self, max_candidates: int = 100) -> Slates:
        """The rows, put together as the requests that they were shown in.

        Args:
          max_candidates: >= 1; a larger request becomes several.

        Raises:
          InputError: where `max_candidates` is below 1, or rows of one request
            have different contexts.
        """
        return Slates.of(
            self.impressions, self._context(), max_candidates, self.events
        )

    def _context(self) -> list[str]:
        """The columns that belong to a request as a whole."""
        shared = {t for f in self.schema.of("context") for t in f.tensors}
        return sorted(shared & set(self.impressions.columns))
