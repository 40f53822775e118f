"""What a user did, as vectors: one call for every encoder.

    encoder({"events": [B, T, D], "mask": [B, T], "target": [B, C, D]})

gives [B, C, D], or [B, 1, D] from an encoder that does not look at the target.
"""

from tfadrec.layers.behavior.din import DIN
from tfadrec.layers.behavior.lstm import LSTM

__all__ = ["DIN", "LSTM"]
