"""A user's vectors against an ad's vectors: one call for every form.

    matching({
        "user": float [B, T, D], "user_mask": bool [B, T],
        "ad": float [B, C, N, D], "ad_mask": bool [B, C, N],  # optional
    })

gives float32 [B, C], and with `return_weights=True` also the weight of each
pair, float32 [B, C, T, N], where those of masked user vectors mean nothing.
"""

from tfadrec.layers.matching.attention_matching import AttentionMatching
from tfadrec.layers.matching.bilinear_matching import BilinearMatching
from tfadrec.layers.matching.cosine_matching import CosineMatching
from tfadrec.layers.matching.late_interaction_matching import (
    LateInteractionMatching,
)

__all__ = [
    "AttentionMatching",
    "BilinearMatching",
    "CosineMatching",
    "LateInteractionMatching",
]
