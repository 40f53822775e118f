"""Files that come late, twice, in part, renamed and without a click.

    python -m pytest tests/training/following/test_hostile_days.py -m slow -s

They are followed by a command that is killed all the time, in two minutes of a
processor. It says how often.
"""

import json
import os
import random
import signal

import pyarrow.parquet as pq
import pytest

from tests.crash.commands import RUN
from tests.crash.forks import Forks
from tests.training.following.test_follow import ONE_FILE, write_log

SEED = int(os.environ.get("TFADREC_SEED", "0"))
#: How long the command lasts until it is killed, of the time of a call.
LIFE = 1.2
FILES = (
    *("model.keras", "state.json", "place.json"),
    *("data/ads.parquet", "data/events.parquet", "data/impressions.parquet"),
)
#: What comes between two calls: name of a file -> day, and how it is changed.
CALLS = (
    {"1.csv": (1, str)},
    {"3.csv": (3, str)},
    # Late, and what is there already.
    {"2.csv": (2, str), "3 (copy).csv": (3, str)},
    # In part, and under another name.
    {"4.csv": (4, lambda log: "\n".join(log.splitlines()[:20]))},
    {"4.csv": (4, str), "1-done.csv": (1, str), "1.csv": None},
    {"5.csv": (5, lambda log: (log + "\n").replace(",1\n", ",0\n"))},
)


@pytest.fixture
def forks():
    found = Forks()
    yield found
    found.close()


def arrive(days, files):
    days.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        if file is None:
            (days / name).unlink()
            continue
        day, change = file
        coming = days / f".{name}"
        write_log(coming, day, f"new{day}")
        coming.write_text(change(coming.read_text()))
        coming.rename(days / name)


@pytest.mark.slow
def test_every_row_is_learned_once(forks, tmp_path):
    (tmp_path / "shop.yaml").write_text(ONE_FILE)
    (tmp_path / "run.yaml").write_text(RUN)
    write_log(tmp_path / "log.csv", 0, "first")
    table = ("--config", tmp_path / "shop.yaml")
    for call in (
        ("prepare", "table", *table, "--out", tmp_path / "data"),
        (
            *("train", "--data", tmp_path / "data"),
            *("--config", tmp_path / "run.yaml", "--out", tmp_path / "run"),
        ),
    ):
        ended = forks.run(call, tmp_path)
        assert ended.code == 0, ended.said

    def follow(name, **options):
        place = tmp_path / name
        call = ("update", tmp_path / "run", "--follow", place / "days", *table)
        call = (*call, "--out", place / "out", "--once")
        return forks.run(call, tmp_path, **options)

    whole = []
    for files in CALLS:
        arrive(tmp_path / "alone/days", files)
        whole.append(follow("alone"))
        assert whole[-1].code == 0, whole[-1].said
    chance, kills = random.Random(SEED), 0
    for files, alone in zip(CALLS, whole, strict=True):
        arrive(tmp_path / "killed/days", files)
        while True:
            lives = LIFE * chance.random()
            moment = {"after": lives * alone.seconds}
            if chance.randrange(2):
                moment = {"change": 1 + int(lives * alone.changes)}
            ended = follow("killed", way=signal.SIGKILL, **moment)
            if ended.code != -signal.SIGKILL:
                break
            kills += 1
        assert ended.code == 0, ended.said
    print(f"{len(CALLS)} calls, killed {kills} times")
    assert kills > len(CALLS) / 2
    runs = [f"{number:06}" for number in range(1, 7)]
    for run in runs:
        for file in FILES:
            one, other = (
                (tmp_path / name / "out" / run / file).read_bytes()
                for name in ("alone", "killed")
            )
            assert one == other, f"{run}/{file}"
    last = tmp_path / "killed/out" / runs[-1]
    assert not (last.parent / "000007").exists()
    learned = json.loads((last / "place.json").read_text())["place"]["learned"]
    assert sorted(learned) == sorted(os.listdir(tmp_path / "killed/days"))
    # 40 rows of each of six days, each once.
    rows = pq.read_metadata(last / "data/impressions.parquet")
    assert rows.num_rows == 240
    assert not [p for p in (tmp_path / "killed").rglob("*") if p.name[0] == "."]
