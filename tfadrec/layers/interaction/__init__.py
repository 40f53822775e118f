"""Features of one candidate, crossed with each other.

One tensor in, one tensor [..., U] out, leading axes free. The class attribute
`takes` says what goes in: the `features` [..., F] of a candidate side by side,
or its `fields` [..., N, D], a vector each. `CTRHead` makes a logit of features.
"""

from tfadrec.layers.interaction.auto_int import AutoInt
from tfadrec.layers.interaction.cin import CIN
from tfadrec.layers.interaction.cross_network import CrossNetwork
from tfadrec.layers.interaction.ctr_head import CTRHead
from tfadrec.layers.interaction.dot_interaction import DotInteraction
from tfadrec.layers.interaction.final_mlp import FinalMLP
from tfadrec.layers.interaction.fm import FM
from tfadrec.layers.interaction.gdcn import GDCN
from tfadrec.layers.interaction.mask_net import MaskNet

__all__ = [
    "CIN",
    "FM",
    "GDCN",
    "AutoInt",
    "CTRHead",
    "CrossNetwork",
    "DotInteraction",
    "FinalMLP",
    "MaskNet",
]
