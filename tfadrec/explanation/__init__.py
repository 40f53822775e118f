"""Why a ranker scores an ad as it does: for one request, and in sum."""

from tfadrec.explanation.deletion import Deletion, deletion_check
from tfadrec.explanation.explain import explain
from tfadrec.explanation.explanation import Explanation
from tfadrec.explanation.importance import Importance
from tfadrec.explanation.near_ads import near_ads
from tfadrec.explanation.of_request import explain_request
from tfadrec.explanation.of_run import explain_run
from tfadrec.explanation.permutation import importances
from tfadrec.explanation.question import Question
from tfadrec.explanation.rank_creatives import rank_creatives
from tfadrec.explanation.served_explainer import ServedExplainer
from tfadrec.explanation.summary import Summary
from tfadrec.explanation.text import (
    creatives_text,
    request_text,
    summary_text,
)

__all__ = [
    "Deletion",
    "Explanation",
    "Importance",
    "Question",
    "ServedExplainer",
    "Summary",
    "creatives_text",
    "deletion_check",
    "explain",
    "explain_request",
    "explain_run",
    "importances",
    "near_ads",
    "rank_creatives",
    "request_text",
    "summary_text",
]
