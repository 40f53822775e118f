"""Rankers, retrievers, and what is pretrained alone."""

from tfadrec.models.ad_ranker import AdRanker
from tfadrec.models.ad_retriever import AdRetriever
from tfadrec.models.base import RankingModel
from tfadrec.models.contrastive_model import ContrastiveModel
from tfadrec.models.cross_encoder import CrossEncoder
from tfadrec.models.dataset_sizes import dataset_sizes
from tfadrec.models.language_model import LanguageModel
from tfadrec.models.ranker_ensemble import RankerEnsemble

__all__ = [
    "AdRanker",
    "AdRetriever",
    "ContrastiveModel",
    "CrossEncoder",
    "LanguageModel",
    "RankerEnsemble",
    "RankingModel",
    "dataset_sizes",
]
