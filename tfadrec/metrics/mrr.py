"""How high the first click of a request stands, as a Keras metric."""

from tfadrec.core.door import register
from tfadrec.metrics.request_metric import RequestMetric
from tfadrec.ops import slate_metrics


@register
class MRR(RequestMetric):
    """Streaming mean of 1 / rank of the first click, over requests.

    Requests without a click, or of clicks only, are left out. Equal scores have
    no order: they earn the mean over all orders, so the result is that of
    `metrics.ranking.mrr`. A score that is not finite makes it nan until
    `reset_state`.

    Args:
      name: string, the name in logs.
      dtype: as for any Keras metric.

    Call args:
      y_true: [B, C], 0 or 1.
      y_pred: [B, C], logits.
      sample_weight: [B, C], 0 in padding; other sizes play no part. In
        `compile`, Keras hands it to `weighted_metrics` alone.

    Returns:
      A float32 scalar in [0, 1], or nan.

    Example:
      >>> metric = MRR()
      >>> metric.update_state([[0, 1, 0]], [[3.0, 2.0, 1.0]])
      >>> round(float(metric.result()), 4)
      0.5
    """

    def __init__(self, name: str = "mrr", dtype=None):
        super().__init__(name=name, dtype=dtype)

    def of_requests(self, clicks, scores, mask):
        """1 / rank of the first click of each request, [B]."""
        return slate_metrics.reciprocal_rank(clicks, scores, mask)
