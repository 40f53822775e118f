"""Rankers and the baselines that they have to beat."""

from tfadrec.models.ad_ranker import AdRanker
from tfadrec.models.base import RankingModel
from tfadrec.models.popularity import Popularity

__all__ = ["AdRanker", "Popularity", "RankingModel"]
