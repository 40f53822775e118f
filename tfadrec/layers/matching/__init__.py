"""How well an ad meets a user."""

from tfadrec.layers.matching.attention_matching import AttentionMatching

__all__ = ["AttentionMatching"]
