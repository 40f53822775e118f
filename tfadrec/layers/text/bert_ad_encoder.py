"""A BERT that turns ad copy into vectors."""

from tfadrec.core.door import register
from tfadrec.layers.text.ad_encoder import AdEncoder
from tfadrec.layers.text.architectures import Bert


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
    architecture_class = Bert
