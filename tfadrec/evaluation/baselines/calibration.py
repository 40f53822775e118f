"""An order of rows to logits."""

from tfadrec.evaluation.baselines.logits import Floats, from_mean
from tfadrec.evaluation.baselines.newton import fit_logistic
from tfadrec.evaluation.baselines.one_column import OneColumn

#: The least slope, which keeps an order and changes no probability.
_LEAST_SLOPE = 1e-6


def calibration(
    scores: Floats, labels: Floats, weights: Floats, rate: float
) -> tuple[float, float]:
    """What turns scores z of any scale into logits a + b z, in their order.

    Where larger scores are clicked no more often than others, b is next to 0
    and a is the logit of the rate.

    Args:
      scores: [n] of training rows.
      labels: [n], 0 and 1.
      weights: [n], how many rows each stands for.
      rate: of clicks.

    Returns:
      a, and b > 0, by logistic regression.
    """
    if len(labels) and labels.min() < labels.max():
        rows = [(OneColumn(scores), labels, weights)]
        level, (slope,) = fit_logistic(lambda: rows, l2=1e-3)
        if slope >= _LEAST_SLOPE:
            return level, float(slope)
    return float(from_mean(rate, True)), _LEAST_SLOPE
