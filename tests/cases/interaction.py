"""Interaction layers and heads."""

from tests.cases.arrays import D, normal, spec
from tests.conformance import Case
from tfadrec import layers

HEAD_FLOAT32 = r"cross_\d|output|dense.*"

CASES = {
    "CTRHead": Case(
        lambda **kwargs: layers.CTRHead(
            (16, 8), cross_layers=2, cross_rank=3, dropout=0.37, **kwargs
        ),
        lambda batch, time: normal(batch, time, D),
        spec(None, D),
        float32=HEAD_FLOAT32,
    ),
}
