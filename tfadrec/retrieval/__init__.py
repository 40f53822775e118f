"""Retrieval: the rows of a catalogue whose vectors fit a user's best."""

from tfadrec.retrieval.anchor_vectors import (
    AnchorVectors,
    ad_features,
)
from tfadrec.retrieval.build_index import build_index
from tfadrec.retrieval.k_means import assign, k_means
from tfadrec.retrieval.known_users import KnownUsers
from tfadrec.retrieval.residual_codes import ResidualCodes
from tfadrec.retrieval.row_filter import FOREVER, RowFilter
from tfadrec.retrieval.vector_index import VectorIndex

__all__ = [
    "FOREVER",
    "AnchorVectors",
    "KnownUsers",
    "ResidualCodes",
    "RowFilter",
    "VectorIndex",
    "ad_features",
    "assign",
    "build_index",
    "k_means",
]
