"""Optimisers whose cost does not grow with the vocabulary."""

from tfadrec.optimizers.lazy_adam import LazyAdam

__all__ = ["LazyAdam"]
