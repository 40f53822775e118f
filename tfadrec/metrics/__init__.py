"""How good a ranking is: exact NumPy metrics and streaming Keras metrics.

`ranking` holds the NumPy metrics and loads without TensorFlow. The Keras
metrics, for `compile`, load TensorFlow on first use.
"""

import importlib

from tfadrec.metrics import ranking
from tfadrec.metrics.named import from_name

#: Keras metric -> its file.
_KERAS = {
    "AUC": "auc",
    "MRR": "mrr",
    "NDCG": "ndcg",
    "RequestAUC": "request_auc",
}

__all__ = ["AUC", "MRR", "NDCG", "RequestAUC", "from_name", "ranking"]


def __getattr__(name: str):
    if name in _KERAS:
        module = importlib.import_module(f"tfadrec.metrics.{_KERAS[name]}")
        return getattr(module, name)
    raise AttributeError(f"module 'tfadrec.metrics' has no attribute {name!r}")
