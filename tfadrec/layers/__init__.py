"""Keras layers: behaviour encoders, text encoders, matching, interaction."""

from tfadrec.layers.behavior import DIN, LSTM
from tfadrec.layers.dropout import Dropout
from tfadrec.layers.id_embedding import IdEmbedding
from tfadrec.layers.interaction import CTRHead
from tfadrec.layers.matching import AttentionMatching
from tfadrec.layers.text import BertAdEncoder

__all__ = [
    "DIN",
    "LSTM",
    "AttentionMatching",
    "BertAdEncoder",
    "CTRHead",
    "Dropout",
    "IdEmbedding",
]
