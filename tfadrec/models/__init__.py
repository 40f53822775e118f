"""Rankers, the baselines they have to beat, and what is pretrained alone."""

from tfadrec.models.ad_ranker import AdRanker
from tfadrec.models.base import RankingModel
from tfadrec.models.contrastive_model import ContrastiveModel
from tfadrec.models.dataset_sizes import dataset_sizes
from tfadrec.models.language_model import LanguageModel
from tfadrec.models.popularity import Popularity

__all__ = [
    "AdRanker",
    "ContrastiveModel",
    "LanguageModel",
    "Popularity",
    "RankingModel",
    "dataset_sizes",
]
