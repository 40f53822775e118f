"""Optimisers for models with embeddings among other weights."""

from tfadrec.optimizers.composite_optimizer import CompositeOptimizer
from tfadrec.optimizers.lazy_adam import LazyAdam

__all__ = ["CompositeOptimizer", "LazyAdam"]
