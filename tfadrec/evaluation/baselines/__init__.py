"""What any ranker has to beat: predictions that need no deep model."""

from tfadrec.evaluation.baselines.baseline import Baseline
from tfadrec.evaluation.baselines.constant import Constant
from tfadrec.evaluation.baselines.logistic_regression import LogisticRegression
from tfadrec.evaluation.baselines.popularity import Popularity
from tfadrec.evaluation.baselines.smoothed_rate import SmoothedRate
from tfadrec.evaluation.baselines.text_cosine import TextCosine

#: Every baseline, in the order in which they are shown.
BASELINES: tuple[type[Baseline], ...] = (
    Constant,
    Popularity,
    SmoothedRate,
    LogisticRegression,
    TextCosine,
)

__all__ = [
    "BASELINES",
    "Baseline",
    "Constant",
    "LogisticRegression",
    "Popularity",
    "SmoothedRate",
    "TextCosine",
]
