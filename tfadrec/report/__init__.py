"""What a report says of a run beside its metrics: data, curves, ads."""

from tfadrec.report.about_run import about_run
from tfadrec.report.explanations import explanations

__all__ = ["about_run", "explanations"]
