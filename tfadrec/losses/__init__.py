"""Losses that Keras does not have."""

from tfadrec.losses.in_batch_info_nce import InBatchInfoNCE

__all__ = ["InBatchInfoNCE"]
