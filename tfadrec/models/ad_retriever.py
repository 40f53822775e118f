"""Two towers and an inner product: which ads a user may click."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfadrec.core.door import keras, register, tf
from tfadrec.core.ranges import MoreParts, Parts
from tfadrec.layers.behavior import GRU
from tfadrec.layers.behavior.interest_shares import (
    interest_layers,
    interest_shares,
)
from tfadrec.layers.building import built, config_of
from tfadrec.layers.counted_seed import counted_seed, next_seed
from tfadrec.layers.place import require_layers
from tfadrec.models.compiled_model import CompiledModel
from tfadrec.models.dataset_sizes import dataset_sizes
from tfadrec.models.training_step import training_step
from tfadrec.ops import hard_negatives, masking
from tfadrec.ops.in_batch_softmax import in_batch_softmax
from tfadrec.towers import AdTower, UserTower
from tfadrec.towers.places import AD_TOWER, USER_TOWER

_ROWS = 4096


@register
class AdRetriever(CompiledModel):
    """Makes a vector of a user and one of each ad: [B, D + 1] each.

    With the towers' vectors x_u and y_a and the bias b_a of an ad,

        s(u, a) = x_u . y_a + b_a = [x_u, 1] . [y_a, b_a]

    so that the ads of a catalogue are found by the largest inner products. An
    ad without training rows has its text and features in y_a.

    To what the user tower makes of a history h_1 .. h_n, x_u adds the vectors
    of its ads, n^(-1/2) sum_t y_{h_t} (Kabbur et al., 2013, with their alpha of
    1/2). So ads that are alike find each other from the first step on, and also
    where clicks are few.

    With K > 1 interests a user is K vectors, and the score of an ad is the
    largest of theirs, max_k s(u_k, a), in training as in serving. Interest k
    adds n^(1/2) sum_t a_kt y_{h_t}, with the shares a_kt of ComiRec-SA (Cen et
    al., 2020, see `layers.behavior.interest_shares`) of the events as the user
    tower reads them: equal shares are the sum above. In ComiRec's training the
    interest that is nearest to the clicked ad is compared with all ads; then
    nothing keeps the other interests from ads that nobody wants, and retrieval
    by the largest finds these.

    Its loss is the softmax over the n clicked ads of a batch. An ad with the
    share q_a of the clicks is among these as often as e_a = n q_a says, the log
    of which is taken away (Yi et al., 2019, section 3.2, with a q that they
    estimate on the fly):

        L = -log( exp(s(u, a) - log e_a) / sum_j exp(s(u, j) - log e_j) )

    The ad of the row has no part in the sum where it comes again in the batch.
    Rows without a click have no part at all. It is `tfrs.tasks.Retrieval`'s,
    but float32 under any policy, where the parts of that follow the global one.

    Few ads of a batch are near to what a user wants. With H hard negatives each
    row meets H ads more of the N of the catalogue: of ads that are drawn alike
    for the batch (as the uniform part of Yang et al., 2020) those that the
    model itself puts high for the row, but not highest, since an ad there is
    often one that the user would click (negatives from the model's own ranking
    as in Xiong et al., 2021; ranks as in Huang et al., 2020, section 6.1). They
    are H at random of the ranks from .003 to .03 of 2,048 draws, so as often
    met as of H / .027 draws, and e_a = n q_a + H / (.027 N). The ad of the row
    is none of them. They push down what nobody has clicked so far, new ads
    among it (`benchmarks/RESULTS.md`).

    Where a batch has the logits of a ranker in place of clicks, the loss is the
    cross entropy of two softmaxes over the ads of a row, with which a small
    model learns from a large one (Hinton et al., 2015, section 2):

        L = -sum_j softmax(z)_j log softmax(s(u, .))_j

    Args:
      ad_tower: an `AdTower`.
      user_tower: a `UserTower` whose encoder does not look at candidates:
        `GRU`, `LSTM`, `Transformer` or `HSTU`.
      hard_negatives: H >= 0.
      interests: K >= 1.

    Call args:
      inputs: the data contract's dict, see `AdRanker`, with `candidate_ads`
        int32 [B].
      training: whether to drop.

    Returns:
      Dict of `user`, float32 [B, D + 1], or [B, K, D + 1] where K > 1, and
      `ad`, float32 [B, D + 1].

    Raises:
      ValueError: where the encoder looks at candidates, a tower is none, or
        `hard_negatives` is below 0, or `interests` below 1.

    Example:
      >>> from tfadrec import layers, towers
      >>> text = {"name": "text", "kind": "vector", "width": 8}
      >>> retriever = AdRetriever(
      ...     towers.AdTower({"num_ads": 9, "features": [text]}),
      ...     towers.UserTower(layers.GRU(), num_event_types=2),
      ... )

    Reference:
      Cen et al., "Controllable Multi-Interest Framework for Recommendation",
      KDD 2020, arXiv:2005.09347.
      Kabbur, Ning and Karypis, "FISM: Factored Item Similarity Models for Top-N
      Recommender Systems", KDD 2013.
      Huang et al., "Embedding-based Retrieval in Facebook Search", KDD 2020,
      arXiv:2006.11632.
      Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network",
      2015, arXiv:1503.02531.
      Xiong et al., "Approximate Nearest Neighbor Negative Contrastive Learning
      for Dense Text Retrieval", ICLR 2021, arXiv:2007.00808.
      Yang et al., "Mixed Negative Sampling for Learning Two-tower Neural
      Networks in Recommendations", WWW 2020 companion.
      Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
      Recommendations", RecSys 2019.
    """

    def __init__(
        self,
        ad_tower: keras.layers.Layer,
        user_tower: keras.layers.Layer,
        *,
        hard_negatives: MoreParts = 0,
        interests: Parts = 2,
        **kwargs,
    ) -> None:
        # Columns of features keep their precision: see `Field`.
        kwargs["autocast"] = False
        super().__init__(**kwargs)
        require_layers(
            ad_tower=(ad_tower, AD_TOWER), user_tower=(user_tower, USER_TOWER)
        )
        if hard_negatives < 0 or interests < 1:
            raise ValueError(
                "`hard_negatives` must be >= 0, `interests` >= 1. Received: "
                f"hard_negatives={hard_negatives}, interests={interests}."
            )
        self.ad_tower = ad_tower
        self.user_tower = user_tower
        self.hard_negatives = hard_negatives
        self.interests = interests
        self._loss_mean = keras.metrics.Mean("loss")

    def build(self, input_shape=None) -> None:
        vectors = tf.TensorShape([None, None, self.ad_tower.width])
        with tf.name_scope("ad_retriever/"):
            built(self.ad_tower, tf.TensorShape([None]))
            features = self.ad_tower.features
            tables = {} if features is None else dict(features.tables)
            self.user_tower.share(tables)
            built(self.user_tower, {"history_vectors": vectors})
            if self.interests > 1:
                self._hidden, self._score = interest_layers(
                    self.interests, self.ad_tower.width, self.dtype_policy
                )
            rows = self.ad_tower.num_rows
            self._shares = self.add_weight(
                "click_shares",
                [rows],
                dtype="float32",
                initializer=keras.initializers.Constant(1 / rows),
                trainable=False,
            )
            if self.hard_negatives:
                self._seed = counted_seed(self)
        self.built = True

    def call(self, inputs, training=None):
        user, ads = self._encode(
            inputs, inputs["candidate_ads"][:, None], training
        )
        return {"user": user, "ad": ads[:, 0]}

    def _encode(self, inputs, slates, training):
        """The vectors of users, [B, D + 1], and of ads, [B, C, D + 1]."""
        tower = self.ad_tower
        encoded = tower.encode(
            {
                "history": (inputs["history_ads"], tower.history_parts),
                "ad": (slates, ("vector", "bias")),
            },
            training=training,
        )
        user = self.user_vectors(inputs, encoded["history"], training)
        ads = encoded["ad"]
        return user, _with_last(ads["vector"], ads["bias"])

    def user_vectors(self, inputs, history, training=None):
        """The vectors of users, of a history that is encoded already.

        Args:
          inputs: as for `call`; ads are not read.
          history: the ad tower's dict, leading axes [B, T].
          training: whether to drop.

        Returns:
          float32 [B, D + 1], or [B, K, D + 1] where K > 1.
        """
        vectors = history["vector"]
        # An encoder that looks at candidates answers for each of the two.
        shape = [tf.shape(vectors)[0], 2, vectors.shape[-1]]
        encoded = self.user_tower(
            {
                **inputs,
                "history_vectors": vectors,
                "target": tf.zeros(shape, vectors.dtype),
            },
            training=training,
        )
        user = encoded["user"]
        if user.shape[1] != 1:
            raise ValueError(
                "a retriever's encoder must not look at candidates. Received: "
                f"{type(self.user_tower.encoder).__name__}. Choose GRU, LSTM, "
                "Transformer or HSTU."
            )
        likes = self._likes(vectors, encoded["events"], encoded["mask"])
        user = tf.cast(user, tf.float32) + likes
        user = _with_last(user, tf.ones(tf.shape(user)[:2]))
        return user if self.interests > 1 else user[:, 0]

    def _likes(self, vectors, events, mask):
        """The sums of a history's ads, float32 [B, K, D]."""
        # Padding may hold anything, also NaN.
        vectors = masking.zero_padding(tf.cast(vectors, tf.float32), mask)
        count = tf.reduce_sum(tf.cast(mask, tf.float32), axis=1)
        count = tf.maximum(count, 1)[:, None, None]
        if self.interests == 1:
            total = tf.reduce_sum(vectors, axis=1, keepdims=True)
            return total * tf.math.rsqrt(count)
        shares = interest_shares(
            *(masking.zero_padding(events, mask), mask),
            *(self._hidden, self._score),
        )
        return tf.matmul(shares, vectors, transpose_a=True) * tf.sqrt(count)

    def catalogue_vectors(self) -> np.ndarray:
        """The vectors of all ads, float32 [N + 1, D + 1], by row."""
        encode = tf.function(
            self.ad_tower, input_signature=[tf.TensorSpec([None], tf.int32)]
        )
        rows = self.ad_tower.num_rows
        parts = []
        for start in range(0, rows, _ROWS):
            ads = encode(tf.range(start, min(start + _ROWS, rows)))
            parts.append(_with_last(ads["vector"], ads["bias"]).numpy())
        return np.concatenate(parts)

    @property
    def click_shares(self) -> tf.Variable:
        """The share of the clicks that each ad has, float32 [N + 1]."""
        return self._shares

    def count_clicks(self, dataset: Any) -> None:
        """Learns how often ads are clicked, which tells how often they are met.

        Args:
          dataset: the training rows. A share is that of clicks, one more for
            every ad.
        """
        clicks = np.asarray(dataset.impressions.labels["clicked"], np.float64)
        rows = self.ad_tower.num_rows
        counts = 1 + np.bincount(dataset.impressions.ads, clicks, rows)
        self._shares.assign(counts / counts.sum())

    def compute_loss(self, inputs, training: bool = False) -> tf.Tensor:
        """The mean over the clicks of a batch; updates the metric.

        Args:
          inputs: `(inputs, labels)` or `(inputs, labels, sample_weight)`, as
            `Dataset.batches` gives them; or with `candidate_ads` int32 [B, C]
            and the label `logits`, float32 [B, C], those of a ranker.
          training: whether to drop.

        Returns:
          float32 scalar; 0 without a click.
        """
        x, labels, weight = keras.utils.unpack_x_y_sample_weight(inputs)
        if "logits" in labels:
            return self._imitate(x, labels["logits"], training)
        clicks = tf.cast(labels["clicked"] > 0, tf.float32)
        weights = clicks if weight is None else clicks * weight
        ads = x["candidate_ads"]
        every = tf.concat([ads, self._drawn()], axis=0)
        user, vectors = self._encode(x, every[:, None], training)
        scores = _scores("bkd,cd->bkc", user, vectors[:, 0])
        scores, items, expected = self._met(scores, every, clicks)
        losses = in_batch_softmax(scores, items, expected, clicks > 0)
        total = tf.reduce_sum(weights)
        loss = tf.math.divide_no_nan(tf.reduce_sum(weights * losses), total)
        self._loss_mean.update_state(loss, total)
        return loss

    def _drawn(self):
        """Ads of which some will be hard negatives, int32 [P]."""
        if not self.hard_negatives:
            return tf.zeros([0], tf.int32)
        return tf.random.stateless_uniform(
            *([hard_negatives.DRAWN], next_seed(self._seed)),
            *(1, self.ad_tower.num_rows, tf.int32),
        )

    def _met(self, scores, ads, clicks):
        """What each row meets: scores, ads and how often, [B, C] or [C].

        Args:
          scores: float32 [B, B + P].
          ads: int32 [B + P], those of the rows and then those that were drawn.
          clicks: float32 [B].
        """
        count = tf.maximum(tf.reduce_sum(clicks), 1)
        if not self.hard_negatives:
            return scores, ads, count * tf.gather(self._shares, ads)
        batch = tf.size(clicks)
        own, drawn = ads[:batch], ads[batch:]
        hard = batch + hard_negatives.places(
            tf.where(own[:, None] == drawn, -np.inf, scores[:, batch:]),
            self.hard_negatives,
            next_seed(self._seed),
        )
        in_batch = tf.tile(tf.range(batch)[None], [batch, 1])
        places = tf.concat([in_batch, hard], axis=1)  # [B, C]
        items = tf.gather(ads, places)
        share = self.hard_negatives / hard_negatives.SHARE
        expected = count * tf.gather(self._shares, items) + tf.where(
            places < batch, 0.0, share / (self.ad_tower.num_rows - 1)
        )
        return tf.gather(scores, places, batch_dims=1), items, expected

    def _imitate(self, inputs, logits, training):
        """The mean cross entropy with a ranker's softmax over each slate."""
        user, ads = self._encode(inputs, inputs["candidate_ads"], training)
        losses = tf.nn.softmax_cross_entropy_with_logits(
            tf.nn.softmax(logits), _scores("bkd,bcd->bkc", user, ads)
        )
        loss = tf.reduce_mean(losses)
        self._loss_mean.update_state(loss)
        return loss

    def train_step(self, inputs):
        """One step of gradient descent on one batch."""
        return training_step(self, inputs)

    def test_step(self, inputs):
        """The loss of one batch."""
        self.compute_loss(inputs, training=False)
        return {metric.name: metric.result() for metric in self.metrics}

    @classmethod
    def for_dataset(
        cls,
        dataset,
        encoder: keras.layers.Layer | None = None,
        *,
        text: keras.layers.Layer | None = None,
        use_user_id: bool = True,
        ad_tower: Mapping[str, Any] | None = None,
        user_tower: Mapping[str, Any] | None = None,
        **settings,
    ) -> "AdRetriever":
        """A built retriever that reads what a dataset has.

        Args:
          dataset: the training rows; tells the features of ads, users and
            events, and how often ads are clicked.
          encoder: `GRU` by default; see the class.
          text: see `AdTower`.
          use_user_id: whether users have an embedding of their own.
          ad_tower: other arguments of `AdTower`.
          user_tower: other arguments of `UserTower`.
          **settings: others of this class, and of a Keras model.

        Example:
          retriever = AdRetriever.for_dataset(train)
        """
        sizes = dataset_sizes(dataset)
        of_users = [
            feature.spec()
            for feature in dataset.schema.of("user")
            if feature.kind != "lookup"
        ]
        if not use_user_id:
            sizes["user_tower"]["num_users"] = 0
        retriever = cls(
            AdTower(
                dataset.catalogue,
                text=text,
                name="ad_tower",
                **(ad_tower or {}),
            ),
            UserTower(
                GRU(name="encoder") if encoder is None else encoder,
                **sizes["user_tower"],
                features=of_users,
                name="user_tower",
                **(user_tower or {}),
            ),
            **settings,
        )
        retriever.build()
        retriever.count_clicks(dataset)
        return retriever

    def get_build_config(self):
        return {"input_shape": None}

    def build_from_config(self, config):
        self.build(config["input_shape"])

    def get_config(self):
        return {
            **super().get_config(),
            "ad_tower": config_of(self.ad_tower),
            "user_tower": config_of(self.user_tower),
            "hard_negatives": self.hard_negatives,
            "interests": self.interests,
        }

    @classmethod
    def from_config(cls, config):
        made = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("ad_tower", "user_tower")
        }
        # One of a version before has one interest.
        return cls(**{"interests": 1, **config, **made})


def _scores(products, user, ads):
    """The largest inner product of a user's vectors with each ad, [B, C].

    Args:
      products: the sum of `tf.einsum` of users [B, K, D] and ads.
      user: float32 [B, D] or [B, K, D].
      ads: float32, those of all users or of each.
    """
    if user.shape.rank == 2:
        user = user[:, None]
    return tf.reduce_max(tf.einsum(products, user, ads), axis=1)


def _with_last(vectors, last):
    """[..., D] and [...] to float32 [..., D + 1]."""
    vectors = tf.cast(vectors, tf.float32)
    return tf.concat([vectors, tf.cast(last, tf.float32)[..., None]], axis=-1)
