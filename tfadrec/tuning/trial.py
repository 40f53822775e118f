"""Starting a trial's process, and waiting for it."""

import errno
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tfadrec.core.replace_file import replace_text
from tfadrec.core.scratch_folder import FRESH, clear_leftovers, scratch_folder
from tfadrec.runs.folder import MODEL, clear_run
from tfadrec.tuning.files import read_json

#: The exit code of a trial's process that found the disk full.
DISK_FULL = 74


def run_trial(
    folder: pathlib.Path,
    task: dict[str, Any],
    promoted: pathlib.Path | None = None,
    watch: Callable[[list[dict[str, float]]], None] = lambda history: None,
) -> dict[str, Any]:
    """Trains in another process, or reads what that has left.

    Args:
      folder: the trial's; a trial of the same task that was killed there goes
        on, and one that ended is not done again.
      task: see `trial_process`.
      promoted: the folder of a trial whose run this one goes on with.
      watch: called about once a second with the history so far.

    Returns:
      See `trial_process.run_task`.

    Raises:
      OSError: where the disk is full; the trial has not failed, and is done
        again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(task, indent=1)
    file, result = folder / "task.json", folder / "result.json"
    same = file.is_file() and file.read_text(encoding="utf-8") == text
    if same and "metrics" in read_json(result):
        return read_json(result)
    if not same:
        clear_run(folder / "run")
        replace_text(file, text)
    result.unlink(missing_ok=True)
    if promoted is not None and (promoted / "run").is_dir():
        _copy(promoted / "run", folder / "run")
    path = os.pathsep.join(filter(None, sys.path))
    with open(folder / "log.txt", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tfadrec.tuning.trial_process", str(folder)],
            stdin=subprocess.PIPE,  # closed when this process is gone
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": path},
        )
    try:
        while process.poll() is None:
            watch(read_json(folder / "run" / "state.json").get("history", []))
            time.sleep(0.5)
    finally:
        process.kill()
        process.communicate()  # waits, and closes the pipe
    if process.returncode == DISK_FULL:
        raise OSError(
            errno.ENOSPC,
            "a trial needs room for its files; free some and search again, "
            "which goes on",
            str(folder),
        )
    return read_json(result) or {
        "error": f"its process ended with code {process.returncode}; see "
        f"{folder / 'log.txt'}"
    }


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
    """A run as it is before the epochs that are still to come."""
    clear_leftovers(target, "run")
    if target.exists():
        return
    with scratch_folder(target, "run") as scratch:
        fresh = scratch / FRESH
        shutil.copytree(source, fresh, ignore=shutil.ignore_patterns(MODEL))
        os.replace(fresh, target)
