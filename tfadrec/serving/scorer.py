"""Raw requests and rows of the catalogue to logits, and these to answers."""

from collections.abc import Callable, Mapping

from tfadrec.calibration import Calibration
from tfadrec.core.door import tf
from tfadrec.data.dataset import Dataset
from tfadrec.data.features import counted
from tfadrec.models.ranker_ensemble import Ranker
from tfadrec.serving.known_ads import KnownAds, NewAds
from tfadrec.serving.known_rates import KnownRates
from tfadrec.serving.request_reader import RequestReader
from tfadrec.serving.scores import Scores
from tfadrec.serving.traced_once import traced_once
from tfadrec.serving.untracked import Untracked

Tensors = dict[str, tf.Tensor]
#: What `Scorer.read_user` gives of a request.
UserSide = tuple[Tensors, Tensors]


class Scorer(tf.Module):
    """The ranker as a bundle asks it: of ads that are encoded already.

    Args:
      ranker: a built ranker.
      dataset: see `RequestReader`.
      ads: those of the bundle.
      calibration: of the ranker's logits, if there is one.

    Raises:
      InputError: see `Scores`.
    """

    def __init__(
        self,
        ranker: Ranker,
        dataset: Dataset,
        ads: KnownAds,
        calibration: Calibration | None = None,
    ) -> None:
        super().__init__()
        self._ranker = Untracked(ranker)
        self._scores = Untracked(
            Scores(ranker, dataset.schema.negatives_kept, calibration)
        )
        self.requests = RequestReader(dataset)
        self._rates = KnownRates(
            counted(dataset.schema.features), dataset.rates
        )
        self.ads = ads

    @property
    def ordered(self) -> str:
        """The logit that ads are ordered by."""
        return self._scores.value.ordered

    def read_rows(self, request: Mapping[str, tf.Tensor]) -> Tensors:
        """A raw request of one ad per user, as the ranker itself reads it.

        Args:
          request: raw, with candidates [B].

        Returns:
          The ranker's inputs, ads as rows of the catalogue: `history_ads`
          [B, T], and candidates and their features [B, 1, ...].
        """
        slates = self._as_slates(request)
        inputs, history = self.requests.read_user(request)
        inputs |= self.requests.read_candidates(slates)
        rows = self.ads.rows(slates["candidate_ads"])
        inputs = self._rates.fill(inputs, self.ads.of_rows(rows), rows)
        ads = {"history_ads": self.ads.rows(history), "candidate_ads": rows}
        return inputs | ads

    def read_user(
        self, request: Mapping[str, tf.Tensor], new: NewAds | None = None
    ) -> UserSide:
        """The user's side as the ranker reads it, and the encoded history.

        Args:
          request: raw.
          new: ads that the history may name.
        """
        inputs, ads = self.requests.read_user(request)
        parts = self._ranker.value.ad_tower.history_parts
        return inputs, self.ads.of_ids(ads, parts, new)

    def rank(
        self, inputs: Tensors, history: Tensors, rows: tf.Tensor
    ) -> Tensors:
        """Corrected logits of rows [B, C] of the catalogue; see `Scores`.

        Args:
          inputs: as from `read_user`, with the features of candidates.
          history: as from `read_user`.
          rows: int32 [B, C].
        """
        return self.rank_ads(inputs, history, self.ads.of_rows(rows), rows)

    @traced_once
    def rank_ads(
        self, inputs: Tensors, history: Tensors, ads: Tensors, rows: tf.Tensor
    ) -> Tensors:
        """The same of ads [B, C] that are given as the tower's parts."""
        return self._logits(inputs, history, ads, rows)

    def _logits(self, inputs, history, ads, rows):
        inputs = self._rates.fill(inputs, ads, rows)
        logits = self._ranker.value.rank(inputs, history, ads)
        scores = self._scores.value
        codes = None
        if scores.field is not None:
            known = ads if scores.field in ads else inputs
            codes = known[scores.field]
            if codes.shape.rank == 1:  # of users and requests
                codes = codes[:, None]
        return scores.corrected(logits, codes)

    def rank_alike(
        self, inputs: Tensors, history: Tensors, rows: tf.Tensor
    ) -> tf.Tensor:
        """What the same ads are ordered by for each user, float32 [B, n].

        Nothing is known of the features of candidates.

        Args:
          inputs: as from `read_user`.
          history: as from `read_user`.
          rows: int32 [n].
        """
        shape = tf.stack([tf.shape(inputs["user_id"])[0], tf.size(rows)])
        inputs = inputs | self.requests.no_candidates(shape)
        rows = tf.broadcast_to(rows, shape)
        return self.rank(inputs, history, rows)[self.ordered]

    @traced_once
    def score(self, request: Mapping[str, tf.Tensor]) -> Tensors:
        """Answers a raw request of one ad per user.

        Args:
          request: raw, with candidates [B].

        Returns:
          As from `Scores.answer`, float32 [B].
        """
        slates = self._as_slates(request)
        inputs, history = self.read_user(request)
        inputs |= self.requests.read_candidates(slates)
        rows = self.ads.rows(slates["candidate_ads"])
        # A graph of its own: a `DIN` reads one ad otherwise than many.
        logits = self._logits(inputs, history, self.ads.of_rows(rows), rows)
        scored = self.answer(logits)
        return {name: values[:, 0] for name, values in scored.items()}

    @traced_once
    def score_slate(
        self, request: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, Tensors]:
        """Answers a raw request of many ads per user.

        Args:
          request: raw, with candidates [B, C].

        Returns:
          The candidates' rows, int32 [B, C], and as from `Scores.answer`,
          float32 [B, C].
        """
        rows, logits = self.rank_slate(request)
        return rows, self.answer(logits)

    def rank_slate(
        self, request: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, Tensors]:
        """The same with corrected logits in place of an answer."""
        rows = self.ads.rows(request["candidate_ads"])
        inputs, history = self.read_user(request)
        inputs |= self.requests.read_candidates(request)
        return rows, self.rank(inputs, history, rows)

    def _as_slates(self, request):
        """The candidates of one ad per user, [B, 1]."""
        one = self.requests.candidate_specs(1)
        return {name: request[name][:, None] for name in one}

    def answer(self, logits: Mapping[str, tf.Tensor]) -> Tensors:
        """See `Scores.answer`."""
        return self._scores.value.answer(logits)

    def with_clicks(
        self,
        logits: Mapping[str, tf.Tensor],
        change: Callable[[tf.Tensor], tf.Tensor],
    ) -> Tensors:
        """See `Scores.with_clicks`."""
        return self._scores.value.with_clicks(logits, change)

    def encode_user(self, request: Mapping[str, tf.Tensor]) -> Tensors:
        """What the user tower makes of users, whatever the candidates.

        Args:
          request: raw, without candidates.

        Returns:
          The user tower's dict.
        """
        return self.encode_side(*self.read_user(request))

    def encode_side(self, inputs: Tensors, history: Tensors) -> Tensors:
        """The same of what `read_user` gives."""
        # An encoder that looks at candidates answers for both of them.
        slate = [tf.shape(inputs["user_id"])[0], 2]
        vectors = tf.zeros([*slate, self.ads.width], history["vector"].dtype)
        nothing = {"vector": vectors}
        for kind in self._ranker.value.ad_tower.kind:
            nothing[kind] = tf.zeros(slate, tf.int32)
        return self._ranker.value.encode_user(inputs, history, nothing)
