"""Short specs of features, and fields that are built."""

import numpy as np

from tfadrec.core.door import keras
from tfadrec.layers.features.kinds import FIELDS


def spec(name, kind, **fields):
    """As `Feature.spec` gives it."""
    return {
        "name": name,
        "entity": "ad",
        "kind": kind,
        "num_codes": 1,
        "width": 0,
        **fields,
    }


def make(feature, width=2, initializer="uniform"):
    """A field that is built, and what its embedding holds."""
    keras.utils.set_random_seed(0)
    field = FIELDS[feature["kind"]](
        feature, width, initializer, name=feature["name"]
    )
    field.build(None)
    table = field.table
    return field, None if table is None else table.numpy()


def fill(field):
    """Numbers that are told apart in the embedding: row 3 is [30, 31, ...]."""
    rows, width = field.table.shape
    table = np.add.outer(10.0 * np.arange(rows), np.arange(width))
    field.table.assign(table)
    return table.astype(np.float32)
