"""A dataset is the old or the new one, whole, whenever its writer is ended."""

import random
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from tfadrec.core.manifest import Manifest
from tfadrec.data.intake.write import check_out
from tfadrec.data.sources import prepare_table

CONFIG = """
ads: {file: ads.csv, ad_id: id, title: name}
impressions: {file: log.csv, user_id: user, ad_id: ad, timestamp: time,
              clicked: click}
"""
WRITER = """
import signal
import sys
from tfadrec.data.intake import limits
from tfadrec.data.sources import prepare_table
number = 0
limits.BATCH_ROWS = limits.PART_ROWS = int(sys.argv[3])
# A shell that started the tests in the background has Ctrl-C ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
print("ready", flush=True)
while True:
    number += 1
    prepare_table(f"{sys.argv[1]}/{number % 2}/t.yaml", sys.argv[2])
"""
MOMENTS = 60


def write_logs(folder, rows):
    folder.mkdir()
    (folder / "t.yaml").write_text(CONFIG)
    (folder / "ads.csv").write_text("id,name\na,A\n")
    log = "".join(f"u,a,{1600000000 + row},1\n" for row in range(rows))
    (folder / "log.csv").write_text("user,ad,time,click\n" + log)


def end(writer, way):
    """Sends a signal until it has arrived; the exit code.

    Arrow's reader of CSV, which has a handler of its own, may lose a Ctrl-C
    that comes in the moment in which it ends.
    """
    for _ in range(60):
        writer.send_signal(way)
        try:
            return writer.wait(timeout=2)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError("a process that no signal ends")


@pytest.mark.slow
@pytest.mark.parametrize("size", [1000, 2], ids=["one part", "parts"])
def test_a_dataset_is_whole_whenever_its_writer_is_ended(tmp_path, size):
    """Two datasets of 5 and 7 impressions take each other's place."""
    for name, rows in (("0", 5), ("1", 7)):
        write_logs(tmp_path / name, rows)
    home = tmp_path / "home"
    home.mkdir()
    out = home / "d"
    prepare_table(tmp_path / "0" / "t.yaml", out)
    moments = random.Random(0)
    ways = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    hidden = 0
    for moment in range(MOMENTS):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, tmp_path, out, str(size)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(moments.uniform(0, 0.2))
        assert end(writer, ways[moment % len(ways)]) != 0
        writer.stdout.close()

        rows = len(pq.read_table(out / "impressions.parquet"))
        assert rows in (5, 7)
        manifest = Manifest.in_folder(out)
        assert manifest is not None
        assert manifest.first_changed(out) is None
        assert all((out / name).is_file() for name in manifest.files)
        hidden += len(list(home.iterdir())) - 1
        check_out(out)
        assert [path.name for path in home.iterdir()] == ["d"]
    # Some were ended while they wrote, or this has tested nothing.
    assert hidden > 0


KILLED = """
import os, signal, sys
from tfadrec.data.intake import limits
from tfadrec.data.intake.parts import Parts
from tfadrec.data.intake.request_numbers import RequestNumbers
from tfadrec.data.sources import prepare_table
limits.BATCH_ROWS = limits.PART_ROWS = 2
owner = {"Parts": Parts, "RequestNumbers": RequestNumbers}[sys.argv[3]]
plain, calls = getattr(owner, sys.argv[4]), []
def killing(self, *given):
    calls.append(given)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(self, *given)
setattr(owner, sys.argv[4], killing)
prepare_table(sys.argv[1], sys.argv[2])
"""
SAMPLING = "sampling: {negatives_per_positive: 1, period: all}\n"


@pytest.mark.parametrize(
    ("owner", "call"),
    [
        ("RequestNumbers", "of"),  # the second part of the impressions
        pytest.param("Parts", "part", marks=pytest.mark.slow),
        pytest.param("Parts", "back", marks=pytest.mark.slow),
    ],
)
def test_nothing_is_left_of_parts_whose_writer_is_killed(tmp_path, owner, call):
    """Purchases with sampled negatives, of which each part is two rows."""
    write_logs(tmp_path / "log", 9)
    config = tmp_path / "log" / "t.yaml"
    config.write_text(CONFIG.replace(",\n              clicked: click", ""))
    with config.open("a") as file:
        file.write(SAMPLING)
    (tmp_path / "log" / "ads.csv").write_text("id,name\na,A\nb,B\nc,C\n")
    log = tmp_path / "log" / "log.csv"
    rows = log.read_text().replace("u,a,1600000001", "u,b,1600000001")
    log.write_text(rows.replace("u,a,1600000005", "u,c,1600000005"))
    home = tmp_path / "home"
    given = [sys.executable, "-c", KILLED, config, home / "d", owner, call]
    assert subprocess.run(given, check=False).returncode == -signal.SIGKILL
    # What is open has no name, so its room is free once its process is gone.
    assert [path.name for path in home.rglob("*.arrow")] == []
    assert not (home / "d").exists()
    assert len(list(home.iterdir())) >= 1
    prepare_table(config, home / "d")
    assert [path.name for path in home.iterdir()] == ["d"]
