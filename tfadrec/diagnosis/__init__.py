"""What is wrong with a dataset, a run, a bundle or a search, and what to do."""

from tfadrec.diagnosis.examine import (
    examine_bundle,
    examine_dataset,
    examine_run,
    examine_run_folder,
    examine_sweep,
)
from tfadrec.diagnosis.finding import Finding

__all__ = [
    "Finding",
    "examine_bundle",
    "examine_dataset",
    "examine_run",
    "examine_run_folder",
    "examine_sweep",
]
