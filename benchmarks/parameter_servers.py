"""Steps of one process, and of workers of a parameter server on one machine.

    python benchmarks/parameter_servers.py

Of the settings' default ranker without text, on 64,000 rows of the synthetic
world. Time and processor time, of all processes of a cluster together, are
those from the end of the first epoch to that of the last one, so without the
start, and with the measuring and saving of these epochs.
"""

import json
import os
import pathlib
import subprocess
import tempfile
import time

from machine import describe

import tfadrec  # noqa: F401  (chooses the Keras flavour before TensorFlow)
from tfadrec.data import sources

_EPOCHS, _STEPS = 3, 100
_CONFIG = f"""
text: null
fold_in: null
optimizer: {{class: LazyAdam, learning_rate: 0.001}}
fit: {{batch_size: 512, epochs: {_EPOCHS}, steps_per_epoch: {_STEPS},
  patience: {_EPOCHS}}}
"""
_CLUSTER = pathlib.Path(__file__).parents[1] / "examples" / "cluster.sh"


def main() -> None:
    print(describe())
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        (folder / "config.yaml").write_text(_CONFIG)
        sources.prepare_synthetic(
            folder / "data",
            0,
            num_users=1600,
            num_ads=2000,
            requests_per_user=10,
            slate_size=5,
        )
        for name, command in {
            "one process": ["tfadrec", "train"],
            "1 worker, 1 server": [str(_CLUSTER), "1+1"],
            "2 workers, 1 server": [str(_CLUSTER), "2+1"],
        }.items():
            wall, processor, last = _measure(folder, name, command)
            steps = (_EPOCHS - 1) * _STEPS
            print(
                f"{name}: {steps / wall:.1f} steps a second, "
                f"{1000 * processor / steps:.1f} ms of processor time a step, "
                f"validation log loss {last['val_log_loss']:.4f}, "
                f"AUC {last['val_auc']:.4f}",
                flush=True,
            )


def _measure(
    folder: pathlib.Path, name: str, command: list[str]
) -> tuple[float, float, dict[str, float]]:
    """Seconds, processor seconds, and what the last epoch measured."""
    out = folder / name
    arguments = ["--data", folder / "data", "--config", folder / "config.yaml"]
    run = subprocess.Popen(
        [*command, *arguments, "--out", out],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # whose processes are told by it
    )
    ends = {}
    while run.poll() is None and _EPOCHS not in ends:
        time.sleep(0.02)
        state = out / "state.json"
        if state.exists():
            history = json.loads(state.read_text())["history"]
            now = time.perf_counter(), _processor_time(run.pid)
            ends.setdefault(len(history), now)
    run.wait()
    (begun, used), (ended, used_then) = ends[1], ends[_EPOCHS]
    return ended - begun, used_then - used, history[-1]


def _processor_time(session: int) -> float:
    """Seconds that the living processes of a session have used."""
    ticks = 0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            # After the name, which may hold anything.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(fields[3]) == session:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
