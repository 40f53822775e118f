"""Adapters that turn published logs into datasets."""

from tfadrec.data.sources.mind import prepare_mind
from tfadrec.data.sources.movielens_100k import prepare_movielens_100k
from tfadrec.data.sources.synthetic import prepare_synthetic
from tfadrec.data.sources.table import prepare_table

__all__ = [
    "prepare_mind",
    "prepare_movielens_100k",
    "prepare_synthetic",
    "prepare_table",
]
