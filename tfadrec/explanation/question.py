"""What a ranker is asked: a user's side and one ad, taken apart."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.data.dataset import Dataset
from tfadrec.data.features import counted, missing_like
from tfadrec.data.known_id import check_known_id
from tfadrec.explanation.scopes import Scopes
from tfadrec.explanation.tensors import (
    NO_FEATURES,
    candidate_inputs,
    event_inputs,
)
from tfadrec.models import AdRanker
from tfadrec.models.candidate_features import CandidateFeatures
from tfadrec.ops import lookup, watched
from tfadrec.serving.known_rates import KnownRates
from tfadrec.serving.request_reader import RequestReader
from tfadrec.serving.requests import request_for_user, with_candidates

Tensors = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Question:
    """Requests for one ad each, with the columns of all ads read.

    A ranker's own call reads an ad that comes twice in a batch once. Here each
    place of a history has columns of its own, so that one event can be changed
    and the others not.

    Args:
      inputs: of the ranker, the user's side [B, ...], and the features of
        candidates [B, 1, ...]; `history_ads` and `candidate_ads` are kept, and
        not read again.
      history: what `AdTower.columns` gives of the history, [B, T, ...].
      ads: the same of the candidates, [B, 1, ...].
    """

    inputs: Tensors
    history: Tensors
    ads: Tensors

    @classmethod
    def of_inputs(cls, ranker: AdRanker, inputs: Tensors) -> "Question":
        """Reads the ads of what a batch holds.

        Args:
          ranker: built.
          inputs: of the data contract, `candidate_ads` [B] or [B, 1].

        Raises:
          InputError: where the ranker is the average of several.
        """
        if not isinstance(ranker, AdRanker):
            raise InputError(
                "one ranker is explained at a time. Received: a "
                f"{type(ranker).__name__}, the average of several. Explain a "
                "run without `ensemble`."
            )
        if inputs["candidate_ads"].shape.rank == 1:
            inputs = CandidateFeatures(ranker.candidate).as_slates(inputs)
            rows = inputs["candidate_ads"][:, None]
            inputs = {**inputs, "candidate_ads": rows}
        tower = ranker.ad_tower
        return cls(
            inputs,
            _columns(tower, inputs["history_ads"]),
            _columns(tower, inputs["candidate_ads"]),
        )

    @classmethod
    def of_user(
        cls, ranker: AdRanker, dataset: Dataset, user: str | int, ad: str | int
    ) -> "Question":
        """One request, as of the end of the log, as `recommend` asks it.

        Args:
          ranker: built.
          dataset: that of the run.
          user: the id of one of its users.
          ad: the id of one of its ads.

        Raises:
          InputError: where the dataset has no such user or ad.
        """
        user, ad = dataset.schema.user_id(user), dataset.schema.ad_id(ad)
        ids = dataset.catalogue.ad_ids
        check_known_id("user", user, dataset.user_ids)
        check_known_id("ad", ad, ids)
        request = _tensors(request_for_user(dataset, user))
        reader = RequestReader(dataset)
        inputs, history = reader.read_user(request)
        slate = with_candidates(dataset, request, np.array([[ad]], ids.dtype))
        inputs |= reader.read_candidates(_tensors(slate))
        inputs["history_ads"] = _rows(dataset, history)
        inputs["candidate_ads"] = _rows(dataset, slate["candidate_ads"])
        asked = cls.of_inputs(ranker, inputs)
        rates = KnownRates(counted(dataset.schema.features), dataset.rates)
        filled = rates.fill(inputs, asked.ads, inputs["candidate_ads"])
        return dataclasses.replace(asked, inputs=filled)

    def __len__(self) -> int:
        """B, the number of requests."""
        return int(self.inputs["user_id"].shape[0])

    @property
    def real(self) -> np.ndarray:
        """Which places of the histories hold an event, bool [B, T]."""
        time = self.inputs["history_events"].shape[1]
        lengths = self.inputs["history_length"].numpy()
        return np.arange(time) < lengths[:, None]

    def score(
        self, ranker: AdRanker, scopes: Scopes | None = None
    ) -> dict[str, Any]:
        """The ranker's answers, task -> float32 [B].

        Args:
          ranker: built.
          scopes: watches what enters the ranker.
        """
        scopes = scopes or Scopes()
        tower = ranker.ad_tower
        with watched.watching(scopes.of("history")):
            history = tower.encode_columns(dict(self.history))
        with watched.watching(scopes.of("ad")):
            ads = tower.encode_columns(dict(self.ads))
        with watched.watching(scopes.of("request")):
            answers = ranker.rank(dict(self.inputs), history, ads)
        return {task: tf.squeeze(v, 1) for task, v in answers.items()}

    def unknown(self, ranker: AdRanker) -> "Question":
        """The same of a user, events, a request and ads that nobody knows.

        Histories keep their lengths: an event of unknown type and age, of an
        unknown ad, stands in the place of each.

        Args:
          ranker: built.
        """
        places = event_inputs(ranker) | candidate_inputs(ranker)
        inputs = {
            name: tf.zeros_like(values)
            if name in NO_FEATURES
            else _missing(values, 2 if name in places else 1)
            for name, values in self.inputs.items()
        }
        inputs["history_length"] = self.inputs["history_length"]
        return Question.of_inputs(ranker, inputs)

    def repeat(self, times: int) -> "Question":
        """Each request some times, one after the other, [B times]."""
        return self._map(lambda values: tf.repeat(values, times, axis=0))

    def take(self, rows: np.ndarray) -> "Question":
        """Some of the requests, by their places."""
        return self._map(lambda values: tf.gather(values, rows))

    def without(self, ranker: AdRanker, gone: np.ndarray) -> "Question":
        """The same without some events, the others closing up.

        Args:
          ranker: built.
          gone: bool [B, T], the events to take out.
        """
        kept = self.real & ~gone
        # Those that are kept come first, in their order.
        order = np.argsort(~kept, axis=1, kind="stable").astype(np.int32)

        def close_up(values):
            return tf.gather(values, order, batch_dims=1)

        of_events = event_inputs(ranker)
        inputs = {
            name: close_up(values) if name in of_events else values
            for name, values in self.inputs.items()
        }
        length = kept.sum(axis=1).astype(np.int32)
        inputs["history_length"] = tf.constant(length)
        history = {n: close_up(values) for n, values in self.history.items()}
        return Question(inputs, history, self.ads)

    def _map(self, change) -> "Question":
        return Question(
            *(
                {name: change(values) for name, values in part.items()}
                for part in (self.inputs, self.history, self.ads)
            )
        )


def _columns(tower, rows) -> dict[str, Any]:
    """The columns of rows [...], each distinct ad read once."""
    distinct, places = lookup.distinct(tf.reshape(rows, [-1]), tower.num_rows)
    places = tf.reshape(places, tf.shape(rows))
    return {
        name: tf.gather(values, places)
        for name, values in tower.columns(distinct).items()
    }


def _tensors(request: Tensors) -> dict[str, Any]:
    return {name: tf.convert_to_tensor(v) for name, v in request.items()}


def _rows(dataset: Dataset, ids: Any) -> Any:
    """Catalogue rows of ids [...]."""
    ids = np.asarray(ids)
    flat = [i.decode() if isinstance(i, bytes) else i for i in ids.ravel()]
    kind = pa.string() if dataset.schema.ad_id_type == "string" else pa.int64()
    rows = dataset.catalogue.rows(pa.array(flat, kind))
    return tf.constant(rows.reshape(ids.shape))


def _missing(values, axes: int):
    """Missing values in place of some, whose first `axes` axes are places."""
    behind = [1] * (values.shape.rank - axes)
    one = np.zeros([1, *behind], values.dtype.as_numpy_dtype)
    nothing = missing_like({"it": one})["it"].ravel()[0]
    return tf.fill(tf.shape(values), tf.constant(nothing, values.dtype))
