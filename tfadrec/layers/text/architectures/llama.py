"""Llama, as its weights are named and computed with."""

import functools
from typing import ClassVar

from transformers import LlamaConfig, MistralConfig, TFMistralModel

from tfadrec.core.errors import InputError
from tfadrec.layers.text.architectures.architecture import (
    Architecture,
    causal,
)
from tfadrec.ops import transformer


class _Backbone(TFMistralModel):
    # As for BERT: reading it draws a random state.
    seed_generator = None


class Llama(Architecture):
    """Touvron et al., 2023: places turn queries and keys, a gate the rest.

    transformers makes the weights as those of a Mistral, which are the same and
    go by the same names; there is no Llama of it in TensorFlow.
    """

    model_type = "llama"
    config_class = LlamaConfig
    blocks = "layers"
    matrices: ClassVar = {
        "query": "self_attn.q_proj",
        "key": "self_attn.k_proj",
        "value": "self_attn.v_proj",
        "output": "self_attn.o_proj",
        "gate": "mlp.gate_proj",
        "expand": "mlp.up_proj",
        "contract": "mlp.down_proj",
    }
    top = ("norm.weight",)
    unused = r"^lm_head\.|\.rotary_emb\.inv_freq$"

    @property
    def epsilon(self):
        """What norms add to the mean square."""
        return self.config.rms_norm_eps

    @property
    def dropout_rate(self):
        """None of its sublayers was trained with dropout."""
        return 0.0

    def check_config(self):
        self.require_whole_heads()
        width = self.width // self.num_heads
        shared = self.config.num_key_value_heads
        if type(shared) is not int or shared < 1 or self.num_heads % shared:
            raise InputError(
                "The backbone's num_key_value_heads must divide the number of "
                f"its heads. Received: {shared!r} for {self.num_heads} heads. "
                "Use another model."
            )
        if width % 2:
            raise InputError(
                "The backbone's heads must have an even width. Received: "
                f"{width}. Use another model."
            )
        if not self.config.rope_theta > 0:
            raise InputError(
                "The backbone's rope_theta must be > 0. Received: "
                f"{self.config.rope_theta!r}. Use another model."
            )
        self.require("head_dim", width)
        self.require("rope_scaling", None)
        self.require("attention_bias", False)
        self.require("mlp_bias", False)
        self.require("hidden_act", *transformer.ACTIVATIONS)

    def make(self, scope):
        sizes = (
            *("vocab_size", "hidden_size", "intermediate_size"),
            *("num_hidden_layers", "num_attention_heads"),
            *("num_key_value_heads", "hidden_act", "initializer_range"),
        )
        config = MistralConfig(**{s: getattr(self.config, s) for s in sizes})
        return _Backbone(config, name="backbone")

    def embed(self, forward, token_ids, places):
        return forward.gather("embed_tokens.weight", token_ids)

    def block(self, forward, block, rows, attend):
        name = f"{self.blocks}.{block}"
        normed = self.norm(forward, f"{name}.input_layernorm", rows)
        rows += forward.output(block, "output", attend(normed))
        normed = self.norm(forward, f"{name}.post_attention_layernorm", rows)
        activation = transformer.ACTIVATIONS[self.config.hidden_act]
        expanded = forward.project(block, "expand", normed)
        expanded *= activation(forward.project(block, "gate", normed))
        return rows + forward.output(block, "contract", expanded)

    def last(self, forward, rows):
        return self.norm(forward, "norm", rows)

    def norm(self, forward, name, rows):
        gamma = forward.weights[f"{name}.weight"]
        return transformer.rms_norm(rows, gamma, self.epsilon)

    def attention_mask(self, mask):
        return causal(mask)

    def turned(self, places):
        angles = transformer.rotary_angles(
            places, self.width // self.num_heads, self.config.rope_theta
        )
        return functools.partial(transformer.rotate, angles=angles)
