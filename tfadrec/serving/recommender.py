"""The best ads for each user, of the catalogue or of a list."""

import numpy as np

from tfadrec.core.door import tf
from tfadrec.retrieval import RowFilter
from tfadrec.serving import best_ads
from tfadrec.serving.ad_expiry import moment
from tfadrec.serving.ad_order import AdOrder
from tfadrec.serving.finder import Finder
from tfadrec.serving.re_ranking import ReRanker
from tfadrec.serving.scorer import Scorer

#: Ads that are found and then ranked, or of the whole catalogue's order the
#: first that others are chosen from, unless another number is given.
CANDIDATES = 500


class Recommender(tf.Module):
    """Puts ads in the order of their worth and gives the first ones.

    Args:
      scorer: says what ads are worth.
      order: what they are chosen by, besides.
      offer: which ads are given: those that are open.
      finder: finds candidates; without one all ads are ranked.
      candidates: how many of them are ranked; without a finder, from how many
        of the best ads the order chooses, where it does.
      re_ranker: reads the ads of most worth once more, if there is one.
    """

    def __init__(
        self,
        scorer: Scorer,
        order: AdOrder,
        offer: RowFilter,
        finder: Finder | None = None,
        candidates: int = CANDIDATES,
        re_ranker: ReRanker | None = None,
    ) -> None:
        super().__init__()
        self._scorer = scorer
        self._order, self._offer = order, offer
        self._finder = finder
        self._candidates = candidates
        self._re_ranker = re_ranker
        self._ads = scorer.ads

    def recommend(
        self, *, exclude_ads, exclude_history, k, **request
    ) -> dict[str, tf.Tensor]:
        """The best ads of the catalogue for each user, by what they are worth.

        That is their `score`, times the bid where the catalogue has bids.

        With a finder they are the best of the candidates that it finds, of
        which none is to be left out. Nothing is known of the features of
        candidates. With a re-ranker the ads of most worth are read once more,
        and all are put in order by what is known of them then.

        Args:
          exclude_ads: ad ids [B, E] to leave out; unknown ids do nothing, so
            that rows may be filled up with them.
          exclude_history: bool [B], whether to leave out the ads of the
            history as well, also of events too old for the ranker to read. Ads
            that were skipped stay.
          k: int32 [B], how many ads to give; at most the whole catalogue.
          **request: user, history and context, leading axis [B], and the
            finder's filters, and the inputs of the order, and of `ad_expiry`
            where ads expire.

        Returns:
          `ad_ids` [B, K], K the largest k, best first and without repeats, and
          what `score` gives of them, float32 [B, K]. Where fewer ads are left
          or asked for, the rest is the empty id ("" or -1) with zeros and a
          logit of -inf.
        """
        inputs, history = self._scorer.read_user(request)

        def rank(rows):
            nothing = self._scorer.requests.no_candidates(tf.shape(rows))
            return self._scorer.rank(inputs | nothing, history, rows)

        unwanted = self._unwanted(exclude_ads, exclude_history, request)
        k = self._number(k)
        if self._finder is None:
            found = self._best_of_all(rank, unwanted, k, moment(request))
            logits = rank(found)
        else:
            found, logits = self._finder.find_and_rank(
                *(request, (inputs, history), unwanted, self._candidates),
                *(rank, self._scorer.ordered),
            )
        logits = self._alone(logits)
        worth = tf.where(found > 0, self._worth(logits, found), -np.inf)
        if self._re_ranker is not None:
            logits = self._re_ranker(request, found, logits, worth)
            changed = self._worth(logits, found)
            worth = tf.where(worth > -np.inf, changed, -np.inf)
        return self._chosen(
            request, found, worth, k, self._scorer.answer(logits)
        )

    def _best_of_all(self, rank, unwanted, k, now):
        """The rows of most worth, [B, n]; 0 where no more are left."""
        worth = best_ads.rank_all(
            lambda rows: self._worth(self._alone(rank(rows)), rows),
            tf.shape(unwanted)[0],
            self._ads.num_rows,
        )
        worth = best_ads.without(worth, unwanted)
        is_open = self._offer.is_open(tf.range(self._ads.num_rows), now)
        worth = tf.where(is_open, worth, -np.inf)
        if self._re_ranker is not None:
            # However few of those that are read stay among the best k.
            k = self._number(k + self._re_ranker.top)
        if self._order.chooses:
            k = tf.maximum(k, self._number(self._candidates))
        rows, is_there = best_ads.best(worth, k)
        return tf.where(is_there, rows, 0)

    def _alone(self, logits):
        """Corrected logits, on the scale of ads that are read once more."""
        if self._re_ranker is None:
            return logits
        return self._re_ranker.alone(logits)

    def _worth(self, logits, rows):
        """What ads are ordered by, of their logits and rows [B, n]."""
        if not (self._order.has_bids or self._order.chooses):
            # Scores are equal where they are as good as 0 or 1.
            return logits[self._scorer.ordered]
        score = self._scorer.answer(logits)["score"]
        if not self._order.has_bids:
            return score
        return score * self._order.bids(rows)

    def _chosen(self, request, rows, worth, k, answer):
        """The answer for `k` [B] of some ads [B, n], by their worth."""
        if self._order.chooses:
            count = tf.maximum(tf.reduce_max(k), 0)
            places, is_there = self._order.choose(request, worth, rows, count)
            is_there &= tf.range(count) < k[:, None]
        else:
            places, is_there = best_ads.best(worth, k)
        rows = tf.where(is_there, _at(places, rows), 0)
        return {
            "ad_ids": self._ads.ids_of(rows),
            **best_ads.blank(_all_at(places, answer), is_there),
        }

    def retrieve(
        self, *, exclude_ads, exclude_history, k, **request
    ) -> dict[str, tf.Tensor]:
        """The ads that the finder finds for each user, as it orders them.

        Args:
          exclude_ads: see `recommend`.
          exclude_history: see `recommend`.
          k: see `recommend`.
          **request: see `recommend`.

        Returns:
          `ad_ids` [B, K], K the largest k, best first and without repeats, and
          `scores`, float32 [B, K], their inner products. Where fewer ads are
          left or asked for, the rest is the empty id and -inf.
        """
        assert self._finder is not None
        k = self._number(k)
        rows, scores = self._finder.find(
            request,
            self._scorer.read_user(request),
            self._unwanted(exclude_ads, exclude_history, request),
            tf.maximum(tf.reduce_max(k), 0),
        )
        is_there = (rows > 0) & (tf.range(tf.shape(rows)[1]) < k[:, None])
        rows = tf.where(is_there, rows, 0)
        return {
            "ad_ids": self._ads.ids_of(rows),
            "scores": tf.where(is_there, scores, -np.inf),
        }

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
            left out, and those of ads that were removed or have expired, and of
            an ad that comes twice the place of more worth counts. And the
            inputs of the order and of `ad_expiry`.

        Returns:
          As from `recommend`.

        Raises:
          tf.errors.InvalidArgumentError: for other bids.
        """
        is_fit = tf.reduce_all(tf.math.is_finite(bids) & (bids >= 0))
        requests = self._scorer.requests
        slate = requests.user_specs() | requests.candidate_specs(2)
        with tf.control_dependencies(
            [
                tf.debugging.Assert(is_fit, ["`bids` must be finite and >= 0"]),
                tf.debugging.assert_equal(
                    tf.shape(bids),
                    tf.shape(request["candidate_ads"]),
                    message="`bids` must have a value for each candidate",
                ),
            ]
        ):
            given = {name: request[name] for name in slate}
            if self._re_ranker is None:
                rows, answer = self._scorer.score_slate(given)
            else:
                rows, logits = self._scorer.rank_slate(given)
                logits = self._alone(logits)
                answer = self._scorer.answer(logits)
        worth = best_ads.of_list(
            answer["score"] * bids,
            rows,
            self._unwanted(exclude_ads, exclude_history, request),
            self._ads.num_rows,
        )
        is_open = self._offer.is_open(rows, moment(request))
        worth = tf.where(is_open, worth, -np.inf)
        if self._re_ranker is not None:
            logits = self._re_ranker(request, rows, logits, worth)
            answer = self._scorer.answer(logits)
            changed = answer["score"] * bids
            worth = tf.where(worth > -np.inf, changed, -np.inf)
        return self._chosen(request, rows, worth, self._number(k), answer)

    def _number(self, k):
        """How many ads are given, [B]."""
        return tf.clip_by_value(k, 0, self._ads.num_rows - 1)

    def _unwanted(self, exclude_ads, exclude_history, request):
        """Rows of the catalogue to leave out, [B, E + T + 1]."""
        # The whole history, also what the ranker no longer reads.
        past = request["history_ads"]
        own = self._scorer.requests.own_events(request)
        seen = own & exclude_history[:, None]
        unwanted = [
            self._ads.rows(exclude_ads),
            tf.where(seen, self._ads.rows(past), 0),
            # Row 0, the unknown ad, is never recommended.
            tf.zeros([tf.shape(past)[0], 1], tf.int32),
        ]
        return tf.concat(unwanted, axis=1)


def _at(places, values):
    """What stands at some places, [B, K]."""
    # One place more, so that there is always something to gather.
    padded = tf.pad(values, [[0, 0], [0, 1]])
    return tf.gather(padded, places, batch_dims=1)


def _all_at(places, values):
    return {name: _at(places, each) for name, each in values.items()}
