"""Thirty days that are followed by a command that is killed all the time.

    python -m pytest tests/training/following/test_killed_days.py -m slow -n0 -s

It takes some three minutes of a processor, and says how often it was killed.
"""

import os
import random
import signal

import numpy as np
import pytest

from tests.crash.commands import RUN
from tests.crash.forks import Forks
from tests.data import tiny_encoder
from tests.training.test_update import write_day
from tfadrec import training

DAYS = int(os.environ.get("TFADREC_DAYS", "30"))
#: Days that the command lasts on average until it is killed.
LIFE = 1.0
#: What each run's folder has, byte by byte.
FILES = (
    *("model.keras", "state.json", "place.json"),
    *("data/ads.parquet", "data/events.parquet", "data/impressions.parquet"),
)


@pytest.fixture
def forks():
    found = Forks()
    yield found
    found.close()


def write_inputs(folder):
    """A run on a first day, and the days that come after it."""
    model = tiny_encoder.write_model(folder / "model")
    text = f"text: {{model: {model}, max_tokens: 8}}\n"
    (folder / "run.yaml").write_text(RUN.replace("text: null\n", text))
    (folder / "days").mkdir()
    for day in range(DAYS + 1):
        data = write_day(folder / f"day{day:02}", day)
        if day:
            (folder / "days" / f"{day:02}").symlink_to(data)
    return (
        *("train", "--data", folder / "day00/data"),
        *("--config", folder / "run.yaml", "--out", folder / "run"),
    )


@pytest.mark.slow
def test_days_equal_themselves_whenever_they_are_killed(forks, tmp_path):
    train = forks.run(write_inputs(tmp_path), tmp_path)
    assert train.code == 0, train.said

    def follow(name, **options):
        call = ("update", tmp_path / "run", "--follow", tmp_path / "days")
        call = (*call, "--once", "--out", tmp_path / name)
        return forks.run(call, tmp_path, **options)

    whole = follow("alone")
    assert whole.code == 0, whole.said
    chance, kills, seconds = random.Random(0), 0, 0.0
    while True:
        lives = 2 * LIFE * chance.random() / DAYS
        moment = {"after": lives * whole.seconds}
        if chance.randrange(2):
            moment = {"change": 1 + int(lives * whole.changes)}
        ended = follow("killed", way=signal.SIGKILL, **moment)
        seconds += ended.seconds
        if ended.code != -signal.SIGKILL:
            break
        kills += 1
    assert ended.code == 0, ended.said
    print(
        f"{DAYS} days: {whole.seconds:.0f} s of a processor alone, "
        f"{seconds:.0f} s killed {kills} times"
    )
    assert kills > DAYS / 3
    names = [f"{day:06}" for day in range(1, DAYS + 1)]
    for run in names:
        for file in FILES:
            one, other = (
                (tmp_path / name / run / file).read_bytes()
                for name in ("alone", "killed")
            )
            assert one == other, f"{run}/{file}"
    last = [
        training.load_run(tmp_path / name / names[-1]).ranker
        for name in ("alone", "killed")
    ]
    for part in (last, [ranker.optimizer for ranker in last]):
        for one, other in zip(*(p.variables for p in part), strict=True):
            np.testing.assert_array_equal(one, other)
    left = [p for p in (tmp_path / "killed").rglob("*") if p.name[0] == "."]
    assert not left
