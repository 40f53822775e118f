"""Trials in processes of their own: results, kills, memory, workers."""

import contextlib
import importlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest
import yaml

from tests.processes import ROOT, run
from tests.training import small

trial_module = importlib.import_module("tfadrec.tuning.trial")

SPACE = small.YAML.replace(
    "{class: LazyAdam, learning_rate: 0.01}",
    "{class: LazyAdam, learning_rate: "
    "{float: {min: 0.003, max: 0.1, log: true}}}",
).replace("epochs: 4", "epochs: 3")

#: In a fresh process: the run of the best trial, and its score.
RELOAD = """
import json, sys
from tfadrec import evaluation, training
run = training.load_run(sys.argv[1])
found = evaluation.evaluate(run.ranker, run.valid).metrics["clicked"]
print(json.dumps(found["gauc"]))
"""


def task(config, **others):
    return {
        "data": str(small.world()),
        "config": config.to_yaml(),
        "until": None,
        "budget": None,
        "values": {"ad_tower.width": 4},
        **others,
    }


@pytest.mark.slow
@pytest.mark.parametrize("promoted", [False, True])
def test_a_trial_is_the_training_of_its_settings(tmp_path, promoted):
    """Also once promoted: epochs in two processes are those of one."""
    seen = []
    first = None
    if promoted:
        first = tmp_path / "trial_0"
        found = trial_module.run_trial(first, task(small.config(), until=2))
        assert found["history"] == small.run().history[:2]
    folder = tmp_path / "trial_1"
    found = trial_module.run_trial(
        folder,
        task(small.config()),
        first,
        watch=lambda history: seen.append(len(history)),
    )
    assert seen[0] == (2 if promoted else 0)
    assert found["history"] == small.run().history
    assert found["metrics"] == small.run().best
    assert "hparams" in "".join(hparams_of(folder / "run" / "tensorboard"))
    # What has ended is not done again, and other settings are.
    log = (folder / "log.txt").stat().st_size
    assert found == trial_module.run_trial(folder, task(small.config()))
    assert (folder / "log.txt").stat().st_size == log


def hparams_of(folder):
    """The plugins of TensorBoard that read what stands in a folder."""
    from tensorboard.backend.event_processing import event_file_loader

    for file in folder.glob("events*"):
        for event in event_file_loader.EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                yield value.metadata.plugin_data.plugin_name


@pytest.mark.slow
def test_what_fails_is_told(tmp_path):
    wrong = small.config(encoder={"hidden_units": [0]})
    found = trial_module.run_trial(tmp_path / "a", task(wrong))
    assert found["error"].startswith("`encoder.hidden_units` must be")
    budget = {"parameters": 10}
    found = trial_module.run_trial(
        tmp_path / "b", task(small.config(), budget=budget)
    )
    assert found["infeasible"].startswith("over the budget: parameters ")
    assert not (tmp_path / "b" / "run").exists()
    found = trial_module.run_trial(
        tmp_path / "c", task(small.config()) | {"config": "3: ["}
    )
    assert "a config must be YAML" in found["error"]


def command(out, *arguments):
    space = out.parent / "space.yaml"
    space.write_text(SPACE)
    return [
        *(sys.executable, "-m", "tfadrec", "tune"),
        *("--data", small.world(), "--space", space, "--out", out),
        *("--objective", "val_gauc", *arguments),
    ]


def start(out, *arguments):
    return subprocess.Popen(
        list(map(str, command(out, *arguments))),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def trials(out):
    found = {}
    for file in sorted(out.glob("trials/trial_*/trial.json")):
        found[file.parent.name] = json.loads(file.read_text())
    return found


def is_at_work(out):
    """Whether there is a process whose command names the folder."""
    for file in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if str(out) in file.read_text(errors="replace"):
                return True
    return False


def wait_for(condition, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband", "grid"])
def test_the_best_model_reloads_with_its_score(tmp_path, tuner):
    out = tmp_path / "s"
    process = start(
        *(out, "--tuner", tuner, "--max-trials", 5, "--finalists", 0, "--json")
    )
    stdout, stderr = process.communicate()
    assert process.returncode == 0, stderr
    answer = json.loads(stdout.splitlines()[-1])
    scores = [t["score"] for t in answer["trials"]]
    assert len(scores) == 5
    assert scores[0] == max(scores)
    done = run(RELOAD, answer["run"])
    assert float(done.stdout.splitlines()[-1]) == pytest.approx(
        scores[0], abs=1e-6
    )
    best = yaml.safe_load((out / "best.yaml").read_text())
    assert best["fit"]["monitor"] == "val_gauc"


@pytest.mark.slow
def test_killed_in_the_third_of_six_trials(tmp_path):
    out = tmp_path / "s"
    arguments = ("--tuner", "random", "--max-trials", 6, "--finalists", 0)
    process = start(out, *arguments)
    third = out / "trials" / "trial_2" / "run" / "state.json"
    wait_for(third.is_file)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = {
        name: (trial, (out / "trials" / name / "log.txt").stat().st_mtime_ns)
        for name, trial in trials(out).items()
    }
    assert [t["status"] for t, _ in before.values()] == [
        *["COMPLETED"] * 2,
        "RUNNING",
    ]
    # The trial's own process ends with its parent.
    wait_for(lambda: not is_at_work(out))
    process = start(out, *arguments)
    _, stderr = process.communicate()
    assert process.returncode == 0, stderr
    after = trials(out)
    assert [t["status"] for t in after.values()] == ["COMPLETED"] * 6
    for name in ("trial_0", "trial_1"):
        log = out / "trials" / name / "log.txt"
        assert (after[name], log.stat().st_mtime_ns) == before[name]


#: A trial's process that does not train.
STAND_IN = """
import json, pathlib, sys
names = ("loss", "val_auc", "val_gauc", "val_uauc", "val_log_loss")
metrics = dict.fromkeys(names, 0.5)
result = {"metrics": metrics, "best_epoch": 1, "history": [metrics]}
text = json.dumps({**result, "seconds": 1.0})
pathlib.Path(sys.argv[1], "result.json").write_text(text)
"""


@pytest.mark.slow
def test_memory_stays_flat_over_fifty_trials(tmp_path):
    """The process that leads; what a trial took is gone with its process.

    So what the trials do there does not matter, and they do nothing.
    """
    code = f"""
import importlib, pathlib, subprocess, sys, types
from tfadrec import tuning
from tfadrec.tuning.tune import _Tuner
def begin(command, **settings):
    command = [sys.executable, "-c", {STAND_IN!r}, command[-1]]
    return subprocess.Popen(command, **settings)
importlib.import_module("tfadrec.tuning.trial").subprocess = (
    types.SimpleNamespace(Popen=begin, PIPE=subprocess.PIPE))
pages = []
ended = _Tuner.on_trial_end
def measured(self, trial):
    ended(self, trial)
    pages.append(int(pathlib.Path("/proc/self/statm").read_text().split()[1]))
_Tuner.on_trial_end = measured
space = tuning.SearchSpace.from_yaml({SPACE!r})
tuning.tune({str(small.world())!r}, sys.argv[1], space, tuner="random",
            max_trials=50, finalists=0, progress=False)
print(*(page * 4096 for page in pages))
"""
    done = run(code, tmp_path / "s")
    assert done.returncode == 0, done.stderr
    sizes = [int(size) for size in done.stdout.splitlines()[-1].split()]
    assert len(sizes) == 50
    print(
        f"resident after trial 1, 10, 50: {sizes[0]}, {sizes[9]}, {sizes[49]}"
    )
    assert sizes[49] - sizes[4] < 20e6


@pytest.mark.slow
def test_a_chief_and_two_workers_of_which_one_is_killed(tmp_path):
    """The lost trial is given to the other worker: six scores in the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    out = tmp_path / "s"
    arguments = ("--tuner", "random", "--max-trials", 6, "--finalists", 0)
    code = (
        "import sys\nfrom tfadrec import tuning\n"
        f"space = tuning.SearchSpace.from_yaml({SPACE!r})\n"
        f"found = tuning.tune({str(small.world())!r}, sys.argv[1], space,\n"
        "    tuner='random', objective='val_gauc', max_trials=6, finalists=0,\n"
        f"    chief={address!r}, lost_after=15)\n"
    )
    chief = subprocess.Popen(
        [sys.executable, "-c", code, str(out)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    workers = [start(out, *arguments, "--worker", address) for _ in range(2)]
    try:
        wait_for(lambda: len(trials(out)) >= 3)
        wait_for(
            lambda: (
                sum(t["status"] == "RUNNING" for t in trials(out).values()) == 2
            )
        )
        workers[0].send_signal(signal.SIGKILL)
        _, said = workers[1].communicate(timeout=900)
        assert workers[1].returncode == 0, said
        _, said = chief.communicate(timeout=300)
        assert chief.returncode == 0, said
    finally:
        for process in (chief, *workers):
            process.kill()
            process.communicate()
    found = trials(out)
    assert [t["status"] for t in found.values()] == ["COMPLETED"] * 6
    logs = sum(
        (out / "trials" / name / "log.txt").read_text().count("epoch 3/3")
        for name in found
    )
    assert logs == 6  # no trial was trained to its end twice
    values = [t["hyperparameters"]["values"] for t in found.values()]
    assert len({v["optimizer.learning_rate"] for v in values}) == 6


@pytest.mark.slow
def test_no_address(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        process = start(tmp_path / "s", "--chief", address)
        _, stderr = process.communicate()
    assert process.returncode == 2
    assert "needs an address of this machine that is free" in stderr
