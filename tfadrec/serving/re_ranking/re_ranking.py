"""What a bundle reads its best ads with once more."""

import dataclasses

from tfadrec.calibration import Mixture
from tfadrec.core.errors import InputError
from tfadrec.data.copy.text_vectors import TextEncoder
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.models import CrossEncoder

#: Ads that are read once more, unless another number is given. Each costs as
#: much as the ranker's answer for some hundred ads (benchmarks/RESULTS.md).
TOP = 20


@dataclasses.dataclass(frozen=True)
class ReRanking:
    """A cross-encoder, and how its logit is mixed with a ranker's.

    Args:
      reader: a built cross-encoder, made with the ranker's dataset.
      tokenizer: what it reads ad copy by.
      mixture: of the ranker's logits, calibrated where the bundle's are, and
        the reader's; see `training.mix`.
      top: how many ads of an answer are read, >= 1.

    Raises:
      InputError: where none would be read.
    """

    reader: CrossEncoder
    tokenizer: Tokenizer
    mixture: Mixture
    top: int = TOP

    @property
    def encoder(self) -> TextEncoder:
        """The language model of the reader."""
        return self.reader.encoder

    def __post_init__(self) -> None:
        if self.top < 1:
            raise InputError(
                "a re-ranker reads at least one ad. Received: "
                f"top={self.top!r}. Leave it out to read none."
            )
