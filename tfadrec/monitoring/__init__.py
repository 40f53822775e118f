"""Requests beside the rows that a model was trained on."""

from tfadrec.monitoring.measured_window import MeasuredWindow
from tfadrec.monitoring.picture import picture
from tfadrec.monitoring.profile import Profile
from tfadrec.monitoring.prometheus import prometheus_page
from tfadrec.monitoring.watch import Watch

__all__ = [
    "MeasuredWindow",
    "Profile",
    "Watch",
    "picture",
    "prometheus_page",
]
