"""What tasks share and what is their own: [..., F] to [..., K, U]."""

from tfadrec.layers.multitask.mmoe import MMoE
from tfadrec.layers.multitask.ple import PLE

__all__ = ["PLE", "MMoE"]
