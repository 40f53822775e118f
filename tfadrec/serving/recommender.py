"""The best ads for each user, of the catalogue or of a list."""

from tfadrec.core.door import tf
from tfadrec.serving import best_ads
from tfadrec.serving.scorer import Scorer


class Recommender(tf.Module):
    """Puts ads in the order of their worth and gives the first ones.

    Args:
      scorer: says what ads are worth.
    """

    def __init__(self, scorer: Scorer) -> None:
        super().__init__()
        self._scorer = scorer
        self._ads = scorer.ads

    def recommend(
        self, *, exclude_ads, exclude_history, k, **request
    ) -> dict[str, tf.Tensor]:
        """The best ads of the catalogue for each user, by their `score`.

        Nothing is known of the features of candidates.

        Args:
          exclude_ads: ad ids [B, E] to leave out; unknown ids do nothing, so
            that rows may be filled up with them.
          exclude_history: bool [B], whether to leave out the ads of the
            history as well, also of events too old for the ranker to read. Ads
            that were skipped stay.
          k: int32 [B], how many ads to give; at most the whole catalogue.
          **request: user, history and context, leading axis [B].

        Returns:
          `ad_ids` [B, K], K the largest k, best first and without repeats, and
          what `score` gives of them, float32 [B, K]. Where fewer ads are left
          or asked for, the rest is the empty id ("" or -1) with zeros and a
          logit of -inf.
        """
        inputs, history = self._scorer.read_user(request)
        ordered = self._scorer.ordered

        def rank(rows):
            nothing = self._scorer.requests.no_candidates(tf.shape(rows))
            return self._scorer.rank(inputs | nothing, history, rows)

        worth = best_ads.rank_all(
            lambda rows: rank(rows)[ordered],
            tf.shape(request["user_id"])[0],
            self._ads.num_rows,
        )
        unwanted = self._unwanted(exclude_ads, exclude_history, request)
        worth = best_ads.without(worth, unwanted)
        rows, is_there = best_ads.best(worth, self._number(k))
        answer = best_ads.blank(self._scorer.answer(rank(rows)), is_there)
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
        answer = self._scorer.answer(self._scorer.rank_slate(request, rows))
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
