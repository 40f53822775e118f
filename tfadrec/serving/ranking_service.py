"""Where a request is answered: raw ids in, probabilities out."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfadrec.calibration import Calibration
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.takes import takes
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.copy.text_vectors import TextEncoder
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.data.dataset import Dataset
from tfadrec.data.features import counted
from tfadrec.data.newer_rates import newer_rates
from tfadrec.models import AdRetriever
from tfadrec.models.ranker_ensemble import Ranker
from tfadrec.retrieval import RowFilter
from tfadrec.serving.ad_changer import AdChanger
from tfadrec.serving.ad_expiry import expiry_column, expiry_specs
from tfadrec.serving.ad_order import AdOrder, OrderSettings
from tfadrec.serving.ad_reader import NEW, AdReader
from tfadrec.serving.catalogue_tables import catalogue_tables
from tfadrec.serving.examples import parse_examples
from tfadrec.serving.finder import Finder
from tfadrec.serving.known_ads import KnownAds
from tfadrec.serving.learn_anchors import learn_anchors
from tfadrec.serving.re_ranking import ReRanker, ReRanking
from tfadrec.serving.recommender import CANDIDATES, Recommender
from tfadrec.serving.request_reader import Specs
from tfadrec.serving.scorer import Scorer
from tfadrec.serving.signature_specs import signature_specs
from tfadrec.serving.untracked import Untracked
from tfadrec.serving.user_vectors import (
    RankerVectors,
    TowerVectors,
    Vectors,
    check_sizes,
)
from tfadrec.serving.variables_read import variables_read

Explainer = Callable[[Mapping[str, tf.Tensor]], dict[str, tf.Tensor]]
# Signature -> the method that answers it, where it is called otherwise.
_METHODS = {"serving_default": "score", "encode_ads_text": "encode_ads"}


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
      calibration: of the ranker's logits; probabilities are then given raw too.
      rates: the dataset as of whose end rates and counts are; `dataset` by
        default.
      retriever: finds the ads that `recommend` ranks, and answers `retrieve`.
      distilled: whether the retriever has learned from this ranker's logits, so
        that what the ranker says of ads corrects what is known of a user.
      candidates: how many ads that are.
      filters: see `Finder`.
      explainer: from the ranker's inputs, as `Scorer.read_rows` gives them, to
        what the signature `explain` answers; None for no such signature.
      order: what ads are chosen by in `recommend` and `recommend_from`, beside
        their scores.
      anchors: rows to learn from, in place of a retriever, which ads the ranker
        likes; see `learn_anchors`.
      codes: see `Finder`.
      re_ranking: what `recommend` and `recommend_from` read their best ads with
        once more.

    Attributes:
      reader: of new ads.
      finder: of candidates; None without a retriever.
      order: of the ads that are given.
      expiry_specs: the input that tells the moment, where the catalogue's ads
        expire.

    Raises:
      InputError: where the ranker gives no click probabilities, or does not fit
        the encoder or the schema, the retriever or the re-ranker is of another
        dataset, or there are anchors beside it.
    """

    @takes(ranker="ranker", dataset="dataset")
    def __init__(
        self,
        ranker: Ranker,
        dataset: Dataset,
        *,
        tokenizer: Tokenizer | None = None,
        encoder: TextEncoder | None = None,
        more: Catalogue | None = None,
        calibration: Calibration | None = None,
        rates: Dataset | None = None,
        retriever: AdRetriever | None = None,
        distilled: bool = False,
        candidates: int = CANDIDATES,
        filters: Sequence[str] = (),
        explainer: Explainer | None = None,
        order: OrderSettings | None = None,
        anchors: Dataset | None = None,
        codes: int | None = None,
        re_ranking: ReRanking | None = None,
    ) -> None:
        super().__init__()
        if explainer is not None and more is not None:
            raise InputError(
                "a bundle explains the ads that its ranker knows. Received: "
                f"{len(more)} more ads, and explanations. Leave out one of "
                "them."
            )
        self._explainer = Untracked(explainer)
        if calibration is not None:
            _pass_on(ranker, dataset, calibration)
        self.reader = AdReader(
            ranker, dataset.schema.of("ad"), tokenizer, encoder
        )
        ids = [dataset.catalogue.ad_ids, *([more.ad_ids] if more else [])]
        ads = KnownAds(np.concatenate(ids), catalogue_tables(ranker, more))
        if rates is not None:
            known = newer_rates(dataset, rates, np.concatenate(ids))
            dataset = dataclasses.replace(dataset, rates=known)
        self.finder: Finder | None = None
        if retriever is not None and anchors is not None:
            raise InputError(
                "candidates are found by a retriever or by anchors. Received: "
                "both. Leave one of them out."
            )
        if retriever is not None:
            check_sizes(retriever, dataset)
        dataset = _with_users_read(dataset, ranker, retriever)
        self._scorer = Scorer(ranker, dataset, ads, calibration)
        self._requests = self._scorer.requests
        vectors: Vectors | None = None
        if retriever is not None:
            vectors = TowerVectors(
                *(retriever, self._scorer, more),
                features=dataset.schema.of("ad"),
                reader=self.reader,
                imitates=distilled,
            )
        elif anchors is not None:
            vectors = RankerVectors(
                learn_anchors(self._scorer, anchors), self._scorer
            )
        if vectors is not None:
            self.finder = Finder(
                *(vectors, dataset, self._scorer),
                candidates=candidates,
                more=more,
                filters=filters,
                codes=codes,
            )
        self.expiry_specs = expiry_specs(dataset)
        offer = (
            RowFilter({}, expiry_column(dataset, more))
            if self.finder is None
            else self.finder.index.filter
        )
        taken = self._requests.user_specs() | self._requests.candidate_specs(2)
        order = order or OrderSettings()
        # A run's dataset has no vectors of the copy, and its ranker has.
        told = self.reader.with_copy(dataset) if order.by_copy else dataset
        self.order = AdOrder(order, told, more, taken)
        re_ranker = None
        if re_ranking is not None:
            re_ranker = ReRanker(re_ranking, self._scorer, dataset, more)
        self._recommender = Recommender(
            *(self._scorer, self.order, offer, self.finder, candidates),
            re_ranker,
        )
        self._changer = AdChanger(
            *(self.reader, ads, dataset.schema.of("ad")),
            *(self.finder, self.order, offer),
            expires=bool(self.expiry_specs),
            re_ranker=re_ranker,
        )
        self._weights: list[tf.Variable] = []

    def signatures(
        self, *names: str
    ) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The bundle's signatures by name, with their input specs.

        Args:
          *names: the signatures to trace; all of them where none is named.
            What they have in common is traced with the first that needs it.
        """
        specs = signature_specs(
            *(self._requests, self.reader),
            self.finder and self.finder.specs(),
            self.order.specs(),
            self.expiry_specs,
            explains=self._explainer.value is not None,
        )
        signatures = {
            name: _traced(getattr(self, _METHODS.get(name, name)), specs[name])
            for name in names or specs
        }
        read = list(signatures.values())
        if not names:
            # Functions of the SavedModel that are no signatures.
            ids = self._changer.id_specs()
            self.has_ads = _saved(_traced(self._changer.has, ids), ids)
            remove = _traced(self._changer.remove, ids)
            self.remove_ads = _saved(remove, ids)
            if self._changer.takes_ads:
                columns = self._changer.specs()
                put = _traced(self._changer.put, columns)
                read.append(put)
                self.put_ads = _saved(put, columns)
        # Of ranker and encoder; not the ad tower's tables.
        self._weights = variables_read(read)
        return signatures

    def remove(self, ad_ids: Sequence[str | int]) -> None:
        """Has ads given no more, as a bundle does after `change_ads`.

        Args:
          ad_ids: of any ads; those that are not known stay so.
        """
        if ad_ids:
            (spec,) = self._changer.id_specs().values()
            self._changer.remove(new_ads=tf.constant(list(ad_ids), spec.dtype))

    def score(self, **request) -> dict[str, tf.Tensor]:
        """Scores one ad per row.

        Args:
          **request: user, history and context; `candidate_ads`, ids, and the
            features of candidates; leading axis [B].

        Returns:
          As from `Scores.answer`, float32 [B].
        """
        return self._scorer.score(request)

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
        return self._scorer.score_slate(request)[1]

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
        known = self._scorer.ads
        ads = known.of_ids(request["candidate_ads"], known.parts, new)
        inputs, history = self._scorer.read_user(request, new)
        inputs |= self._requests.read_candidates(request)
        rows = known.rows(request["candidate_ads"])
        logits = self._scorer.rank_ads(inputs, history, ads, rows)
        return self._scorer.answer(logits)

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
        user = self._scorer.encode_user(request)
        answer = {
            "events": tf.cast(user["events"], tf.float32),
            "mask": user["mask"],
            "bias": user["bias"],
        }
        if user["user"].shape[1] == 1:
            answer["user"] = tf.cast(user["user"][:, 0], tf.float32)
        return answer

    def recommend(self, **request) -> dict[str, tf.Tensor]:
        """See `Recommender.recommend`."""
        return self._recommender.recommend(**request)

    def retrieve(self, **request) -> dict[str, tf.Tensor]:
        """See `Recommender.retrieve`."""
        return self._recommender.retrieve(**request)

    def recommend_from(self, **request) -> dict[str, tf.Tensor]:
        """See `Recommender.recommend_from`."""
        return self._recommender.recommend_from(**request)

    def explain(self, **request) -> dict[str, tf.Tensor]:
        """What each feature and each event adds to the logit of one ad.

        Args:
          **request: as for `score`.

        Returns:
          As from the explainer, leading axis [B].
        """
        return self._explainer.value(self._scorer.read_rows(request))

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


def _traced(
    method: Callable[..., Any], specs: Specs
) -> tf.types.experimental.ConcreteFunction:
    return tf.function(method, autograph=False).get_concrete_function(**specs)


def _saved(
    function: tf.types.experimental.ConcreteFunction, specs: Specs
) -> Callable[..., Any]:
    """A function of a SavedModel that only calls another one.

    What is no signature is traced once more when it is saved: of this one only
    the call is.
    """
    called = tf.function(lambda **given: function(**given), autograph=False)
    called.get_concrete_function(**specs)
    return called


def _with_users_read(
    dataset: Dataset, ranker: Ranker, retriever: AdRetriever | None
) -> Dataset:
    """The dataset, without its users where nothing is known of one by a row."""
    models = [ranker] if retriever is None else [ranker, retriever]
    features = dataset.schema.features
    is_read = (
        any(model.user_tower.reads_rows for model in models)
        or any(feature.entity == "user" for feature in features)
        or any("user_id" in feature.ids for feature in counted(features))
    )
    if is_read:
        return dataset
    return dataclasses.replace(dataset, user_ids=dataset.user_ids[:0])


def _pass_on(
    ranker: Ranker, dataset: Dataset, calibration: Calibration
) -> None:
    """Has the ad tower give the column of ads that is calibrated by."""
    if calibration.field in {f.tensor for f in dataset.schema.of("ad")}:
        ranker.ad_tower.pass_on(calibration.field)
