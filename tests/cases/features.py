"""Features of all kinds."""

from tests.cases.arrays import D, column_specs, columns, normal, rows, spec
from tests.conformance import Case
from tests.data import rich_dataset
from tfadrec import layers
from tfadrec.core.door import tf
from tfadrec.layers.features.traits import num_traits

#: Of an ad, with a map and an overlap that some user would have.
FEATURES = [f.spec() for f in rich_dataset.schema().of("ad")]
FEATURES += [
    f.spec()
    for f in rich_dataset.schema().features
    if f.name in ("by brand", "taste", "searched")
]
RATES = [
    {"name": "ad_rate", "kind": "rate"},
    {"name": "shown", "kind": "count"},
]
TOLD = [f for f in FEATURES[:-3] if num_traits(f)]
LIKES = {"likes": spec(None, 2, dtype=tf.int32)}

CASES = {
    "FeatureFields": Case(
        lambda **kwargs: layers.FeatureFields(
            FEATURES,
            D,
            dropout=0.37,
            initializer="glorot_normal",
            flat=True,
            **kwargs,
        ),
        lambda batch, time: {
            **columns(FEATURES, batch, time),
            "likes": rows(batch, time, 2, high=4),
        },
        {**column_specs(FEATURES, None), **LIKES},
        float32="dropout",
    ),
    "RatePath": Case(
        lambda **kwargs: layers.RatePath(RATES, start=0.3, **kwargs),
        lambda batch, time: {
            feature["name"]: normal(batch, time) for feature in RATES
        },
        {feature["name"]: spec(None) for feature in RATES},
    ),
    "Traits": Case(
        lambda **kwargs: layers.Traits(TOLD, D, **kwargs),
        lambda batch, time: columns(TOLD, batch, time),
        column_specs(TOLD, None),
        float32="trait_.*",
    ),
}
