"""Metrics over a dataset, by slice, and the report."""

from tfadrec.evaluation.compare import compare
from tfadrec.evaluation.evaluate import evaluate
from tfadrec.evaluation.evaluation import Evaluation
from tfadrec.evaluation.reliability_bin import ReliabilityBin
from tfadrec.evaluation.report import write_report

__all__ = [
    "Evaluation",
    "ReliabilityBin",
    "compare",
    "evaluate",
    "write_report",
]
