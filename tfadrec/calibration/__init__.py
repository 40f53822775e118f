"""Logits that are as often right as they say, learned from a few rows."""

from tfadrec.calibration.calibration import Calibration
from tfadrec.calibration.cross_fitted import cross_fitted
from tfadrec.calibration.fit_calibration import fit_calibration
from tfadrec.calibration.methods import METHODS
from tfadrec.calibration.mixture import Mixture

__all__ = [
    "METHODS",
    "Calibration",
    "Mixture",
    "cross_fitted",
    "fit_calibration",
]
