"""A BERT that turns ad copy into vectors."""

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from transformers import BertConfig, TFBertModel

from tfadrec.core import pretrained
from tfadrec.core.door import keras, register, tf
from tfadrec.core.errors import InputError
from tfadrec.layers.text import backbone
from tfadrec.layers.text.pooling import POOLINGS, pool


class _Backbone(TFBertModel):
    # Keras reads every attribute of what it saves, and reading this one warns
    # and draws a random state. It serves the generation of text.
    seed_generator = None


@register
class BertAdEncoder(keras.layers.Layer):
    """Reads ad copy with BERT: token ids [..., L] to ad vectors [..., D].

    The token vectors of the last BERT layer are pooled over the real tokens.
    The backbone is frozen: it has no trainable weights and draws no dropout.

    Mask: padding (`token_mask` False) is neither attended to nor pooled, and
    what stands there is not read. An ad without a real token gets zeros.

    Precision: the backbone follows the layer's dtype policy; a mean is taken
    in float32 and given in the compute dtype.

    Args:
      backbone_config: the fields of a `transformers.BertConfig`, as in a model
        folder's config.json; what is left out has BERT's default. A layer made
        so has new weights; `from_pretrained` fills them.
      pooling: `mean` of the real tokens, `cls`, the first one, or
        `last_token`, the last real one.

    Call args:
      inputs: a dict with `token_ids`, integer [..., L], each in
        [0, vocabulary_size), and `token_mask`, bool [..., L], True = real.

    Returns:
      Ad vectors, float [..., D] with D = `width`.

    Raises:
      InputError: for an unknown pooling, a backbone that is not a BERT, or
        more tokens than the backbone has positions.

    Example:
      encoder = BertAdEncoder.from_pretrained("minilm")
      tokenizer = data.Tokenizer.from_pretrained("minilm")
      vectors = encoder(tokenizer(["Trail shoes for wet days"]))  # [1, 384]

    Reference:
      Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for
      Language Understanding", NAACL 2019; mean pooling as in Reimers and
      Gurevych, "Sentence-BERT", EMNLP 2019, section 3.
    """

    def __init__(
        self,
        backbone_config: Mapping[str, Any],
        *,
        pooling: str = "mean",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if pooling not in POOLINGS:
            raise InputError(
                f"`pooling` must be one of {', '.join(POOLINGS)}. Received: "
                f"{pooling!r}. Choose one of them."
            )
        model_type = backbone_config.get("model_type", "bert")
        if model_type != "bert":
            raise InputError(
                "`backbone_config` must describe a BERT. Received: "
                f"model_type={model_type!r}. Use the encoder for that type."
            )
        # As text: Keras wraps a dict attribute into one that is not JSON.
        self._backbone_json = json.dumps(dict(backbone_config))
        self.pooling = pooling
        self._bert_config = BertConfig.from_dict(self.backbone_config)

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | os.PathLike[str],
        *,
        pooling: str = "mean",
        **kwargs: Any,
    ) -> "BertAdEncoder":
        """An encoder with trained weights.

        Args:
          name_or_path: as in `tfadrec.core.pretrained.locate`.
          pooling: see the class.
          **kwargs: of the layer, as `name` and `dtype`.

        Raises:
          TfadrecError: where the model cannot be had.
          InputError: where it is no BERT, or its weights do not fit it.
        """
        folder: pathlib.Path = pretrained.locate(name_or_path)
        config = backbone.read_config(folder, "bert")
        encoder = cls(config, pooling=pooling, **kwargs)
        encoder.build(None)
        backbone.load_weights(
            encoder.weights, f"{encoder.name}/", folder, "bert"
        )
        return encoder

    @property
    def backbone_config(self) -> dict[str, Any]:
        """The constructor's argument, as a plain dict."""
        return json.loads(self._backbone_json)

    @property
    def width(self) -> int:
        """D, the number of floats in an ad vector."""
        return self._bert_config.hidden_size

    @property
    def vocabulary_size(self) -> int:
        """The number of rows in the token embedding table."""
        return self._bert_config.vocab_size

    @property
    def max_tokens(self) -> int:
        """The largest L."""
        return self._bert_config.max_position_embeddings

    def build(self, input_shape: Any) -> None:
        """Makes the backbone; the weights depend on the config alone."""
        # The scope is absolute: the names are the same wherever it is built.
        with (
            backbone.construction(self.dtype_policy),
            tf.name_scope(f"{self.name}/"),
        ):
            self._backbone = _Backbone(
                self._bert_config, add_pooling_layer=False, name="backbone"
            )
            self._backbone.build_in_name_scope()
        self._backbone.trainable = False
        expected = 5 + 16 * self._bert_config.num_hidden_layers
        if len(self.weights) != expected:
            raise RuntimeError(
                "A Keras layer must track every weight of its backbone. "
                f"Received: {len(self.weights)} of {expected}."
            )
        super().build(input_shape)

    def call(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Ad vectors [..., D]; see the class."""
        vectors, mask, leading = self._read(inputs)
        pooled = pool(vectors, mask, self.pooling)
        return tf.reshape(pooled, tf.concat([leading, [self.width]], 0))

    def token_vectors(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """The vectors before pooling, float [..., L, D].

        Those of padding are zeros. The inputs are those of a call.
        """
        if not self.built:
            with tf.init_scope():
                self.build(None)
        vectors, mask, leading = self._read(inputs)
        vectors = tf.where(mask[..., tf.newaxis], vectors, 0)
        return tf.reshape(
            vectors, tf.concat([leading, tf.shape(vectors)[1:]], 0)
        )

    def compute_output_shape(self, input_shape: Any) -> tf.TensorShape:
        """[..., D]."""
        leading = tf.TensorShape(input_shape["token_ids"])[:-1]
        return leading.concatenate(self.width)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "backbone_config": self.backbone_config,
            "pooling": self.pooling,
        }

    # AutoGraph has nothing to convert here, and takes 8 seconds over it.
    @tf.autograph.experimental.do_not_convert
    def _read(
        self, inputs: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Token vectors [N, L, D], their mask [N, L] and the leading sizes."""
        token_ids = tf.convert_to_tensor(inputs["token_ids"])
        mask = tf.convert_to_tensor(inputs["token_mask"])
        length = token_ids.shape[-1]
        if length is not None and length > self.max_tokens:
            raise InputError(
                f"An ad must have at most {self.max_tokens} tokens, the "
                f"positions of the backbone. Received: {length}. Cut the text "
                "with the tokenizer's `max_tokens`."
            )
        shape = tf.shape(token_ids)
        flat = tf.stack([-1, shape[-1]])
        mask = tf.reshape(mask, flat)
        token_ids = tf.where(mask, tf.reshape(token_ids, flat), 0)
        vectors = self._backbone(
            input_ids=tf.cast(token_ids, tf.int32),
            attention_mask=tf.cast(mask, tf.int32),
            training=False,
        ).last_hidden_state
        return vectors, mask, shape[:-1]
