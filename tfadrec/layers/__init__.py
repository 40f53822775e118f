"""Keras layers: features, behaviour, text, matching, and what follows."""

from tfadrec.layers.behavior import (
    BST,
    DIEN,
    DIN,
    ETA,
    GRU,
    HSTU,
    LSTM,
    SDIM,
    SIM,
    MultiInterest,
    TargetAttention,
    Transformer,
)
from tfadrec.layers.dice import Dice
from tfadrec.layers.dropout import Dropout
from tfadrec.layers.dynamic_id_embedding import DynamicIdEmbedding
from tfadrec.layers.features import FeatureFields, RatePath, Traits
from tfadrec.layers.fold_in import FoldIn
from tfadrec.layers.hashed_id_embedding import HashedIdEmbedding
from tfadrec.layers.id_embedding import IdEmbedding
from tfadrec.layers.interaction import (
    CIN,
    FM,
    GDCN,
    AutoInt,
    CrossNetwork,
    CTRHead,
    DotInteraction,
    FinalMLP,
    MaskNet,
)
from tfadrec.layers.matching import (
    AttentionMatching,
    BilinearMatching,
    CosineMatching,
    LateInteractionMatching,
)
from tfadrec.layers.multitask import PLE, MMoE
from tfadrec.layers.text import (
    BertAdEncoder,
    GPT2AdEncoder,
    LlamaAdEncoder,
    T5AdEncoder,
)
from tfadrec.layers.text_matching import TextMatching, TextSpace

__all__ = [
    "BST",
    "CIN",
    "DIEN",
    "DIN",
    "ETA",
    "FM",
    "GDCN",
    "GRU",
    "HSTU",
    "LSTM",
    "PLE",
    "SDIM",
    "SIM",
    "AttentionMatching",
    "AutoInt",
    "BertAdEncoder",
    "BilinearMatching",
    "CTRHead",
    "CosineMatching",
    "CrossNetwork",
    "Dice",
    "DotInteraction",
    "Dropout",
    "DynamicIdEmbedding",
    "FeatureFields",
    "FinalMLP",
    "FoldIn",
    "GPT2AdEncoder",
    "HashedIdEmbedding",
    "IdEmbedding",
    "LateInteractionMatching",
    "LlamaAdEncoder",
    "MMoE",
    "MaskNet",
    "MultiInterest",
    "RatePath",
    "T5AdEncoder",
    "TargetAttention",
    "TextMatching",
    "TextSpace",
    "Traits",
    "Transformer",
]
