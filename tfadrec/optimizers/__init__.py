"""Optimisers for models with embeddings among other weights."""

from tfadrec.optimizers.composite_optimizer import CompositeOptimizer
from tfadrec.optimizers.layerwise_decay import layerwise_decay
from tfadrec.optimizers.lazy_adam import LazyAdam
from tfadrec.optimizers.warm_up import WarmUp

__all__ = ["CompositeOptimizer", "LazyAdam", "WarmUp", "layerwise_decay"]
