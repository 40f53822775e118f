"""The encoder of T5, as its weights are named and computed with."""

from typing import ClassVar

from transformers import T5Config, TFT5EncoderModel

from tfadrec.core.door import tf
from tfadrec.layers.text.architectures.architecture import Architecture
from tfadrec.ops import transformer


class _Backbone(TFT5EncoderModel):
    # As for BERT: reading it draws a random state.
    seed_generator = None


class T5(Architecture):
    """Raffel et al., 2020: a position is the distance of two tokens."""

    model_type = "t5"
    config_class = T5Config
    dropout_field = "dropout_rate"
    blocks = "encoder.block"
    top = ("encoder.final_layer_norm.weight",)
    unused = r"^(decoder|lm_head)\."
    more_settings: ClassVar = {"n_positions": 512}
    tied: ClassVar = {"encoder.embed_tokens.weight": "shared.weight"}

    @property
    def max_tokens(self):
        """Any number could be read; that of the config, or else 512."""
        return getattr(self.config, "n_positions", 512)

    @property
    def matrices(self):
        """The names of a block's matrices; only a gated one has `gate`."""
        names = {
            "query": "layer.0.SelfAttention.q",
            "key": "layer.0.SelfAttention.k",
            "value": "layer.0.SelfAttention.v",
            "output": "layer.0.SelfAttention.o",
            "contract": "layer.1.DenseReluDense.wo",
        }
        if self.config.is_gated_act:
            return {
                **names,
                "gate": "layer.1.DenseReluDense.wi_0",
                "expand": "layer.1.DenseReluDense.wi_1",
            }
        return {**names, "expand": "layer.1.DenseReluDense.wi"}

    def check_config(self):
        self.require("dense_act_fn", *transformer.ACTIVATIONS)

    def make(self, scope):
        made = _Backbone(self.config, name="backbone")
        # Left alone, it would stand outside of every scope.
        made.shared.load_weight_prefix = f"{scope}{made.name}"
        if self.config.is_gated_act:
            for block in made.encoder.block:
                # Sharing an initializer, both matrices would be the same.
                own = block.layer[-1].DenseReluDense.wi_1
                own.kernel_initializer = own.kernel_initializer.from_config(
                    own.kernel_initializer.get_config()
                )
        return made

    def embed(self, forward, token_ids, places):
        return forward.gather("shared.weight", token_ids)

    def block(self, forward, block, rows, attend):
        name = f"{self.blocks}.{block}"
        normed = self.norm(forward, f"{name}.layer.0.layer_norm", rows)
        rows += forward.output(block, "output", attend(normed))
        normed = self.norm(forward, f"{name}.layer.1.layer_norm", rows)
        activation = transformer.ACTIVATIONS[self.config.dense_act_fn]
        expanded = forward.project(block, "expand", normed)
        if self.config.is_gated_act:
            expanded *= activation(forward.project(block, "gate", normed))
        else:
            expanded = activation(expanded)
        return rows + forward.output(block, "contract", expanded)

    def last(self, forward, rows):
        return self.norm(forward, "encoder.final_layer_norm", rows)

    def norm(self, forward, name, rows):
        gamma = forward.weights[f"{name}.weight"]
        return transformer.rms_norm(rows, gamma, self.epsilon)

    def attention_scale(self):
        return 1.0

    def attention_bias(self, forward, length):
        places = tf.range(length)
        buckets = transformer.relative_buckets(
            places[tf.newaxis, :] - places[:, tf.newaxis],
            self.config.relative_attention_num_buckets,
            self.config.relative_attention_max_distance,
        )
        table = f"{self.blocks}.0.layer.0.SelfAttention.relative_attention_bias"
        by_pair = forward.gather(f"{table}.weight", buckets)  # [L, L, heads]
        return tf.transpose(by_pair, [2, 0, 1])[tf.newaxis]
