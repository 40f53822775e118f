"""The SavedModel bundle, its signatures, and a reader of it."""

from tfadrec.core.bundle_folder import newest_version, version_path
from tfadrec.serving.ad_order import OrderSettings
from tfadrec.serving.answers import answers
from tfadrec.serving.bundle import export_bundle, open_bundle
from tfadrec.serving.change_ads import change_ads
from tfadrec.serving.client import Client
from tfadrec.serving.examples import to_examples
from tfadrec.serving.gates import Gates
from tfadrec.serving.promotion import promote, roll_back
from tfadrec.serving.ranking_service import RankingService
from tfadrec.serving.re_ranking import ReRanking
from tfadrec.serving.recommend import recommend
from tfadrec.serving.requests import (
    replay,
    request_for_user,
    with_candidates,
)
from tfadrec.serving.servable import check_servable

__all__ = [
    "Client",
    "Gates",
    "OrderSettings",
    "RankingService",
    "ReRanking",
    "answers",
    "change_ads",
    "check_servable",
    "export_bundle",
    "newest_version",
    "open_bundle",
    "promote",
    "recommend",
    "replay",
    "request_for_user",
    "roll_back",
    "to_examples",
    "version_path",
    "with_candidates",
]
