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

from tfadrec.layers.behavior.din import DIN
from tfadrec.layers.behavior.lstm import LSTM

__all__ = ["DIN", "LSTM"]
