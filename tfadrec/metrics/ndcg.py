"""How well a request's first ranks are filled, as a Keras metric."""

from tfadrec.core.door import register
from tfadrec.core.errors import InputError
from tfadrec.metrics.request_metric import RequestMetric
from tfadrec.ops import slate_metrics


@register
class NDCG(RequestMetric):
    """Streaming mean of NDCG@k over requests.

    Requests without a click, or of clicks only, are left out. Equal scores have
    no order: they earn the mean over all orders, so the result is that of
    `metrics.ranking.ndcg`. A score that is not finite makes it nan until
    `reset_state`.

    Args:
      k: ranks that count, >= 1.
      name: string, the name in logs.
      dtype: as for any Keras metric.

    Call args:
      y_true: [B, C], 0 or 1.
      y_pred: [B, C], logits.
      sample_weight: [B, C], 0 in padding; other sizes play no part. In
        `compile`, Keras hands it to `weighted_metrics` alone.

    Returns:
      A float32 scalar in [0, 1], or nan.

    Raises:
      InputError: where k is not an integer >= 1.

    Example:
      >>> metric = NDCG(10)
      >>> metric.update_state([[0, 1, 0]], [[3.0, 2.0, 1.0]])
      >>> round(float(metric.result()), 4)
      0.6309
    """

    def __init__(self, k: int, name: str | None = None, dtype=None):
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise InputError(
                f"`k` must be an integer >= 1. Received: {k!r}. Pass the "
                "number of ranks that count."
            )
        super().__init__(name=name or f"ndcg_{k}", dtype=dtype)
        self.k = k

    def of_requests(self, clicks, scores, mask):
        """NDCG@k of each request, [B]."""
        return slate_metrics.ndcg(clicks, scores, mask, self.k)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), "k": self.k}
