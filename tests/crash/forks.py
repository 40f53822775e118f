"""Commands in forks of `tests.crash.zygote`, which may be ended."""

import dataclasses
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time

from tests.processes import ROOT


@dataclasses.dataclass(frozen=True)
class Ended:
    """A command that has ended, or was ended.

    Args:
      code: its exit code, or minus a signal.
      said: what it wrote to standard output and error.
      seconds: of a processor, that it took.
    """

    code: int
    said: str
    seconds: float

    @property
    def changes(self):
        """How often it has changed a file; 0 where it was killed."""
        told = re.search(r"^(\d+) changes$", self.said, re.MULTILINE)
        return int(told.group(1)) if told else 0


class Forks:
    """A process that has imported everything, and forks for each command."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            cwd=ROOT,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        self._said = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self._process.stderr:
            self._said.put(line)

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()

    def run(
        self, arguments, home, *, most=None, way=None, change=None, after=None
    ):
        """Runs a command.

        Args:
          arguments: of the command line.
          home: what it writes to; `cache` in it is its cache.
          most: bytes that a file may have.
          way: a signal that ends it.
          change: when it is about to change a file for the n-th time.
          after: or after so many seconds of a processor.
        """
        task = {
            "arguments": list(map(str, arguments)),
            "home": str(home),
            "most": most,
            "way": way,
            "change": change,
        }
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        number = int(self._process.stdout.readline())
        ended = threading.Event()
        ending = threading.Thread(target=_end, args=(number, way, after, ended))
        if after is not None:
            ending.start()
        code, seconds = self._process.stdout.readline().split()
        ended.set()
        if after is not None:
            ending.join()
        said = "".join(iter(self._said.get, "\0\n"))
        return Ended(int(code), said, float(seconds))


def _end(number, way, after, ended):
    """Sends a signal, again where a library has lost it."""
    while _used(number) < after:
        if ended.wait(0.002):
            return
    for _ in range(60):
        try:
            os.kill(number, way)
        except ProcessLookupError:
            return
        if ended.wait(5):
            return


def _used(number):
    """Seconds of a processor that a process has taken; all where it ended."""
    try:
        # As clock_getcpuclockid has it.
        return time.clock_gettime((~number << 3) | 2)
    except OSError:
        return float("inf")
