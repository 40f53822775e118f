"""A GPT-2 that turns ad copy into vectors."""

from typing import ClassVar

from transformers import GPT2Config, TFGPT2Model

from tfadrec.core.door import register, tf
from tfadrec.layers.text.ad_encoder import AdEncoder
from tfadrec.ops import transformer


class _Backbone(TFGPT2Model):
    # As for BERT: reading it draws a random state.
    seed_generator = None


@register
class GPT2AdEncoder(AdEncoder):
    """Reads ad copy with GPT-2: token ids [..., L] to ad vectors [..., D].

    A token attends to itself and those before it, so the pooling to choose is
    `last_token`, the last real one, or `mean`. What the arguments, masks and
    precision are stands at `AdEncoder`; `backbone_config` has the fields of a
    `transformers.GPT2Config`. It departs from transformers' model where padding
    stands before the text: positions count real tokens only, so that padding on
    either side gives the vector of the bare text.

    Example:
      encoder = GPT2AdEncoder.from_pretrained(folder, pooling="last_token")
      tokenizer = data.Tokenizer.from_pretrained(folder)
      vectors = encoder(tokenizer(["Trail shoes for wet days"]))

    Reference:
      Radford et al., "Language models are unsupervised multitask learners",
      2019, section 2.3; Radford et al., "Improving language understanding by
      generative pre-training", 2018, section 3, for the last token.
    """

    model_type = "gpt2"
    _config_class = GPT2Config
    _dropout_field = "resid_pdrop"
    _blocks = "h"
    _matrices: ClassVar = {
        "query": "attn.c_attn",
        "key": "attn.c_attn",
        "value": "attn.c_attn",
        "output": "attn.c_proj",
        "expand": "mlp.c_fc",
        "contract": "mlp.c_proj",
    }
    _top = ("ln_f.weight", "ln_f.bias")
    _unused = r"^(lm_head|score|classifier)\.|\.attn\.(bias|masked_bias)$"

    def _check_config(self):
        self._require("add_cross_attention", False)
        self._require("scale_attn_weights", True)
        self._require("scale_attn_by_inverse_layer_idx", False)
        self._require("activation_function", *transformer.ACTIVATIONS)

    def _make_backbone(self):
        return _Backbone(self._config, name="backbone")

    def _embed(self, token_ids, places):
        return self._gather("wte.weight", token_ids) + self._gather(
            "wpe.weight", places
        )

    def _block(self, block, rows, attend, training):
        name = f"{self._blocks}.{block}"
        normed = self._norm(f"{name}.ln_1", rows)
        gathered = attend(block, normed)
        rows += self._output(block, "output", gathered, training)
        normed = self._norm(f"{name}.ln_2", rows)
        activation = transformer.ACTIVATIONS[self._config.activation_function]
        expanded = activation(self._project(block, "expand", normed, training))
        return rows + self._output(block, "contract", expanded, training)

    def _last(self, rows):
        return self._norm("ln_f", rows)

    def _attention_mask(self, mask):
        places = tf.range(tf.shape(mask)[1])
        before = places[tf.newaxis, :] <= places[:, tf.newaxis]
        return mask[:, tf.newaxis] & before

    def _columns(self, matrix):
        # One matrix holds all three, side by side.
        places = ("query", "key", "value")
        if matrix not in places:
            return slice(None)
        place = places.index(matrix)
        return slice(place * self.width, (place + 1) * self.width)
