"""What is wrong with a dataset or a run, and what to do about it."""

from tfadrec.diagnosis.examine import examine_dataset, examine_run
from tfadrec.diagnosis.finding import Finding

__all__ = ["Finding", "examine_dataset", "examine_run"]
