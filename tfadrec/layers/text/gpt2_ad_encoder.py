"""A GPT-2 that turns ad copy into vectors."""

from tfadrec.core.door import register
from tfadrec.layers.text.ad_encoder import AdEncoder
from tfadrec.layers.text.architectures import GPT2


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
    architecture_class = GPT2
