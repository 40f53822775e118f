"""GPT-2, as its weights are named and computed with."""

from typing import ClassVar

from transformers import GPT2Config, TFGPT2Model

from tfadrec.layers.text.architectures.architecture import (
    Architecture,
    causal,
)
from tfadrec.ops import transformer


class _Backbone(TFGPT2Model):
    # As for BERT: reading it draws a random state.
    seed_generator = None


class GPT2(Architecture):
    """Radford et al., 2019: a token attends to itself and those before it."""

    model_type = "gpt2"
    config_class = GPT2Config
    dropout_field = "resid_pdrop"
    blocks = "h"
    matrices: ClassVar = {
        "query": "attn.c_attn",
        "key": "attn.c_attn",
        "value": "attn.c_attn",
        "output": "attn.c_proj",
        "expand": "mlp.c_fc",
        "contract": "mlp.c_proj",
    }
    top = ("ln_f.weight", "ln_f.bias")
    unused = r"^(lm_head|score|classifier)\.|\.attn\.(bias|masked_bias)$"

    def check_config(self):
        self.require_whole_heads()
        self.require("add_cross_attention", False)
        self.require("scale_attn_weights", True)
        self.require("scale_attn_by_inverse_layer_idx", False)
        self.require("activation_function", *transformer.ACTIVATIONS)

    def make(self, scope):
        return _Backbone(self.config, name="backbone")

    def embed(self, forward, token_ids, places):
        return forward.gather("wte.weight", token_ids) + forward.gather(
            "wpe.weight", places
        )

    def block(self, forward, block, rows, attend):
        name = f"{self.blocks}.{block}"
        normed = self.norm(forward, f"{name}.ln_1", rows)
        rows += forward.output(block, "output", attend(normed))
        normed = self.norm(forward, f"{name}.ln_2", rows)
        activation = transformer.ACTIVATIONS[self.config.activation_function]
        expanded = activation(forward.project(block, "expand", normed))
        return rows + forward.output(block, "contract", expanded)

    def last(self, forward, rows):
        return self.norm(forward, "ln_f", rows)

    def attention_mask(self, mask):
        return causal(mask)

    def columns(self, matrix):
        # One matrix holds all three, side by side.
        places = ("query", "key", "value")
        if matrix not in places:
            return slice(None)
        place = places.index(matrix)
        return slice(place * self.width, (place + 1) * self.width)
