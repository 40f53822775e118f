"""How good a ranking is: exact NumPy metrics and a streaming Keras metric.

`ranking` holds the NumPy metrics and loads without TensorFlow; `AUC`, the
Keras metric, loads TensorFlow on first use.
"""

from tfadrec.metrics import ranking

__all__ = ["AUC", "ranking"]


def __getattr__(name: str):
    if name == "AUC":
        from tfadrec.metrics.auc import AUC

        return AUC
    raise AttributeError(f"module 'tfadrec.metrics' has no attribute {name!r}")
