"""What comes out of pretraining."""

import dataclasses
import pathlib

from tfadrec.training.saved_state import best_epoch

#: The metric that tells the best epoch.
MONITOR = "val_loss"


@dataclasses.dataclass(frozen=True)
class Pretraining:
    """A language model that has learned from ad copy.

    Args:
      folder: the model's: config.json, model.safetensors and the tokenizer's
        files, as `from_pretrained` and transformers read them.
      before: `val_loss`, and for a language model `val_perplexity`, of the
        weights that it began with.
      history: one dict per epoch, with `loss` and what stands in `before`.
      num_texts: distinct texts of the dataset.
      cut_share: the share of them that were cut at `max_tokens`.
    """

    folder: pathlib.Path
    before: dict[str, float]
    history: list[dict[str, float]]
    num_texts: int
    cut_share: float

    @property
    def best(self) -> dict[str, float]:
        """The metrics of the epoch whose weights are in the folder."""
        return self.history[best_epoch(self.history, MONITOR) - 1]
