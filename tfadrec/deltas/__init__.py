"""Deltas: what a new version of a bundle changes in an older one."""

from tfadrec.deltas.bundle_delta import apply_delta, write_delta

__all__ = ["apply_delta", "write_delta"]
