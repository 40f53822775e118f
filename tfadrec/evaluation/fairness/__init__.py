"""Who is shown, and how well, by the values of a column."""

from tfadrec.evaluation.fairness.fairness import Fairness
from tfadrec.evaluation.fairness.gap import Gap
from tfadrec.evaluation.fairness.measure_fairness import measure_fairness

__all__ = ["Fairness", "Gap", "measure_fairness"]
