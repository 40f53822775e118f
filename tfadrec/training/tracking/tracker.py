"""What every program that keeps runs is asked for."""

import abc
from collections.abc import Mapping
from typing import ClassVar

from tfadrec.data.dataset import Dataset
from tfadrec.models import AdRanker

#: Settings by their places, as `fit.epochs`.
Settings = Mapping[str, str | int | float | bool]


class Tracker(abc.ABC):
    """Keeps the settings and the metrics of one run.

    Attributes:
      name: of the program, as in the section `track`.
    """

    name: ClassVar[str]

    @abc.abstractmethod
    def begin(self, run: str, settings: Settings, known: str | None) -> str:
        """Begins a tracked run, or goes on with one.

        Args:
          run: what it is called.
          settings: of the run.
          known: what `begin` has returned when the run was begun; None for a
            new one.

        Returns:
          The id by which the program knows it.
        """

    @abc.abstractmethod
    def log(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Keeps the metrics of an epoch, which is counted from 1."""

    @abc.abstractmethod
    def show(self, ranker: AdRanker, dataset: Dataset) -> None:
        """Keeps what there is to see of a trained ranker."""

    @abc.abstractmethod
    def end(self, *, has_failed: bool) -> None:
        """Ends the tracked run, which may go on later."""
