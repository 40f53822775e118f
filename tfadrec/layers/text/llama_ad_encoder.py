"""A Llama that turns ad copy into vectors."""

from tfadrec.core.door import register
from tfadrec.layers.text.ad_encoder import AdEncoder
from tfadrec.layers.text.architectures import Llama


@register
class LlamaAdEncoder(AdEncoder):
    """Reads ad copy with a Llama: token ids [..., L] to ad vectors [..., D].

    SmolLM2 is one. A token attends to itself and those before it, so the
    pooling to choose is `mean`, or `last_token`, the last real one. What the
    arguments, masks and precision are stands at `AdEncoder`; `backbone_config`
    has the fields of a `transformers.LlamaConfig`. Padding on either side gives
    the vector of the bare text.

    Example:
      encoder = LlamaAdEncoder.from_pretrained("smollm2")
      tokenizer = data.Tokenizer.from_pretrained("smollm2")
      vectors = encoder(tokenizer(["Trail shoes for wet days"]))

    Reference:
      Touvron et al., "LLaMA", 2023, section 2.2; Ben Allal et al., "SmolLM2",
      2025.
    """

    model_type = "llama"
    architecture_class = Llama
