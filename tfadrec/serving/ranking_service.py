"""Where a request is answered: raw ids in, probabilities out."""

import numpy as np

from tfadrec.core.door import tf
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.copy.text_vectors import TextEncoder
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRanker
from tfadrec.serving import best_ads
from tfadrec.serving.ad_reader import NEW, AdReader
from tfadrec.serving.catalogue_tables import catalogue_tables
from tfadrec.serving.examples import parse_examples
from tfadrec.serving.known_ads import KnownAds
from tfadrec.serving.request_reader import RequestReader
from tfadrec.serving.scores import Scores
from tfadrec.serving.untracked import Untracked


class RankingService(tf.Module):
    """The signatures of a bundle, built from the schema.

    Ads are encoded once, when the service is made: a request only gathers their
    vectors. Only ads that the catalogue does not have are encoded in the
    request, from the columns that it gives. All look-ups are core TensorFlow
    ops.

    A request is the data contract's dict with raw values: ids of the dataset's
    types, event types as strings, ages in seconds, and features as
    `serving.readers` reads them. Histories come oldest first; of a longer one
    the newest T events are read. What is unknown has an answer: an unknown user
    is the average user, an unknown ad (in a history or as a candidate) has no
    text and no features, an unknown event type or category is like a missing
    one.

    Args:
      ranker: a built ranker.
      dataset: gives schema, catalogue, users and T; its rows are not read.
      tokenizer: see `AdReader`.
      encoder: see `AdReader`.
      more: ads beside the catalogue's, encoded by their columns with the
        unknown id.

    Attributes:
      reader: of new ads.

    Raises:
      InputError: where the ranker gives no click probabilities, or does not fit
        the encoder or the schema.
    """

    def __init__(
        self,
        ranker: AdRanker,
        dataset: Dataset,
        *,
        tokenizer: Tokenizer | None = None,
        encoder: TextEncoder | None = None,
        more: Catalogue | None = None,
    ) -> None:
        super().__init__()
        self._scores = Untracked(Scores(ranker, dataset.schema.negatives_kept))
        self._ranker = Untracked(ranker)
        self.reader = AdReader(
            ranker, dataset.schema.of("ad"), tokenizer, encoder
        )
        self._requests = RequestReader(dataset)
        ids = [dataset.catalogue.ad_ids, *([more.ad_ids] if more else [])]
        self._ads = KnownAds(
            np.concatenate(ids), catalogue_tables(ranker, more)
        )
        self._weights: list[tf.Variable] = []

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The bundle's signatures by name, with their input specs."""
        user = self._requests.user_specs()
        slates = user | self._requests.candidate_specs(2)
        ads = slates["candidate_ads"].dtype
        # One per row, scalars too: a server merges requests along this axis.
        choice = {
            "exclude_ads": tf.TensorSpec([None, None], ads, "exclude_ads"),
            "exclude_history": tf.TensorSpec(
                [None], tf.bool, "exclude_history"
            ),
            "k": tf.TensorSpec([None], tf.int32, "k"),
        }
        bids = {"bids": tf.TensorSpec([None, None], tf.float32, "bids")}
        specs = {
            "serving_default": (
                self.score,
                user | self._requests.candidate_specs(1),
            ),
            "score_slate": (self.score_slate, slates),
            "serve_examples": (
                self.serve_examples,
                {"examples": tf.TensorSpec([None], tf.string, "examples")},
            ),
            "recommend": (self.recommend, user | choice),
            "recommend_from": (self.recommend_from, slates | choice | bids),
            "encode_user": (self.encode_user, user),
        }
        if self.reader.specs(1):
            new = {"new_ads": tf.TensorSpec([None, None], ads, "new_ads")}
            specs["encode_ads"] = (
                self.encode_ads,
                self.reader.specs(1, as_tokens=True),
            )
            specs["score_new_ads"] = (
                self.score_new_ads,
                slates
                | new
                | self.reader.specs(
                    2, as_tokens=not self.reader.reads_text, prefix=NEW
                ),
            )
        if self.reader.reads_text:
            specs["encode_ads_text"] = (self.encode_ads, self.reader.specs(1))
        signatures = {
            name: tf.function(method, autograph=False).get_concrete_function(
                **inputs
            )
            for name, (method, inputs) in specs.items()
        }
        # What is read of ranker and encoder; not the ad tower's tables.
        read = {
            variable.ref(): variable
            for signature in signatures.values()
            for variable in signature.graph.variables
        }
        self._weights = list(read.values())
        return signatures

    def score(self, **request) -> dict[str, tf.Tensor]:
        """Scores one ad per row.

        Args:
          **request: user, history and context; `candidate_ads`, ids, and the
            features of candidates; leading axis [B].

        Returns:
          As from `Scores.answer`, float32 [B].
        """
        one = self._requests.candidate_specs(1)
        slates = {name: request[name][:, None] for name in one}
        scored = self.score_slate(**(request | slates))
        return {name: values[:, 0] for name, values in scored.items()}

    def score_slate(self, **request) -> dict[str, tf.Tensor]:
        """Scores many ads per user, whose side is worked out once.

        Args:
          **request: user, history and context, leading axis [B];
            `candidate_ads`, ids, and the features of candidates, leading axes
            [B, C]; shorter slates may be filled up with anything, as no ad's
            score depends on the others.

        Returns:
          As from `Scores.answer`, float32 [B, C].
        """
        rows = self._ads.rows(request["candidate_ads"])
        return self._answer(self._rank_slate(request, rows))

    def score_new_ads(self, *, new_ads, **request) -> dict[str, tf.Tensor]:
        """Scores many ads per user, some of which the request brings along.

        Args:
          new_ads: ad ids [B, M]. One that the catalogue has is read from there;
            of one that comes twice in a row, the first counts.
          **request: as for `score_slate`, whose history and candidates may name
            new ads too; and the columns of the new ads, with the prefix `new_`,
            leading axes [B, M].

        Returns:
          As from `Scores.answer`, float32 [B, C].

        Raises:
          tf.errors.InvalidArgumentError: where a new ad lacks a column's value.
        """
        columns = {
            name: request[NEW + name]
            for name in self.reader.specs(
                2, as_tokens=not self.reader.reads_text
            )
        }
        rule = "every column of new ads must have a value for each of new_ads"
        checks = [
            tf.debugging.assert_equal(
                tf.shape(values)[:2], tf.shape(new_ads), message=rule
            )
            for values in columns.values()
        ]
        with tf.control_dependencies(checks):
            new = (new_ads, self.reader(columns))
        inputs, history = self._read(request, new)
        inputs |= self._requests.read_candidates(request)
        ads = self._ads.of_ids(request["candidate_ads"], self._ads.parts, new)
        logits = self._ranker.value.rank(inputs, history, ads)
        return self._answer(self._scores.value.corrected(logits))

    def encode_ads(self, **columns) -> dict[str, tf.Tensor]:
        """Encodes ads that the catalogue does not have.

        Args:
          **columns: of the ads, leading axis [n]; see `AdReader`.

        Returns:
          `vector`, float32 [n, D], their sum `fields`, float32 [n, N, D] (as
          the unknown id's), and `bias`, float32 [n].
        """
        encoded = self.reader(columns)
        return {
            name: tf.cast(encoded[name], tf.float32)
            for name in ("vector", "fields", "bias")
        }

    def encode_user(self, **request) -> dict[str, tf.Tensor]:
        """Encodes users.

        Args:
          **request: user, history and context, leading axis [B].

        Returns:
          `events`, float32 [B, T, D], the user vectors that a matching layer
          reads, of the newest T events; `mask`, bool [B, T]; `bias`, float32
          [B]; and where the behaviour encoder does not look at candidates
          `user`, float32 [B, D].
        """
        inputs, history = self._read(request)
        # An encoder that looks at candidates answers for both of them.
        slate = [tf.shape(request["user_id"])[0], 2]
        vectors = tf.zeros([*slate, self._ads.width], history["vector"].dtype)
        nothing = {"vector": vectors}
        if "category" in history:
            nothing["category"] = tf.zeros(slate, tf.int32)
        user = self._ranker.value.encode_user(inputs, history, nothing)
        answer = {
            "events": tf.cast(user["events"], tf.float32),
            "mask": user["mask"],
            "bias": user["bias"],
        }
        if user["user"].shape[1] == 1:
            answer["user"] = tf.cast(user["user"][:, 0], tf.float32)
        return answer

    def recommend(
        self, *, exclude_ads, exclude_history, k, **request
    ) -> dict[str, tf.Tensor]:
        """The best ads of the catalogue for each user, by their `score`.

        Nothing is known of the features of candidates.

        Args:
          exclude_ads: ad ids [B, E] to leave out; unknown ids do nothing, so
            that rows may be filled up with them.
          exclude_history: bool [B], whether to leave out the ads of the
            history as well, also of events too old for the ranker to read.
          k: int32 [B], how many ads to give; at most the whole catalogue.
          **request: user, history and context, leading axis [B].

        Returns:
          `ad_ids` [B, K], K the largest k, best first and without repeats, and
          what `score` gives of them, float32 [B, K]. Where fewer ads are left
          or asked for, the rest is the empty id ("" or -1) with zeros and a
          logit of -inf.
        """
        inputs, history = self._read(request)
        ordered = self._scores.value.ordered

        def rank(rows):
            nothing = self._requests.no_candidates(tf.shape(rows))
            return self._rank(inputs | nothing, history, rows)

        worth = best_ads.rank_all(
            lambda rows: rank(rows)[ordered],
            tf.shape(request["user_id"])[0],
            self._ads.num_rows,
        )
        unwanted = self._unwanted(exclude_ads, exclude_history, request)
        worth = best_ads.without(worth, unwanted)
        rows, is_there = best_ads.best(worth, self._number(k))
        answer = best_ads.blank(self._answer(rank(rows)), is_there)
        rows = tf.where(is_there, rows, 0)
        return {"ad_ids": tf.gather(self._ads.ids, rows), **answer}

    def recommend_from(
        self, *, bids, exclude_ads, exclude_history, k, **request
    ) -> dict[str, tf.Tensor]:
        """The best ads of a list for each user, by their `score` times a bid.

        Args:
          bids: float32 [B, C] in any currency, finite and >= 0: what a click is
            worth, or a conversion where conversions are a task.
          exclude_ads: see `recommend`.
          exclude_history: see `recommend`.
          k: see `recommend`.
          **request: as for `score_slate`; unknown ids among `candidate_ads` are
            left out, and of an ad that comes twice the place of more worth
            counts.

        Returns:
          As from `recommend`.

        Raises:
          tf.errors.InvalidArgumentError: for other bids.
        """
        is_fit = tf.reduce_all(tf.math.is_finite(bids) & (bids >= 0))
        rule = "bids must be finite, >= 0, and one for each of candidate_ads"
        candidates = request["candidate_ads"]
        with tf.control_dependencies(
            [
                tf.debugging.Assert(is_fit, [rule]),
                tf.debugging.assert_equal(
                    tf.shape(bids), tf.shape(candidates), message=rule
                ),
            ]
        ):
            rows = self._ads.rows(candidates)
        answer = self._answer(self._rank_slate(request, rows))
        worth = best_ads.of_list(
            answer["score"] * bids,
            rows,
            self._unwanted(exclude_ads, exclude_history, request),
            self._ads.num_rows,
        )
        places, is_there = best_ads.best(worth, self._number(k))

        def at(values):
            # One place more, so that there is always something to gather.
            padded = tf.pad(values, [[0, 0], [0, 1]])
            return tf.gather(padded, places, batch_dims=1)

        answer = {name: at(values) for name, values in answer.items()}
        rows = tf.where(is_there, at(rows), 0)
        return {
            "ad_ids": tf.gather(self._ads.ids, rows),
            **best_ads.blank(answer, is_there),
        }

    def serve_examples(self, *, examples) -> dict[str, tf.Tensor]:
        """Scores one ad per serialised `tf.train.Example`.

        Its features have the names of `score`'s inputs. A history's features
        are lists of one length, and there is no `history_length`; numbers are
        floats. What an example lacks is unknown.

        Args:
          examples: string [B].

        Returns:
          As from `score`, float32 [B].
        """
        return self.score(
            **parse_examples(
                examples,
                self._requests.user_specs() | self._requests.candidate_specs(1),
                self._requests.event_widths(),
                self._requests.length,
            )
        )

    def _number(self, k):
        """How many ads are given, [B]."""
        return tf.clip_by_value(k, 0, self._ads.num_rows - 1)

    def _unwanted(self, exclude_ads, exclude_history, request):
        """Rows of the catalogue to leave out, [B, E + T + 1]."""
        # The whole history, also what the ranker no longer reads.
        past = request["history_ads"]
        real = tf.sequence_mask(request["history_length"], tf.shape(past)[1])
        seen = real & exclude_history[:, None]
        unwanted = [
            self._ads.rows(exclude_ads),
            tf.where(seen, self._ads.rows(past), 0),
            # Row 0, the unknown ad, is never recommended.
            tf.zeros([tf.shape(past)[0], 1], tf.int32),
        ]
        return tf.concat(unwanted, axis=1)

    def _read(self, request, new=None):
        """The user's side as the ranker reads it, and the encoded history."""
        inputs, ads = self._requests.read_user(request)
        parts = ("vector", *self._ranker.value.ad_tower.kind)
        return inputs, self._ads.of_ids(ads, parts, new)

    def _rank_slate(self, request, rows):
        """Corrected logits of candidates that are rows, [B, C]."""
        inputs, history = self._read(request)
        inputs |= self._requests.read_candidates(request)
        return self._rank(inputs, history, rows)

    def _rank(self, inputs, history, rows):
        ads = self._ads.of_rows(rows)
        logits = self._ranker.value.rank(inputs, history, ads)
        return self._scores.value.corrected(logits)

    def _answer(self, logits):
        return self._scores.value.answer(logits)
