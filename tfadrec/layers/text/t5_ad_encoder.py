"""The encoder of a T5 that turns ad copy into vectors."""

from tfadrec.core.door import register
from tfadrec.layers.text.ad_encoder import AdEncoder
from tfadrec.layers.text.architectures import T5


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
    architecture_class = T5
