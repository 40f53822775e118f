"""BERT, as its weights are named and computed with."""

from typing import ClassVar

from transformers import BertConfig, TFBertModel

from tfadrec.layers.text.architectures.architecture import Architecture
from tfadrec.ops import transformer


class _Backbone(TFBertModel):
    # Keras reads every attribute of what it saves, and reading this one warns
    # and draws a random state. It serves the generation of text.
    seed_generator = None


class Bert(Architecture):
    """Devlin et al., "BERT", NAACL 2019: a norm after each sublayer."""

    model_type = "bert"
    config_class = BertConfig
    dropout_field = "hidden_dropout_prob"
    blocks = "encoder.layer"
    matrices: ClassVar = {
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "output": "attention.output.dense",
        "expand": "intermediate.dense",
        "contract": "output.dense",
    }
    unused = r"^(cls|pooler|classifier|qa_outputs)\.|position_ids$"

    @property
    def epsilon(self):
        """What norms add to the variance."""
        return self.config.layer_norm_eps

    def check_config(self):
        self.require_whole_heads()
        self.require("position_embedding_type", "absolute")
        self.require("is_decoder", False)
        self.require("hidden_act", *transformer.ACTIVATIONS)

    def make(self, scope):
        return _Backbone(self.config, add_pooling_layer=False, name="backbone")

    def embed(self, forward, token_ids, places):
        rows = (
            forward.gather("embeddings.word_embeddings.weight", token_ids)
            + forward.gather("embeddings.position_embeddings.weight", places)
            + forward.gather("embeddings.token_type_embeddings.weight", [0])
        )
        return self.norm(forward, "embeddings.LayerNorm", rows)

    def block(self, forward, block, rows, attend):
        name = f"{self.blocks}.{block}"
        gathered = attend(rows)
        rows += forward.output(block, "output", gathered)
        rows = self.norm(forward, f"{name}.attention.output.LayerNorm", rows)
        activation = transformer.ACTIVATIONS[self.config.hidden_act]
        expanded = activation(forward.project(block, "expand", rows))
        rows += forward.output(block, "contract", expanded)
        return self.norm(forward, f"{name}.output.LayerNorm", rows)
