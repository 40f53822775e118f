"""A language model learns from the ad copy of a dataset, before any ranker.

Public: `pretrain`, which does it, `Pretraining`, what comes out of it, and
`pretraining_settings`, the names of what can be set.
"""

from tfadrec.training.pretraining.pretrain import pretrain
from tfadrec.training.pretraining.pretraining import Pretraining
from tfadrec.training.pretraining.settings import pretraining_settings

__all__ = ["Pretraining", "pretrain", "pretraining_settings"]
