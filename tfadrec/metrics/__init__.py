"""How good a ranking is: exact NumPy metrics and streaming Keras metrics.

`ranking`, `top`, `probabilities`, `exposure` and `policy` hold the NumPy
metrics and load without TensorFlow. The Keras metrics, for `compile`, load
TensorFlow on first use.
"""

import importlib

from tfadrec.metrics import exposure, policy, probabilities, ranking, top
from tfadrec.metrics.named import from_name

#: Keras metric -> its file.
_KERAS = {
    "AUC": "auc",
    "MRR": "mrr",
    "NDCG": "ndcg",
    "RequestAUC": "request_auc",
}

__all__ = [
    "AUC",
    "MRR",
    "NDCG",
    "RequestAUC",
    "exposure",
    "from_name",
    "policy",
    "probabilities",
    "ranking",
    "top",
]


def __getattr__(name: str):
    if name in _KERAS:
        module = importlib.import_module(f"tfadrec.metrics.{_KERAS[name]}")
        return getattr(module, name)
    raise AttributeError(f"module 'tfadrec.metrics' has no attribute {name!r}")
