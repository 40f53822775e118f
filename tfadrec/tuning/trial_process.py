"""One trial in a process of its own: `python -m tfadrec.tuning.trial_process`.

Its argument is a folder with `task.json`. The process writes the run folder
`run/` and `result.json`, and ends when whoever started it is gone.
"""

import contextlib
import json
import os
import pathlib
import sys
import threading
import time
import traceback
from typing import Any

from tensorboard.plugins.hparams import api as hparams

from tfadrec.core.config import RunConfig
from tfadrec.core.disk_errors import is_full
from tfadrec.core.door import tf
from tfadrec.core.errors import TfadrecError
from tfadrec.core.replace_file import replace_text
from tfadrec.data.open_dataset import open_dataset
from tfadrec.training.build import build_ranker
from tfadrec.training.opened import split_parts
from tfadrec.training.run import train
from tfadrec.training.text import text_chosen, with_text
from tfadrec.tuning.budget import Budget
from tfadrec.tuning.files import read_json
from tfadrec.tuning.trial import DISK_FULL


def run_task(folder: pathlib.Path) -> dict[str, Any]:
    """Trains what `task.json` says, and tells what came of it.

    Returns:
      `metrics` of the best epoch, its number `best_epoch`, and `history`; or
      `infeasible` or `error` with one line. With a budget also what the model
      costs, and always `seconds`.

    Raises:
      Exception: where the disk is full, which is no fault of a trial.
    """
    task = read_json(folder / "task.json")
    begun = time.monotonic()
    result: dict[str, Any] = {}
    try:
        result |= _train(folder, task)
    except Exception as error:
        if is_full(error):
            raise
        traceback.print_exc()  # into the trial's log
        line = " ".join(str(error).split())
        if not isinstance(error, TfadrecError):
            line = f"{type(error).__name__}: {line}"
        result["error"] = line
    result["seconds"] = time.monotonic() - begun
    return result


def _train(folder: pathlib.Path, task: dict[str, Any]) -> dict[str, Any]:
    config = RunConfig.from_yaml(task["config"])
    allowed = task.get("allow_import", ())
    result: dict[str, Any] = {}
    if task["budget"] is not None:
        budget = Budget(**task["budget"])
        dataset, _ = split_parts(open_dataset(task["data"]), config)
        dataset = with_text(dataset, text_chosen(config.text, dataset))
        result |= budget.measure(
            build_ranker(config, dataset, allow_import=allowed), dataset
        )
        over = budget.exceeded(result)
        if over is not None:
            return result | {"infeasible": over}
    run = train(
        task["data"],
        config,
        folder / "run",
        until=task["until"],
        allow_import=allowed,
    )
    best = run.best
    writer = tf.summary.create_file_writer(str(folder / "run" / "tensorboard"))
    with writer.as_default():
        hparams.hparams(task["values"], trial_id=folder.name)
        for name, value in best.items():
            tf.summary.scalar(name, value, step=len(run.history))
    writer.close()
    return result | {
        "metrics": best,
        "best_epoch": run.history.index(best) + 1,
        "history": run.history,
    }


def _end_with_parent() -> None:
    """Ends the process once nobody holds the other end of its input."""
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    trial = pathlib.Path(sys.argv[1])
    code = 0
    try:
        replace_text(trial / "result.json", json.dumps(run_task(trial)))
    except Exception as error:
        with contextlib.suppress(OSError):
            traceback.print_exc()
        code = DISK_FULL if is_full(error) else 1
    # Threads of TensorFlow have nothing more to do.
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
