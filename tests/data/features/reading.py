"""One column through parse, describe, encode and decode."""

import dataclasses

import pyarrow as pa

from tfadrec.core.feature import Feature
from tfadrec.data.features import KINDS


def parse(kind, values, type=None, separator=" ", **settings):
    """The typed column, and which values could not be read."""
    column = pa.chunked_array([pa.array(values, type)])
    return KINDS[kind].parse(column, separator, settings)


def describe(kind, column, known=None, **changes):
    """The feature of a typed column; settings and `of`, `share`, `entity`."""
    fields = {"name": "x", "entity": "ad", "of": (), "share": ""}
    fields = {key: changes.pop(key, value) for key, value in fields.items()}
    feature = Feature(kind=kind, **fields)
    feature = KINDS[kind].describe(feature, column, known or {}, **changes)
    return dataclasses.replace(feature, tensor=feature.name)


def encode(column, feature):
    return KINDS[feature.kind].encode(column, feature)


def decode(columns, feature):
    return KINDS[feature.kind].decode(columns, feature)
