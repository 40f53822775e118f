"""A trial on a full disk has not failed: it is run again."""

import errno
import importlib
import json
import sys

import pytest

from tfadrec.tuning.trial import DISK_FULL, run_trial

process = importlib.import_module("tfadrec.tuning.trial_process")

FULL = OSError(errno.ENOSPC, "No space")
OTHER = FileNotFoundError(errno.ENOENT, "x")


@pytest.mark.parametrize("error", [FULL, OTHER], ids=repr)
def test_what_a_task_comes_to(tmp_path, monkeypatch, error):
    def train(*_):
        raise error

    monkeypatch.setattr(process, "_train", train)
    (tmp_path / "task.json").write_text("{}")
    if error is FULL:
        with pytest.raises(type(error)):
            process.run_task(tmp_path)
    else:
        assert "error" in process.run_task(tmp_path)


@pytest.mark.parametrize("code", [DISK_FULL, 1])
def test_what_the_search_is_told(tmp_path, monkeypatch, code):
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    trial = tmp_path / "trial_0"
    if code == DISK_FULL:
        with pytest.raises(OSError, match="needs room for its files"):
            run_trial(trial, {})
    else:
        assert "ended with code 1" in json.dumps(run_trial(trial, {}))
