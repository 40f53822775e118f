"""Commands that write are ended at any moment, and find their disk full.

Afterwards what is there is the old or the new, whole; the same command then
completes, with the files that it would have written anyhow; and nothing hidden
is left.

    TFADREC_CRASHES=200 python -m pytest tests/test_crash.py -m slow -n0 -s
"""

import collections
import json
import os
import pathlib
import queue
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from tests.data import tiny_encoder
from tests.processes import ROOT
from tests.training import small
from tests.training.test_update import write_day
from tfadrec.core.manifest import NAME, Manifest, first_damaged

#: Moments at which commands are ended; a disk is full for a fourth of them.
MOMENTS = int(os.environ.get("TFADREC_CRASHES", "40"))
FULL_DISKS = -(-MOMENTS // 4)
#: Cheap ones come more often.
WEIGHTS = {
    "prepare": 8,
    "encode": 4,
    "train": 4,
    "evaluate": 2,
    "export": 2,
    "pretrain": 2,
    "update": 2,
    "calibrate": 2,
    "promote": 1,
    "replay": 1,
    "tune": 1,
}
#: These write to a run, or beside it, and that one to a bundle.
OF_A_RUN, OF_A_BUNDLE = ("evaluate", "export", "calibrate"), ("promote",)
WAYS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
RUN = small.YAML.replace("epochs: 4", "epochs: 2")
SPACE = RUN.replace(
    "learning_rate: 0.01", "learning_rate: {choice: [0.1, 0.01]}"
)
MODEL = """
model: {type: bert, vocabulary_size: 120, width: 8, num_layers: 1, num_heads: 2,
  max_tokens: 16}
objective: masked
max_tokens: 12
batch_size: 8
epochs: 2
steps_per_epoch: 3
"""
TABLE = """
ads: {file: ads.csv, ad_id: id, title: name}
impressions: {file: log.csv, user_id: user, ad_id: ad, timestamp: time,
  clicked: click}
"""


class Zygote:
    """A process that has imported everything, and forks for each command."""

    def __init__(self, folder):
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash_zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            cwd=ROOT,
            env={
                **os.environ,
                "TFADREC_CACHE": str(folder / "cache"),
                "TF_CPP_MIN_LOG_LEVEL": "3",
            },
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

    def run(self, arguments, *, most=None, way=None, after=0.0):
        """Runs a command; its exit code, what it said, and seconds.

        Args:
          arguments: of the command line.
          most: bytes that a file may have.
          way: a signal that ends it.
          after: so many seconds.
        """
        task = {"arguments": list(map(str, arguments)), "most": most}
        begun = time.monotonic()
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        number = int(self._process.stdout.readline())
        ended = threading.Event()
        ending = threading.Thread(target=_end, args=(number, way, after, ended))
        if way is not None:
            ending.start()
        code = int(self._process.stdout.readline())
        ended.set()
        if way is not None:
            ending.join()
        seconds = time.monotonic() - begun
        return code, "".join(iter(self._said.get, "\0\n")), seconds


def _end(number, way, after, ended):
    """Sends a signal, again where a library has lost it."""
    if ended.wait(after):
        return
    for _ in range(60):
        try:
            os.kill(number, way)
        except ProcessLookupError:
            return
        if ended.wait(5):
            return


def write_log(folder, rows):
    folder.mkdir()
    (folder / "t.yaml").write_text(TABLE)
    (folder / "ads.csv").write_text("id,name\na,A\n")
    lines = "".join(f"u,a,{1600000000 + row},1\n" for row in range(rows))
    (folder / "log.csv").write_text("user,ad,time,click\n" + lines)


class World:
    """Inputs of every command, and what it writes when nobody ends it."""

    def __init__(self, folder, commands):
        self.folder = folder
        self.inputs = folder / "inputs"
        self.inputs.mkdir()
        small.make_world(self.inputs / "data")
        tiny_encoder.write_model(self.inputs / "model")
        for name, text in (("r", RUN), ("s", SPACE), ("m", MODEL)):
            (self.inputs / f"{name}.yaml").write_text(text)
        (self.inputs / "g.yaml").write_text("latency: null\n")
        for rows in (5, 7):
            write_log(self.inputs / str(rows), rows)
        for day in (0, 1):
            write_day(self.inputs / f"day{day}", day)
        self.zygote = Zygote(folder)
        self.whole, self.seconds = {}, {}
        for name in ("old", "first", *commands):
            home = folder / "whole" / name
            self.furnish(name, home)
            self.seconds[name] = self._run(name, home)
            self.whole[name] = home

    def _run(self, name, home):
        code, said, seconds = self.zygote.run(self.command(name, home))
        assert code == 0, said
        return seconds

    def bundle(self):
        """The folder of two versions, of which the second is the canary."""
        home = self.folder / "whole" / "bundle"
        if not home.exists():
            shutil.copytree(self.whole["export"], home)
            self._run("export", home)
        return home / "out"

    def furnish(self, name, home):
        """What a command writes to."""
        home.mkdir(parents=True)
        if name in OF_A_RUN:
            shutil.copytree(self.whole["train"] / "out", home / "run")
        if name in OF_A_BUNDLE:
            shutil.copytree(self.bundle(), home / "out")

    def command(self, name, home):
        """The command line that writes to `home`."""
        data, out = ("--data", self.inputs / "data"), ("--out", home / "out")
        model = ("--model", self.inputs / "model", "--max-tokens", 12)
        config = self.inputs / "r.yaml"
        trials = ("--tuner", "random", "--max-trials", 1, "--finalists", 0)
        rows = 5 if name == "old" else 7
        table = ("--config", self.inputs / str(rows) / "t.yaml")
        return {
            "first": (
                *("train", "--data", self.inputs / "day0/data"),
                *("--config", config, *out),
            ),
            "update": (
                *("update", self.folder / "whole/first/out", *out),
                *("--data", self.inputs / "day1/data", "--epochs", 1),
            ),
            "replay": (
                *("replay", "--data", self.inputs / "day0/data", *out),
                *("--config", config, "--days", 0.05, "--epochs", 1),
            ),
            "calibrate": ("calibrate", home / "run"),
            "promote": (
                *("promote", home / "out", *data),
                *("--gates", self.inputs / "g.yaml", "--rows", 50),
            ),
            "old": ("prepare", "table", *table, *out),
            "prepare": ("prepare", "table", *table, *out),
            "encode": ("encode-ads", *data, *model, *out),
            "train": ("train", *data, "--config", config, *out),
            "evaluate": ("evaluate", home / "run"),
            "export": ("export", home / "run", *out),
            "pretrain": (
                *("pretrain", *data, *out),
                *("--config", self.inputs / "m.yaml"),
            ),
            "tune": (
                *("tune", *data, *out, *trials),
                *("--space", self.inputs / "s.yaml"),
            ),
        }[name]

    def begin(self, name, home, chance):
        """What is there before the command: nothing, or something older."""
        self.furnish(name, home)
        if name == "prepare" and chance.randrange(2):
            shutil.copytree(self.whole["old"] / "out", home / "out")
        elif name in ("encode", "export") and chance.randrange(2):
            shutil.copytree(self.whole[name] / "out", home / "out")

    def check(self, name, home):
        """What an ended command has left is whole."""
        for file in home.rglob(NAME):
            if not any(part.startswith(".") for part in file.parts):
                manifest = Manifest.in_folder(file.parent)
                there = [
                    n for n in manifest.files if (file.parent / n).exists()
                ]
                assert first_damaged(file.parent, there) is None, file
        if name == "prepare" and (home / "out").exists():
            manifests = [
                (folder / "out" / NAME).read_bytes()
                for folder in (home, self.whole["old"], self.whole["prepare"])
            ]
            assert manifests[0] in manifests[1:]
        for version in home.glob("out/[0-9]*"):
            assert (version / "saved_model.pb").is_file()

    def complete(self, name, home):
        """The same command ends well, with the same files, and no others."""
        code, said, _ = self.zygote.run(self.command(name, home))
        was_moved = name == "promote" and code == 2 and "is both" in said
        assert code == 0 or was_moved, said
        self.check(name, home)
        for place in (home, self.folder / "cache"):
            hidden = [p for p in place.rglob("*") if p.name.startswith(".")]
            assert hidden == [], hidden
        expected, found = (sums(x) for x in (self.whole[name], home))
        assert expected == {k: found.get(k) for k in expected}


#: Bytes that are the same whenever they are written.
EQUAL = (
    *("ads.parquet", "impressions.parquet", "vectors.npy", "vectors.parquet"),
    *("model.keras", "model.safetensors", "state.json", "best.yaml"),
    *("calibration.json", "models.config", "saved_model.pb"),
    *("fingerprint.pb", "variables.index"),
    *("variables.data-00000-of-00001", "tf_serving_warmup_requests"),
)


def sums(home):
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.name in EQUAL
    }


def crash(world, moments, chance):
    """Ends commands at so many moments; counts by command and exit code."""
    counts = collections.Counter()
    names, weights = zip(
        *((n, w) for n, w in WEIGHTS.items() if n in world.whole), strict=True
    )
    for moment in range(moments):
        (name,) = chance.choices(names, weights)
        home = world.folder / f"moment-{moment}"
        world.begin(name, home, chance)
        code, _, _ = world.zygote.run(
            world.command(name, home),
            way=WAYS[moment % len(WAYS)],
            after=chance.uniform(0, world.seconds[name]),
        )
        counts[name, "done" if code == 0 else "ended"] += 1
        world.check(name, home)
        world.complete(name, home)
        shutil.rmtree(home)
    return counts


def fill(world, times, chance):
    """Has commands find no room, by a limit on the size of their files."""
    counts = collections.Counter()
    names = [name for name in WEIGHTS if name in world.whole]
    for time_ in range(times):
        name = names[time_ % len(names)]
        home = world.folder / f"full-{time_}"
        world.begin(name, home, chance)
        most = int(10 ** chance.uniform(0, 5))
        code, said, _ = world.zygote.run(world.command(name, home), most=most)
        # 2 where a run cannot be read: temporary files are limited, too.
        assert code in (0, 1, 2), said
        assert "Traceback" not in said, said
        if code:
            lines = [x for x in said.splitlines() if x.startswith("tfadrec: ")]
            assert len(lines) == 1, said
        counts[name, "done" if code == 0 else "refused"] += 1
        world.check(name, home)
        world.complete(name, home)
        shutil.rmtree(home)
    return counts


def shown(counts):
    return ", ".join(
        f"{n} {how}: {c}" for (n, how), c in sorted(counts.items())
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(pathlib.Path(tmp_path_factory.mktemp("world")), WEIGHTS)
    yield made
    made.zygote.close()


@pytest.mark.slow
def test_old_or_new_at_any_moment(world):
    counts = crash(world, MOMENTS, random.Random(0))
    print(shown(counts))
    # Most were ended while they worked, or this has tested nothing.
    ended = sum(c for (_, how), c in counts.items() if how == "ended")
    assert ended > MOMENTS / 2


@pytest.mark.slow
def test_old_or_new_on_a_full_disk(world):
    counts = fill(world, FULL_DISKS, random.Random(1))
    print(shown(counts))
    refused = sum(c for (_, how), c in counts.items() if how == "refused")
    assert refused > FULL_DISKS / 4


@pytest.mark.slow
@pytest.mark.parametrize("name", WEIGHTS)
def test_a_link_stays_a_link(world, name):
    """Every command writes through a link to where it leads."""
    home = world.folder / f"link-{name}"
    world.furnish(name, home)
    place = home / ("run" if name in ("evaluate", "calibrate") else "out")
    if place.exists():
        place.rename(home / "real")
    place.symlink_to("real")
    code, said, _ = world.zygote.run(world.command(name, home))
    assert code == 0, said
    assert os.readlink(place) == "real"
    assert {each.name for each in home.iterdir()} == {place.name, "real"} | (
        {"run"} if name == "export" else set()
    )
    expected = sums(world.whole[name] / place.name)
    assert expected
    assert expected.keys() <= sums(home / "real").keys()
