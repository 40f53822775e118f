"""Files that hold anything: exit codes 0, 1, 2, one line, bounded.

A few changed files of each kind in this process by default; many as a slow
test, in a process beside it, where an abort and a hang are told apart and its
memory is read.

    TFADREC_FUZZ=20000 python -m pytest tests/fuzz -m slow -n0 -s
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time

import hypothesis
import pytest

from tests.fuzz import calls
from tests.fuzz.kinds import QUICK, SLOW
from tests.processes import ROOT

SECONDS = 10
KIB = 2 * 2**20
#: Of a process that other work keeps waiting.
_PATIENCE = 120
FEW = 8
#: What libraries write to standard error beside the one line.
NOISE = (b"panicked at", b"Warning: ", b"Traceback")
#: Of all kinds together, as a slow test.
MANY = int(os.environ.get("TFADREC_FUZZ", "2000"))


def name_of(kind):
    return type(kind).__name__


def check(code, lines, shown):
    assert code in (0, 1, 2), shown
    assert len(lines) == (0 if code == 0 else 1), shown
    assert all(line.isprintable() for line in lines), shown


@pytest.mark.parametrize("kind", QUICK, ids=name_of)
def test_a_few_files_of_each_kind(kind, tmp_path):
    kind.fill(tmp_path)
    check_good(kind, tmp_path, calls.outcome)

    @hypothesis.settings(max_examples=FEW)
    @hypothesis.given(kind.strategy())
    def holds(changed):
        name, data = changed
        kept = (
            (tmp_path / name).read_bytes()
            if (tmp_path / name).exists()
            else b""
        )
        kind.put(tmp_path, name, data)
        begun = time.process_time()
        code, lines = calls.outcome(kind.call, tmp_path)
        assert time.process_time() - begun < SECONDS, changed
        check(code, lines, (changed, code, lines))
        kind.put(tmp_path, name, kept)

    holds()


def check_good(kind, folder, ask):
    """Good files are read: or what is changed in them would test nothing."""
    for name, data in kind.good() or [(None, b"")]:
        if name is not None:
            kind.put(folder, name, data)
        code, lines = ask(kind.call, folder)
        assert (code, lines) == (0, []), (name, code, lines)


class Worker:
    """`tests.fuzz.calls` in a process of its own, begun again when it ends.

    Args:
      errors: a file for its standard error.
    """

    def __init__(self, errors):
        self._process = None
        self._errors, self._read = errors, 0

    def ask(self, call, folder):
        """What a call came to; `code` is 4 for an abort, and 5 for a hang.

        Standard error since the call before comes with it, as `said`.
        """
        if self._process is None:
            self._begin()
        self._process.stdin.write(json.dumps([call, str(folder)]) + "\n")
        self._process.stdin.flush()
        try:
            line = self._answers.get(timeout=_PATIENCE)
        except queue.Empty:
            self.close()
            return {"code": 5, "lines": ["it hangs"]}
        if line is None:
            self.close()
            return {"code": 4, "lines": ["the process has ended"]}
        said = os.pread(self._errors.fileno(), 2**20, self._read)
        self._read += len(said)
        return {**json.loads(line[1:]), "said": said}

    def outcome(self, call, folder):
        """As `calls.outcome`."""
        found = self.ask(call, folder)
        return found["code"], found["lines"]

    def close(self):
        if self._process is not None:
            self._process.kill()
            self._process.stdin.close()
            self._process.wait()
            self._reader.join()
            self._process.stdout.close()
        self._process = None

    def _begin(self):
        self._answers = answers = queue.Queue()
        self._process = process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.calls"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
        )

        def read():
            for line in process.stdout:
                if line.startswith("@"):
                    answers.put(line)
            answers.put(None)

        self._reader = threading.Thread(target=read, daemon=True)
        self._reader.start()


@pytest.mark.slow
@pytest.mark.parametrize("kind", SLOW, ids=name_of)
def test_many_of_each_kind(kind, tmp_path):
    kind.fill(tmp_path)
    counts = dict.fromkeys((0, 1, 2), 0)

    @hypothesis.settings(
        max_examples=max(1, MANY // len(SLOW)),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(kind.strategy())
    def holds(changed):
        name, data = changed
        path = tmp_path / name
        kept = path.read_bytes() if path.exists() else b""
        kind.put(tmp_path, name, data)
        found = worker.ask(kind.call, tmp_path)
        kind.put(tmp_path, name, kept)
        shown = (name, data[:3000], found)
        check(found["code"], found["lines"], shown)
        assert found["seconds"] < SECONDS, shown
        assert found["kib"] < KIB, shown
        assert not any(word in found["said"] for word in NOISE), shown
        counts[found["code"]] += 1

    with (
        tempfile.TemporaryFile() as errors,
        contextlib.closing(Worker(errors)) as worker,
    ):
        check_good(kind, tmp_path, worker.outcome)
        holds()
    print(f"{name_of(kind)}: {counts}")
