"""Whether one model is better than another, and how sure that is."""

from tfadrec.evaluation.comparison.difference import Difference
from tfadrec.evaluation.comparison.differences import differences
from tfadrec.evaluation.comparison.gate import gate
from tfadrec.evaluation.comparison.gate_result import GateResult
from tfadrec.evaluation.comparison.table import (
    difference_rows,
    differences_text,
)
from tfadrec.evaluation.comparison.tally import Tally

__all__ = [
    "Difference",
    "GateResult",
    "Tally",
    "difference_rows",
    "differences",
    "differences_text",
    "gate",
]
