"""Interaction layers and heads."""

from tests.cases.arrays import D, normal, spec
from tests.conformance import Case
from tfadrec import layers

HEAD_FLOAT32 = r"cross|cross_\d|output|dense.*"


def features(make, **kwargs):
    """The case of a layer that takes features side by side."""
    return Case(
        make,
        lambda batch, time: normal(batch, time, D),
        spec(None, D),
        **kwargs,
    )


def fields(make, **kwargs):
    """The case of a layer that takes the vectors of four fields."""
    return Case(
        make,
        lambda batch, time: normal(batch, time, 4, D),
        spec(None, 4, D),
        **kwargs,
    )


CASES = {
    "CrossNetwork": features(
        lambda **kwargs: layers.CrossNetwork(3, rank=2, **kwargs),
        float32=r"cross_\d|dense.*",
    ),
    "GDCN": features(lambda **kwargs: layers.GDCN(2, **kwargs)),
    "MaskNet": features(
        lambda **kwargs: layers.MaskNet(3, 5, reduction=1.5, **kwargs)
    ),
    "FinalMLP": features(
        lambda **kwargs: layers.FinalMLP((9, 6), num_heads=3, **kwargs)
    ),
    "FM": fields(layers.FM),
    "DotInteraction": fields(layers.DotInteraction),
    "CIN": fields(lambda **kwargs: layers.CIN((5, 3), **kwargs)),
    "AutoInt": fields(
        lambda **kwargs: layers.AutoInt(3, num_heads=3, **kwargs)
    ),
    "CTRHead": Case(
        lambda **kwargs: layers.CTRHead(
            (16, 8),
            cross_layers=2,
            cross_rank=3,
            dropout=0.37,
            units=2,
            starts_at_zero=True,
            is_bounded=True,
            **kwargs,
        ),
        lambda batch, time: normal(batch, time, D),
        spec(None, D),
        float32=HEAD_FLOAT32,
    ),
}
