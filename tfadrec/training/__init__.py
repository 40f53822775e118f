"""Training: fit a ranker to a dataset, with checkpoints and exact resume."""

from tfadrec.training.build import build_ranker, with_text
from tfadrec.training.fit import fit
from tfadrec.training.run import Run, load_run, train

__all__ = ["Run", "build_ranker", "fit", "load_run", "train", "with_text"]
