"""How far long work is, on standard error."""

import sys
import time

from tqdm import tqdm

#: Between two lines where nobody watches a terminal, such as in a log file.
LINE_SECONDS = 30.0


class Progress:
    """Shows a bar on a terminal, and elsewhere a line now and then.

    Work that is done within half a minute leaves no line.

    Args:
      total: how much there is to do; None where that is not known.
      what: the work, such as `Encoding ad text`.
      unit: what is counted, in the plural.
      show: whether anything is shown.
    """

    def __init__(
        self, total: int | None, what: str, unit: str, *, show: bool = True
    ) -> None:
        self._total, self._what, self._unit = total, what, unit
        self._done, self._begun = 0, time.monotonic()
        self._told = self._begun
        # The first units are left out of the speed: they may wait for a graph.
        self._first: tuple[float, int] | None = None
        terminal = sys.stderr.isatty()
        self._lines = show and not terminal
        self._bar = tqdm(
            total=total,
            desc=what,
            unit=unit,
            unit_scale=unit == "B",
            disable=not (show and terminal),
            leave=False,
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def update(self, number: int = 1) -> None:
        """Moves on by some units."""
        self._bar.update(number)
        self._done += number
        now = time.monotonic()
        self._first = self._first or (now, self._done)
        if self._lines and now - self._told >= LINE_SECONDS:
            self._told = now
            print(self._line(now), file=sys.stderr, flush=True)

    def close(self) -> None:
        """Removes the bar."""
        self._bar.close()

    def _line(self, now: float) -> str:
        of = "" if self._total is None else f" of {self._total:,}"
        line = f"{self._what}: {self._done:,}{of} {self._unit}, "
        line += f"{now - self._begun:.0f} s"
        since, before = self._first or (now, self._done)
        if self._total and self._done > before:
            speed = (self._done - before) / (now - since)
            line += f", {(self._total - self._done) / speed:.0f} s to go"
        return line
