"""Metrics over a dataset, by slice, beside baselines, and the report."""

from tfadrec.evaluation.choices import choices, choices_text
from tfadrec.evaluation.compare import compare
from tfadrec.evaluation.comparison import (
    Difference,
    Tally,
    differences,
    differences_text,
    gate,
)
from tfadrec.evaluation.evaluate import evaluate, measure
from tfadrec.evaluation.evaluate_baselines import evaluate_baselines
from tfadrec.evaluation.evaluation import Evaluation
from tfadrec.evaluation.fairness import Fairness, measure_fairness
from tfadrec.evaluation.probabilities import probabilities_text
from tfadrec.evaluation.reliability_bin import ReliabilityBin
from tfadrec.evaluation.replay_table import (
    replay_line,
    replay_sums,
    replay_table,
)
from tfadrec.evaluation.report import write_report
from tfadrec.evaluation.retrieval import evaluate_retrieval, retrieval_line
from tfadrec.evaluation.rows import rows_facts, rows_line
from tfadrec.evaluation.standings import standings
from tfadrec.evaluation.verdicts import verdicts

__all__ = [
    "Difference",
    "Evaluation",
    "Fairness",
    "ReliabilityBin",
    "Tally",
    "choices",
    "choices_text",
    "compare",
    "differences",
    "differences_text",
    "evaluate",
    "evaluate_baselines",
    "evaluate_retrieval",
    "gate",
    "measure",
    "measure_fairness",
    "probabilities_text",
    "replay_line",
    "replay_sums",
    "replay_table",
    "retrieval_line",
    "rows_facts",
    "rows_line",
    "standings",
    "verdicts",
    "write_report",
]
