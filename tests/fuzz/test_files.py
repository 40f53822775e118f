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
import shutil
import subprocess
import sys
import threading
import time

import hypothesis
import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.data import tiny_encoder
from tests.fuzz import calls
from tests.fuzz.mutations import changed_bytes, changed_json, changed_tree
from tests.processes import ROOT
from tests.training import small

SECONDS = 10
KIB = 2 * 2**20
#: Of a process that other work keeps waiting.
_PATIENCE = 120
FEW = 8
#: Of all kinds together, as a slow test.
MANY = int(os.environ.get("TFADREC_FUZZ", "2000"))

ADS = "id,name,brand,price\na0,Red shoes,Swift,10\na1,Straw hat,,9.5\n"
LOG = (
    "user,ad,time,click,device\nu,a0,1600000000,1,phone\n"
    'v,a1,2020-09-13 12:28,0,""\nu,a1,1600000200,1,desk\n'
    "w,a0,1600000300,0,phone\n"
)
TABLE = {
    "ads": {
        "file": "ads.csv",
        "ad_id": "id",
        "title": "name",
        "features": {"brand": "category", "price": "number"},
    },
    "impressions": {
        "file": "log.csv",
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
        "clicked": "click",
        "features": {"device": {"kind": "category", "min_count": 1}},
        "max_rejected": 0.9,
    },
    "events": {
        "file": "log.csv",
        "where": {"click": "1"},
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
        "event_type": {"constant": "click"},
        "max_rejected": 0.9,
    },
}
SAMPLED = {
    **TABLE,
    "impressions": {
        k: v for k, v in TABLE["impressions"].items() if k != "clicked"
    },
    "sampling": {"negatives_per_positive": 2, "period": "day", "seed": 1},
}
RUN = {
    **yaml.safe_load(small.YAML),
    "matching": {"class": "AttentionMatching", "num_heads": 1},
    "interaction": {"class": "CIN", "hidden_units": [4]},
    "user_tower": {"use_id": True, "max_length": 9},
}
SPACE = {
    "encoder": {"class": {"choice": ["DIN", "BST"]}},
    "optimizer": {"learning_rate": {"float": {"min": 1e-4, "max": 1e-2}}},
    "ad_tower": {"width": {"int": {"min": 1, "max": 8}, "default": 2}},
}


def as_yaml(seeds):
    texts = [yaml.safe_dump(seed).encode() for seed in seeds]
    trees = changed_tree(seeds).map(
        lambda tree: yaml.safe_dump(tree, allow_unicode=False).encode()
    )
    return trees | changed_bytes(texts)


def parquet():
    table = {
        "user": ["u", "v", "u", "w"],
        "ad": ["a0", "a1", "a1", "a0"],
        "time": [1600000000 + 60 * n for n in range(4)],
        "click": [1, 0, 1, 0],
        "device": ["a", "", None, "b"],
    }
    found = []
    for options in ({}, {"compression": "none", "use_dictionary": False}):
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(table), sink, **options)
        found.append(sink.getvalue().to_pybytes())
    return found


def write(folder, **files):
    """A folder for `prepare`, with some files in the place of its own."""
    whole = {
        "ads.csv": ADS.encode(),
        "log.csv": LOG.encode(),
        "t.yaml": yaml.safe_dump(TABLE).encode(),
    } | files
    for name, data in whole.items():
        (folder / name).write_bytes(data)


class Kind:
    """Files of one kind: how they are made, and what reads them."""

    call = "prepare"

    def strategy(self):
        """Of (file name, its bytes), to be put into a good folder."""
        raise NotImplementedError

    def fill(self, folder):
        """Writes the good folder."""
        write(folder)


class TableConfig(Kind):
    def strategy(self):
        return as_yaml([TABLE, SAMPLED]).map(lambda data: ("t.yaml", data))


class Csv(Kind):
    def strategy(self):
        log = changed_bytes([LOG.encode(), LOG.replace("\n", "\r").encode()])
        ads = changed_bytes([ADS.encode()])
        return log.map(lambda data: ("log.csv", data)) | ads.map(
            lambda data: ("ads.csv", data)
        )


class Parquet(Kind):
    def fill(self, folder):
        config = yaml.safe_dump(TABLE).replace("log.csv", "log.parquet")
        write(folder, **{"t.yaml": config.encode()})

    def strategy(self):
        return changed_bytes(parquet()).map(lambda data: ("log.parquet", data))


class RunConfig(Kind):
    call = "settings"

    def fill(self, folder):
        write(folder)
        assert calls.outcome("prepare", folder)[0] == 0
        (folder / "out").rename(folder / "data")

    def strategy(self):
        return as_yaml([RUN]).map(lambda data: ("run.yaml", data))


class DatasetFiles(Kind):
    call = "dataset"

    def fill(self, folder):
        shutil.copytree(prepared(), folder, dirs_exist_ok=True)

    def strategy(self):
        schema = json.loads((prepared() / "schema.json").read_text())
        manifest = json.loads((prepared() / "manifest.json").read_text())
        return (
            changed_json([schema]).map(lambda data: ("schema.json", data))
            | changed_json([manifest]).map(lambda d: ("manifest.json", d))
            | st.sampled_from(
                ["ads.parquet", "impressions.parquet", "events.parquet"]
            ).flatmap(
                lambda name: changed_bytes(
                    [(prepared() / name).read_bytes()]
                ).map(lambda data: (name, data))
            )
        )


class Unlisted(DatasetFiles):
    """A dataset without the list of its files, so that none is compared."""

    def fill(self, folder):
        super().fill(folder)
        (folder / "manifest.json").unlink()


class Space(Kind):
    call = "space"

    def fill(self, folder):
        pass

    def strategy(self):
        return as_yaml([SPACE]).map(lambda data: ("space.yaml", data))


class RunFiles(Kind):
    call = "run"

    def fill(self, folder):
        small.trained()
        shutil.copytree(small.folder() / "run", folder / "run")
        shutil.copytree(small.world(), folder / "world")

    def strategy(self):
        small.trained()
        made = small.folder() / "run"
        texts = [
            changed_json([json.loads((made / name).read_text())]).map(
                lambda data, name=name: (f"run/{name}", data)
            )
            for name in ("run.json", "state.json")
        ]
        model = changed_bytes([(made / "model.keras").read_bytes()])
        return st.one_of(
            *texts, model.map(lambda data: ("run/model.keras", data))
        )


class ModelFolder(Kind):
    call = "language_model"

    def fill(self, folder):
        shutil.copytree(language_model(), folder, dirs_exist_ok=True)

    def strategy(self):
        made = language_model()
        texts = [
            changed_json([json.loads(path.read_text())]).map(
                lambda data, name=path.name: (name, data)
            )
            for path in sorted(made.glob("*.json"))
        ]
        weights = changed_bytes([(made / "model.safetensors").read_bytes()])
        return st.one_of(
            *texts, weights.map(lambda data: ("model.safetensors", data))
        )


def prepared():
    made = small.folder() / "fuzz"
    if not made.exists():
        made.mkdir()
        write(made)
        assert calls.outcome("prepare", made) == (0, [])
    return made / "out"


def language_model():
    made = small.folder() / "fuzz_model"
    return made if made.exists() else tiny_encoder.write_model(made)


QUICK = [
    TableConfig(),
    Csv(),
    Parquet(),
    RunConfig(),
    DatasetFiles(),
    Unlisted(),
]
SLOW = [*QUICK, Space(), RunFiles(), ModelFolder()]


def name_of(kind):
    return type(kind).__name__


def put(folder, name, data):
    """Writes a changed file beside good ones, and removes what was made."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    (folder / name).write_bytes(data)


def check(code, lines, shown):
    assert code in (0, 1, 2), shown
    assert len(lines) == (0 if code == 0 else 1), shown
    assert all(line.isprintable() for line in lines), shown


@pytest.mark.parametrize("kind", QUICK, ids=name_of)
def test_a_few_files_of_each_kind(kind, tmp_path):
    kind.fill(tmp_path)

    @hypothesis.settings(max_examples=FEW)
    @hypothesis.given(kind.strategy())
    def holds(changed):
        name, data = changed
        kept = (
            (tmp_path / name).read_bytes()
            if (tmp_path / name).exists()
            else b""
        )
        put(tmp_path, name, data)
        begun = time.process_time()
        code, lines = calls.outcome(kind.call, tmp_path)
        assert time.process_time() - begun < SECONDS, changed
        check(code, lines, (changed, code, lines))
        (tmp_path / name).write_bytes(kept)

    holds()


class Worker:
    """`tests.fuzz.calls` in a process of its own, begun again when it ends."""

    def __init__(self):
        self._process = None

    def ask(self, call, folder):
        """What a call came to; `code` is 4 for an abort, and 5 for a hang."""
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
        return json.loads(line[1:])

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
            stderr=subprocess.DEVNULL,
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
    worker = Worker()

    @hypothesis.settings(
        max_examples=max(1, MANY // len(SLOW)),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(kind.strategy())
    def holds(changed):
        name, data = changed
        path = tmp_path / name
        kept = path.read_bytes() if path.exists() else b""
        put(tmp_path, name, data)
        found = worker.ask(kind.call, tmp_path)
        path.write_bytes(kept)
        shown = (name, data[:3000], found)
        check(found["code"], found["lines"], shown)
        assert found["seconds"] < SECONDS, shown
        assert found["kib"] < KIB, shown
        counts[found["code"]] += 1

    with contextlib.closing(worker):
        holds()
    print(f"{name_of(kind)}: {counts}")
