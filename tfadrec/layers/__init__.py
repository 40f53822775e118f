"""Keras layers: behaviour encoders, text encoders, matching, interaction."""

from tfadrec.layers.behavior import DIN, LSTM
from tfadrec.layers.dropout import Dropout
from tfadrec.layers.interaction import CTRHead
from tfadrec.layers.matching import AttentionMatching

__all__ = ["DIN", "LSTM", "AttentionMatching", "CTRHead", "Dropout"]
