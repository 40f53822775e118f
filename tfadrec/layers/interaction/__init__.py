"""Features crossed with each other, and the head that turns them to logits."""

from tfadrec.layers.interaction.ctr_head import CTRHead

__all__ = ["CTRHead"]
