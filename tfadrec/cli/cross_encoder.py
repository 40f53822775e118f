"""What `train` says of a cross-encoder."""

from collections.abc import Sequence
from typing import Any

from tfadrec.cli.command import load_tensorflow, say
from tfadrec.cli.retriever import say_best
from tfadrec.core.config import RunConfig


def train_cross_encoder(
    data: str, config: RunConfig, out: str, allow_import: Sequence[str]
) -> dict[str, Any]:
    """Trains, and shows the metrics of the best epoch."""
    load_tensorflow()
    from tfadrec import training

    run = training.train_cross_encoder(
        data, config, out, allow_import=allow_import
    )
    say_best(run)
    say(f"Next: train a ranker whose settings have `distil: {out}`.")
    return {"run": str(out), "history": run.history}
