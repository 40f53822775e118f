"""What a report says of a run beside its metrics: data, curves, ads."""

from tfadrec.report.about_run import AboutRun, about_run
from tfadrec.report.curves import curves_section
from tfadrec.report.explanations import explanations_section

__all__ = ["AboutRun", "about_run", "curves_section", "explanations_section"]
