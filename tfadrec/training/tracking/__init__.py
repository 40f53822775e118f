"""Runs in programs that keep and show many of them."""

from tfadrec.training.tracking.tracked import tracked
from tfadrec.training.tracking.tracker import Tracker
from tfadrec.training.tracking.trackers import trackers

__all__ = ["Tracker", "tracked", "trackers"]
