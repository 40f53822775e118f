"""What came of a search."""

import dataclasses
import pathlib
from typing import Any

from tfadrec.core.config import RunConfig
from tfadrec.tuning.leaderboard import Leaderboard


@dataclasses.dataclass(frozen=True)
class Search:
    """A search that is over, as it stands in its folder.

    Args:
      folder: that of the search.
      leaderboard: its trials.
      final: what `finalists.retrain` returned; None without a last choice.
      best: the settings that won.
      run: the run folder of the winner, for `training.load_run`: trained with
        the first seed of the last choice, else the trial's own.
    """

    folder: pathlib.Path
    leaderboard: Leaderboard
    final: dict[str, Any] | None
    best: RunConfig
    run: pathlib.Path
