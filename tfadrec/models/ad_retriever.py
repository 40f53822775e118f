"""Two towers and an inner product: which ads a user may click."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow_recommenders as tfrs

from tfadrec.core.door import keras, register, tf
from tfadrec.layers.behavior import GRU
from tfadrec.layers.building import built, config_of
from tfadrec.layers.place import require_layers
from tfadrec.models.dataset_sizes import dataset_sizes
from tfadrec.models.training_step import training_step
from tfadrec.ops.in_batch_softmax import in_batch_softmax
from tfadrec.towers import AdTower, UserTower
from tfadrec.towers.places import AD_TOWER, USER_TOWER

_ROWS = 4096


@register
class AdRetriever(tfrs.models.Model):
    """Makes a vector of a user and one of each ad: [B, D + 1] each.

    With the towers' vectors x_u and y_a and the bias b_a of an ad,

        s(u, a) = x_u . y_a + b_a = [x_u, 1] . [y_a, b_a]

    so that the ads of a catalogue are found by the largest inner products. An
    ad without training rows has its text and features in y_a.

    To what the user tower makes of a history h_1 .. h_n, x_u adds the vectors
    of its ads, n^(-1/2) sum_t y_{h_t} (Kabbur et al., 2013, with their alpha of
    1/2). So ads that are alike find each other from the first step on, and also
    where clicks are few.

    Its loss is the softmax over the clicked ads of a batch. An ad is among
    these as often as it is clicked, so the log of its share q_a of the clicks
    is taken away (Yi et al., 2019, section 3.2, with a q that they estimate on
    the fly):

        L = -log( exp(s(u, a) - log q_a) / sum_j exp(s(u, j) - log q_j) )

    The ad of the row has no part in the sum where it comes again in the batch.
    Rows without a click have no part at all. It is `tfrs.tasks.Retrieval`'s,
    but float32 under any policy, where the parts of that follow the global one.

    Where a batch has the logits of a ranker in place of clicks, the loss is the
    cross entropy of two softmaxes over the ads of a row, with which a small
    model learns from a large one (Hinton et al., 2015, section 2):

        L = -sum_j softmax(z)_j log softmax(s(u, .))_j

    Args:
      ad_tower: an `AdTower`.
      user_tower: a `UserTower` whose encoder does not look at candidates:
        `GRU`, `LSTM`, `Transformer` or `HSTU`.

    Call args:
      inputs: the data contract's dict, see `AdRanker`, with `candidate_ads`
        int32 [B].
      training: whether to drop.

    Returns:
      Dict of `user` and `ad`, float32 [B, D + 1].

    Raises:
      ValueError: where the encoder looks at candidates, or a tower is none.

    Example:
      >>> from tfadrec import layers, towers
      >>> text = {"name": "text", "kind": "vector", "width": 8}
      >>> retriever = AdRetriever(
      ...     towers.AdTower({"num_ads": 9, "features": [text]}),
      ...     towers.UserTower(layers.GRU(), num_event_types=2),
      ... )

    Reference:
      Kabbur, Ning and Karypis, "FISM: Factored Item Similarity Models for Top-N
      Recommender Systems", KDD 2013.
      Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network",
      2015, arXiv:1503.02531.
      Yi et al., "Sampling-Bias-Corrected Neural Modeling for Large Corpus Item
      Recommendations", RecSys 2019.
    """

    def __init__(
        self,
        ad_tower: keras.layers.Layer,
        user_tower: keras.layers.Layer,
        **kwargs,
    ) -> None:
        # Columns of features keep their precision: see `Field`.
        kwargs["autocast"] = False
        super().__init__(**kwargs)
        require_layers(
            ad_tower=(ad_tower, AD_TOWER), user_tower=(user_tower, USER_TOWER)
        )
        self.ad_tower = ad_tower
        self.user_tower = user_tower
        self._loss_mean = keras.metrics.Mean("loss")

    def build(self, input_shape=None) -> None:
        vectors = tf.TensorShape([None, None, self.ad_tower.width])
        with tf.name_scope("ad_retriever/"):
            built(self.ad_tower, tf.TensorShape([None]))
            features = self.ad_tower.features
            tables = {} if features is None else dict(features.tables)
            self.user_tower.share(tables)
            built(self.user_tower, {"history_vectors": vectors})
            rows = self.ad_tower.num_rows
            self._shares = self.add_weight(
                "click_shares",
                [rows],
                dtype="float32",
                initializer=keras.initializers.Constant(1 / rows),
                trainable=False,
            )
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
          float32 [B, D + 1].
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
        like = _sum_of(vectors, encoded["mask"])
        user = tf.cast(user[:, 0], tf.float32) + like
        return _with_last(user, tf.ones(tf.shape(user)[:1]))

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
        vectors = self(x, training=training)
        clicks = tf.cast(labels["clicked"] > 0, tf.float32)
        weights = clicks if weight is None else clicks * weight
        ads = x["candidate_ads"]
        losses = in_batch_softmax(
            tf.matmul(vectors["user"], vectors["ad"], transpose_b=True),
            ads,
            tf.gather(self._shares, ads),
            clicks > 0,
        )
        total = tf.reduce_sum(weights)
        loss = tf.math.divide_no_nan(tf.reduce_sum(weights * losses), total)
        self._loss_mean.update_state(loss, total)
        return loss

    def _imitate(self, inputs, logits, training):
        """The mean cross entropy with a ranker's softmax over each slate."""
        user, ads = self._encode(inputs, inputs["candidate_ads"], training)
        losses = tf.nn.softmax_cross_entropy_with_logits(
            tf.nn.softmax(logits), tf.linalg.matvec(ads, user)
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
          **settings: of a Keras model.

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
        }

    @classmethod
    def from_config(cls, config):
        made = {
            name: keras.saving.deserialize_keras_object(config[name])
            for name in ("ad_tower", "user_tower")
        }
        return cls(**{**config, **made})


def _sum_of(vectors, mask):
    """Of real vectors [B, T, D], by the root of their number, float32."""
    # Padding may hold anything, also NaN.
    real = tf.where(mask[..., None], tf.cast(vectors, tf.float32), 0)
    count = tf.reduce_sum(tf.cast(mask, tf.float32), axis=1, keepdims=True)
    return tf.reduce_sum(real, axis=1) * tf.math.rsqrt(tf.maximum(count, 1))


def _with_last(vectors, last):
    """[..., D] and [...] to float32 [..., D + 1]."""
    vectors = tf.cast(vectors, tf.float32)
    return tf.concat([vectors, tf.cast(last, tf.float32)[..., None]], axis=-1)
