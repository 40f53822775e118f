"""Small files that commands read besides: read, or refused by one line.

As many of each kind as `test_files` tries of all, as a slow test.
"""

import io
import shutil

import hypothesis
import numpy as np
import pytest

from tests.fuzz.mutations import changed_bytes, changed_json, changed_tree
from tests.fuzz.test_files import FEW, MANY
from tfadrec.calibration import Calibration
from tfadrec.core.bundle_folder import version_folder
from tfadrec.core.errors import InputError
from tfadrec.core.manifest import Manifest, facts_of_file
from tfadrec.deltas import apply_delta, write_delta
from tfadrec.monitoring.watch import read_labels, read_requests
from tfadrec.serving.gates import Gates
from tfadrec.training.fitted import read_parts
from tfadrec.training.following.follow import _read_place
from tfadrec.training.update import _read_day

CURVE = {"method": "platt", "numbers": {"slope": 1.5, "shift": -0.5}}
CALIBRATION = {
    "field": "ad_brand",
    "tasks": {"clicked": {**CURVE, "shifts": [0.1, -0.2]}},
}
REQUEST = {
    "inputs": {"user_id": ["u", "v"], "candidate_ads": [["a"], ["b"]]},
    "id": "x",
    "time": "2024-05-01T00:00:00Z",
    "scores": [[0.5], [0.25]],
}
PLACE = {"run": "/runs/monday", "place": "tuesday", "learned": False}
LIMITS = {"auc": 0.1, "log_loss": None, "calibration": 1, "latency": 2}


class Rows:
    """In the place of a dataset of 30 rows."""

    def __len__(self):
        return 30

    def select(self, rows):
        return rows


def array():
    file = io.BytesIO()
    np.save(file, np.zeros(30, np.uint8))
    good = file.getvalue()
    return [good, good.replace(b"(30,)", b"(10000000000,)")]


def calibration(folder, data):
    (folder / "calibration.json").write_bytes(data)
    Calibration.load(folder)


def rows(folder, data):
    (folder / "rows.npy").write_bytes(data)
    read_parts(folder, Rows())


def day(folder, data):
    (folder / "day.json").write_bytes(data)
    _read_day(folder)


def place(folder, data):
    (folder / "place.json").write_bytes(data)
    _read_place(folder)


def requests(folder, data):
    (folder / "log.jsonl").write_bytes(data)
    list(read_requests(folder / "log.jsonl"))


def labels(folder, data):
    (folder / "log.jsonl").write_bytes(data)
    read_labels(folder / "log.jsonl")


def gates(folder, tree):
    if isinstance(tree, dict):
        Gates.of(tree)


def delta(folder, data):
    """A file of a delta whose list has its sum."""
    name, content = data
    if not (folder / "good").exists():
        for number in (1, 2):
            with version_folder(folder / "b", number).replacing() as fresh:
                (fresh / "saved_model.pb").write_bytes(bytes(range(256)) * 9)
                (fresh / "more").write_bytes(b"%d" % number)
        write_delta(folder / "b/1", folder / "b/2", folder / "good")
    changed = folder / "changed"
    for place in (changed, folder / "made"):
        shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder / "good", changed)
    (changed / name).write_bytes(content)
    made = Manifest.in_folder(changed)
    facts = {**made.files, name: facts_of_file(changed / name)}
    Manifest(made.kind, facts).write(changed)
    apply_delta(folder / "b/1", changed, folder / "made")


def listed():
    facts = {"bytes": 1, "sha256": "0" * 64}
    files = {"more": facts, "saved_model.pb": facts}
    lists = changed_json([{"tfadrec": "bundle version", "files": files}])
    pieces = changed_bytes([np.array([[0, 0, 1]], "<i8").tobytes()])
    return (
        lists.map(lambda data: ("base.json", data))
        | lists.map(lambda data: ("target.json", data))
        | pieces.map(lambda data: ("pieces/more", data))
    )


KINDS = [
    (calibration, changed_json([CALIBRATION])),
    (rows, changed_bytes(array())),
    (day, changed_json([{"fingerprint": "0" * 64}])),
    (place, changed_json([PLACE])),
    (requests, changed_json([REQUEST])),
    (labels, changed_json([{"id": "x", "labels": [0, 1, None]}])),
    (gates, changed_tree([LIMITS])),
    (delta, listed()),
]


@pytest.mark.parametrize(
    "many", [FEW, pytest.param(MANY, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    ("read", "files"), KINDS, ids=lambda x: getattr(x, "__name__", "")
)
def test_any_state(read, files, many, tmp_path):
    counts = {"read": 0, "refused": 0}

    @hypothesis.settings(
        max_examples=many,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(files)
    def holds(data):
        said = ""
        try:
            read(tmp_path, data)
        except (InputError, OSError) as error:
            said = str(error)
        assert "\n" not in said
        counts["refused" if said else "read"] += 1

    holds()
    print(f"{read.__name__}: {counts}")
