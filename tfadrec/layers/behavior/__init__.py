"""What a user did, as vectors: one call for every encoder.

    encoder({
        "events": float [B, T, D],     oldest first
        "mask": bool [B, T],           True = real
        "target": float [B, C, D],     the candidates
        "ages": int32 [B, T],          seconds before the request
        "event_types": int32 [B, T],   0 = unknown
        "category": int32 [B, T], "target_category": int32 [B, C],
    })

gives [B, C, D], or [B, 1, D] from an encoder that does not look at the target.
The first two are needed by all, and each class says what else it reads.
"""

from tfadrec.layers.behavior.bst import BST
from tfadrec.layers.behavior.dien import DIEN
from tfadrec.layers.behavior.din import DIN
from tfadrec.layers.behavior.eta import ETA
from tfadrec.layers.behavior.gru import GRU
from tfadrec.layers.behavior.hstu import HSTU
from tfadrec.layers.behavior.lstm import LSTM
from tfadrec.layers.behavior.multi_interest import MultiInterest
from tfadrec.layers.behavior.sdim import SDIM
from tfadrec.layers.behavior.sim import SIM
from tfadrec.layers.behavior.target_attention import TargetAttention
from tfadrec.layers.behavior.transformer import Transformer

__all__ = [
    "BST",
    "DIEN",
    "DIN",
    "ETA",
    "GRU",
    "HSTU",
    "LSTM",
    "SDIM",
    "SIM",
    "MultiInterest",
    "TargetAttention",
    "Transformer",
]
