"""From token vectors to which token stands, or comes next, there."""

from collections.abc import Mapping
from typing import Any

from tfadrec.core.door import keras, register, tf
from tfadrec.core.errors import InputError
from tfadrec.layers.text.ad_encoder import AdEncoder
from tfadrec.ops import transformer

#: The token embedding table of an encoder, by its model type.
_TABLES = {"bert": "embeddings.word_embeddings.weight", "gpt2": "wte.weight"}
#: The weights by the names that they have in PyTorch's files.
_NAMES = {
    "kernel": "cls.predictions.transform.dense.weight",
    "bias": "cls.predictions.transform.dense.bias",
    "gamma": "cls.predictions.transform.LayerNorm.weight",
    "beta": "cls.predictions.transform.LayerNorm.bias",
    "token_bias": "cls.predictions.bias",
}


@register
class TokenHead(keras.layers.Layer):
    """Token vectors [N, D] to logits of the V tokens, [N, V].

    The encoder's table E of token embeddings, [V, D], is read again:

        logits = norm(act(h W + b)) E^T + c     for a BERT
        logits = h E^T                          for a GPT-2

    as in transformers' BertForMaskedLM and GPT2LMHeadModel. W starts normally
    distributed, as the encoder's matrices do, b and c at 0.

    Precision: products in the compute dtype; the norm and the logits are
    float32.

    Args:
      encoder_type: `bert` or `gpt2`.
      width: D.
      vocabulary_size: V.
      activation: act, a name of `ops.transformer.ACTIVATIONS`.
      epsilon: of the norm.
      initializer_range: the standard deviation of W at the start.

    Call args:
      inputs: a dict with `vectors`, float [N, D], and `table`, float [V, D].

    Returns:
      float32 [N, V].

    Raises:
      InputError: for another type of encoder.

    Reference:
      Devlin et al., "BERT", NAACL 2019, appendix A.1; Press and Wolf, "Using
      the output embedding to improve language models", EACL 2017.
    """

    def __init__(
        self,
        encoder_type: str,
        width: int,
        vocabulary_size: int,
        *,
        activation: str = "gelu",
        epsilon: float = 1e-12,
        initializer_range: float = 0.02,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if encoder_type not in _TABLES:
            raise InputError(
                "a language model must be of type "
                f"{' or '.join(_TABLES)}. Received: {encoder_type!r}. Use "
                "another model."
            )
        self.encoder_type = encoder_type
        self.width = width
        self.vocabulary_size = vocabulary_size
        self.activation = activation
        self.epsilon = epsilon
        self.initializer_range = initializer_range

    @classmethod
    def of(cls, encoder: AdEncoder, **kwargs: Any) -> "TokenHead":
        """The head that fits an encoder.

        Args:
          encoder: a BERT or a GPT-2.
          **kwargs: of the layer, as `name`.
        """
        config = encoder.backbone_config
        return cls(
            encoder.model_type,
            encoder.width,
            encoder.vocabulary_size,
            activation=config.get("hidden_act", "gelu"),
            epsilon=config.get("layer_norm_eps", 1e-12),
            initializer_range=config.get("initializer_range", 0.02),
            dtype=encoder.dtype_policy,
            **kwargs,
        )

    def table(self, encoder: AdEncoder) -> tf.Variable:
        """The encoder's table of token embeddings, [V, D]."""
        return encoder._named[_TABLES[self.encoder_type]]

    @property
    def named_weights(self) -> Mapping[str, tf.Variable]:
        """The weights by their names in PyTorch's files."""
        if self.encoder_type == "gpt2":
            return {}
        return {name: getattr(self, f"_{k}") for k, name in _NAMES.items()}

    def build(self, input_shape: Any) -> None:
        """Makes the weights, which a GPT-2 has none of."""
        if self.encoder_type == "bert":
            normal = keras.initializers.TruncatedNormal(
                stddev=self.initializer_range
            )
            square, width = [self.width, self.width], [self.width]
            self._kernel = self.add_weight("kernel", square, None, normal)
            self._bias = self.add_weight("bias", width, None, "zeros")
            self._gamma = self.add_weight("gamma", width, None, "ones")
            self._beta = self.add_weight("beta", width, None, "zeros")
            self._token_bias = self.add_weight(
                "token_bias", [self.vocabulary_size], None, "zeros"
            )
        super().build(input_shape)

    def call(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Logits [N, V]; see the class."""
        rows = tf.cast(inputs["vectors"], self.compute_dtype)
        bert = self.encoder_type == "bert"
        if bert:
            activation = transformer.ACTIVATIONS[self.activation]
            rows = transformer.dense(rows, self._kernel, self._bias, activation)
            rows = transformer.layer_norm(
                rows, self._gamma, self._beta, self.epsilon
            )
        table = tf.cast(inputs["table"], self.compute_dtype)
        logits = tf.matmul(rows, table, transpose_b=True)
        logits = tf.cast(logits, tf.float32)
        return (
            logits + tf.cast(self._token_bias, tf.float32) if bert else logits
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "encoder_type": self.encoder_type,
            "width": self.width,
            "vocabulary_size": self.vocabulary_size,
            "activation": self.activation,
            "epsilon": self.epsilon,
            "initializer_range": self.initializer_range,
        }
