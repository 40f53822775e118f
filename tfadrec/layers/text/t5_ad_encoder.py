"""The encoder of a T5 that turns ad copy into vectors."""

from typing import ClassVar

from transformers import T5Config, TFT5EncoderModel

from tfadrec.core.door import register, tf
from tfadrec.layers.text.ad_encoder import AdEncoder
from tfadrec.ops import transformer


class _Backbone(TFT5EncoderModel):
    # As for BERT: reading it draws a random state.
    seed_generator = None


@register
class T5AdEncoder(AdEncoder):
    """Reads ad copy with T5's encoder: token ids [..., L] to vectors [..., D].

    What the arguments, masks and precision are stands at `AdEncoder`;
    `backbone_config` has the fields of a `transformers.T5Config`, gated
    (version 1.1) or not. The folder of a whole T5 may be loaded: its decoder is
    left out. A position is the distance of two tokens, so any length could be
    read; `max_tokens` is the config's `n_positions`, and 512 where it has none.

    Example:
      encoder = T5AdEncoder.from_pretrained(folder)
      tokenizer = data.Tokenizer.from_pretrained(folder)
      vectors = encoder(tokenizer(["Trail shoes for wet days"]))

    Reference:
      Raffel et al., "Exploring the limits of transfer learning with a unified
      text-to-text transformer", JMLR 21 (2020), section 2.1; Ni et al.,
      "Sentence-T5", ACL 2022, for the mean of the encoder's vectors.
    """

    model_type = "t5"
    _config_class = T5Config
    _dropout_field = "dropout_rate"
    _blocks = "encoder.block"
    _top = ("encoder.final_layer_norm.weight",)
    _unused = r"^(decoder|lm_head)\."
    _tied: ClassVar = {"encoder.embed_tokens.weight": "shared.weight"}

    @property
    def max_tokens(self):
        """The largest L."""
        return getattr(self._config, "n_positions", 512)

    @property
    def _matrices(self):
        names = {
            "query": "layer.0.SelfAttention.q",
            "key": "layer.0.SelfAttention.k",
            "value": "layer.0.SelfAttention.v",
            "output": "layer.0.SelfAttention.o",
            "contract": "layer.1.DenseReluDense.wo",
        }
        if self._config.is_gated_act:
            return {
                **names,
                "gate": "layer.1.DenseReluDense.wi_0",
                "expand": "layer.1.DenseReluDense.wi_1",
            }
        return {**names, "expand": "layer.1.DenseReluDense.wi"}

    def _check_config(self):
        self._require("dense_act_fn", *transformer.ACTIVATIONS)

    def _make_backbone(self):
        made = _Backbone(self._config, name="backbone")
        # Left alone, it would stand outside of every scope.
        made.shared.load_weight_prefix = f"{self.name}/{made.name}"
        if self._config.is_gated_act:
            for block in made.encoder.block:
                # Sharing an initializer, both matrices would be the same.
                own = block.layer[-1].DenseReluDense.wi_1
                own.kernel_initializer = own.kernel_initializer.from_config(
                    own.kernel_initializer.get_config()
                )
        return made

    def _embed(self, token_ids, places):
        return self._gather("shared.weight", token_ids)

    def _block(self, block, rows, attend, training):
        name = f"{self._blocks}.{block}"
        normed = self._norm(f"{name}.layer.0.layer_norm", rows)
        gathered = attend(block, normed)
        rows += self._output(block, "output", gathered, training)
        normed = self._norm(f"{name}.layer.1.layer_norm", rows)
        activation = transformer.ACTIVATIONS[self._config.dense_act_fn]
        expanded = self._project(block, "expand", normed, training)
        if self._config.is_gated_act:
            expanded *= activation(
                self._project(block, "gate", normed, training)
            )
        else:
            expanded = activation(expanded)
        return rows + self._output(block, "contract", expanded, training)

    def _last(self, rows):
        return self._norm("encoder.final_layer_norm", rows)

    def _norm(self, name, rows):
        gamma = self._named[f"{name}.weight"]
        return transformer.rms_norm(rows, gamma, self._epsilon)

    def _attention_scale(self):
        return 1.0

    def _attention_bias(self, length):
        places = tf.range(length)
        buckets = transformer.relative_buckets(
            places[tf.newaxis, :] - places[:, tf.newaxis],
            self._config.relative_attention_num_buckets,
            self._config.relative_attention_max_distance,
        )
        table = (
            f"{self._blocks}.0.layer.0.SelfAttention.relative_attention_bias"
        )
        by_pair = self._gather(f"{table}.weight", buckets)  # [L, L, heads]
        return tf.transpose(by_pair, [2, 0, 1])[tf.newaxis]
