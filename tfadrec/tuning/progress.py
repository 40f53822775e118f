"""A live table of trials on standard error."""

import shutil
import sys
import time

from tfadrec.core import progress
from tfadrec.tuning.leaderboard import Leaderboard, show

_HEAD = f"{'trial':>5}  {'status':<10}  {'score':>8}  {'best':>8}  epochs  secs"


class Progress:
    """Shows a line for each trial that ends, and one that is running.

    Args:
      oracle: keras-tuner's, here; on a worker it knows no trials.
      enabled: whether to show anything.
    """

    def __init__(self, oracle, enabled: bool) -> None:
        self._oracle, self._enabled = oracle, enabled
        self._live = enabled and sys.stderr.isatty()
        self._said_head = False
        self._told: set[str] = set()
        self._running = ""
        self._told_at = time.monotonic()

    def say(self, line: str) -> None:
        """Writes a line above the running one."""
        if self._enabled:
            self._told_at = time.monotonic()
            clear = "\r\x1b[2K" if self._live else ""
            print(clear + line, file=sys.stderr, flush=True)

    def begun(self, trial) -> None:
        """Notes the trial that is run by this process."""
        self._running = f"trial {trial.trial_id}"
        if not self._oracle.trials:  # on a worker
            self.say(self._running)

    def trained(self, history: list[dict[str, float]]) -> None:
        """Rewrites the line of the running trial on a terminal.

        Elsewhere it writes one now and then.
        """
        if not self._enabled:
            return
        line = f"{self._running}  epoch {len(history) + 1}"
        if history:
            name = self._oracle.objective.name
            line += f"  {name} {history[-1][name]:.4f}"
        if not self._live:
            if time.monotonic() - self._told_at >= progress.LINE_SECONDS:
                self.say(line)
            return
        width = shutil.get_terminal_size().columns - 1
        print("\r\x1b[2K" + line[:width], end="", file=sys.stderr, flush=True)

    def ended(self) -> None:
        """Writes a line for each trial that has ended since."""
        if not self._enabled or not self._oracle.trials:
            return
        board = Leaderboard.of(self._oracle)
        best = board.completed[0]["score"] if board.completed else None
        for trial in sorted(board.trials, key=lambda t: t["trial"]):
            if trial["status"] == "running" or trial["trial"] in self._told:
                continue
            self._told.add(trial["trial"])
            if not self._said_head:
                self._said_head = True
                goal = f"{board.objective}, {board.direction}"
                self.say(f"{_HEAD}  settings  [{goal}]")
            values = trial["message"] or " ".join(
                f"{k}={show(v)}" for k, v in trial["values"].items()
            )
            self.say(
                f"{trial['trial']:>5}  {trial['status']:<10}  "
                f"{show(trial['score']):>8}  {show(best):>8}  "
                f"{trial['epochs']:>6}  {trial.get('seconds', 0):>4.0f}  "
                f"{values}"
            )
