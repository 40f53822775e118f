"""The best ads of an answer, read once more by a cross-encoder."""

from tfadrec.serving.re_ranking.re_ranker import ReRanker
from tfadrec.serving.re_ranking.re_ranking import ReRanking

__all__ = ["ReRanker", "ReRanking"]
