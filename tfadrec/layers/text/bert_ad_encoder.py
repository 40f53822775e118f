"""A BERT that turns ad copy into vectors."""

from typing import ClassVar

from transformers import BertConfig, TFBertModel

from tfadrec.core.door import register
from tfadrec.layers.text.ad_encoder import AdEncoder
from tfadrec.ops import transformer


class _Backbone(TFBertModel):
    # Keras reads every attribute of what it saves, and reading this one warns
    # and draws a random state. It serves the generation of text.
    seed_generator = None


@register
class BertAdEncoder(AdEncoder):
    """Reads ad copy with BERT: token ids [..., L] to ad vectors [..., D].

    The token vectors of the last block are pooled over the real tokens. What
    the arguments, masks and precision are stands at `AdEncoder`;
    `backbone_config` has the fields of a `transformers.BertConfig`. It departs
    from transformers' model where padding stands before the text: positions
    count real tokens only.

    Example:
      encoder = BertAdEncoder.from_pretrained("minilm")
      tokenizer = data.Tokenizer.from_pretrained("minilm")
      vectors = encoder(tokenizer(["Trail shoes for wet days"]))  # [1, 384]

    Reference:
      Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for
      Language Understanding", NAACL 2019; mean pooling as in Reimers and
      Gurevych, "Sentence-BERT", EMNLP 2019, section 3.
    """

    model_type = "bert"
    _config_class = BertConfig
    _dropout_field = "hidden_dropout_prob"
    _blocks = "encoder.layer"
    _matrices: ClassVar = {
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "output": "attention.output.dense",
        "expand": "intermediate.dense",
        "contract": "output.dense",
    }
    _unused = r"^(cls|pooler|classifier|qa_outputs)\.|position_ids$"

    def _check_config(self):
        self._require("position_embedding_type", "absolute")
        self._require("is_decoder", False)
        self._require("hidden_act", *transformer.ACTIVATIONS)

    def _make_backbone(self):
        return _Backbone(self._config, add_pooling_layer=False, name="backbone")

    @property
    def _epsilon(self):
        return self._config.layer_norm_eps

    def _embed(self, token_ids, places):
        rows = (
            self._gather("embeddings.word_embeddings.weight", token_ids)
            + self._gather("embeddings.position_embeddings.weight", places)
            + self._gather("embeddings.token_type_embeddings.weight", [0])
        )
        return self._norm("embeddings.LayerNorm", rows)

    def _block(self, block, rows, attend, training):
        name = f"{self._blocks}.{block}"
        gathered = attend(block, rows)
        rows += self._output(block, "output", gathered, training)
        rows = self._norm(f"{name}.attention.output.LayerNorm", rows)
        activation = transformer.ACTIVATIONS[self._config.hidden_act]
        expanded = activation(self._project(block, "expand", rows, training))
        rows += self._output(block, "contract", expanded, training)
        return self._norm(f"{name}.output.LayerNorm", rows)
