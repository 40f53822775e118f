"""Datasets and runs that version 0.1.0 has written are read.

`version_1/` holds a dataset of a made-up shop, a run that 0.1.0 trained on it,
and the logits that 0.1.0 gave to all of its rows.
"""

import json
import pathlib
import shutil
import zipfile

import numpy as np
import pytest

from tfadrec.core.errors import InputError
from tfadrec.data.open_dataset import open_dataset
from tfadrec.training import load_run

FOLDER = pathlib.Path(__file__).parent / "version_1"


@pytest.fixture
def run(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "old")
    record = tmp_path / "old" / "run" / "run.json"
    found = json.loads(record.read_text())
    found["data"] = str(tmp_path / "old" / "data")
    record.write_text(json.dumps(found))
    return tmp_path / "old" / "run"


def test_a_dataset_has_its_features():
    schema = open_dataset(FOLDER / "data").schema
    assert [(f.entity, f.name, f.kind) for f in schema.features] == [
        ("context", "age", "number"),
        ("ad", "brand", "category"),
        ("context", "device", "category"),
        ("context", "hour", "number"),
        ("context", "position", "category"),
        ("ad", "price", "number"),
    ]


def test_a_run_scores_as_it_did(run):
    expected = json.loads((FOLDER / "logits.json").read_text())
    loaded = load_run(run)
    found = loaded.ranker.predict(loaded.dataset.batches(64))
    assert set(found) == set(expected)
    for task, logits in expected.items():
        np.testing.assert_allclose(found[task], logits, rtol=1e-5, atol=1e-6)


def test_a_run_is_not_read_with_a_dataset_that_has_changed(run):
    schema = run.parent / "data" / "schema.json"
    schema.write_text(schema.read_text().replace('"b0"', '"b9"'))
    with pytest.raises(InputError, match="has changed since"):
        load_run(run)


def test_a_model_larger_than_its_file_is_refused(run):
    """Before 16 GB are asked for."""
    file = run / "model.keras"
    with zipfile.ZipFile(file) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    few, many = b'"num_ads": 8', b'"num_ads": 1000000000'
    assert few in held["config.json"]
    held["config.json"] = held["config.json"].replace(few, many)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in held.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match="would hold more than"):
        load_run(run)
