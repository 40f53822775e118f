"""Whatever stands in the files, a dataset comes of it or one line of error."""

import csv
import io
import pathlib
import tempfile

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tfadrec.core.errors import InputError
from tfadrec.data import sources
from tfadrec.data.open_dataset import open_dataset

CELLS = st.one_of(
    st.sampled_from(
        [
            "",
            "a",
            "b",
            "u",
            "0",
            "1",
            "5",
            "2020-01-01",
            "a:1 b:2",
            "a b",
            "1e9",
        ]
    ),
    st.text(
        st.characters(exclude_characters="\x00", exclude_categories=["Cs"]),
        max_size=6,
    ),
    st.floats().map(str),
)
CONFIG = {
    "ads": {
        "file": "ads.csv",
        "max_rejected": 1,
        "ad_id": "id",
        "title": "x",
        "features": {
            "x": "category",
            "y": {"kind": "number", "log1p": True},
            "class": {"kind": "category", "column": ["x", "y"]},
            "z": "categories",
        },
    },
    "users": {
        "file": "users.csv",
        "max_rejected": 1,
        "user_id": "id",
        "features": {
            "x": {"kind": "lookup", "of": "ad.x"},
            "y": {"kind": "number", "buckets": 2},
            "z": {"kind": "categories", "weighted": True},
        },
    },
    "events": {
        "file": "events.csv",
        "max_rejected": 1,
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
        "event_type": "x",
        "features": {"y": "number"},
    },
    "impressions": {
        "file": "log.csv",
        "max_rejected": 1,
        "user_id": "user",
        "ad_id": "ad",
        "timestamp": "time",
        "clicked": "click",
        "weight": "w",
        "labels": {"amount": {"column": "y", "type": "real"}},
        "features": {"z": {"kind": "categories", "share": "ad.z"}},
        "candidate_features": {
            "x": {"kind": "category", "buckets": 3},
            "common": {"kind": "overlap", "of": ["context.z", "ad.z"]},
        },
    },
}
GOOD = {
    "ads.csv": [["id", "x", "y", "z"], ["a", "X", "1", "p q"]],
    "users.csv": [["id", "x", "y", "z"], ["u", "X:1", "2", "p:1"]],
    "events.csv": [["user", "ad", "time", "x", "y"], ["u", "a", "1", "v", "3"]],
    "log.csv": [
        ["user", "ad", "time", "click", "w", "x", "y", "z"],
        ["u", "a", "9", "1", "1", "n", "0.5", "p"],
    ],
}


def rows_like(good):
    header, row = good
    # Half of the cells are as they should be, so that some rows are kept.
    cells = st.tuples(*(st.just(cell) | CELLS for cell in row)).map(list)
    ragged = st.lists(CELLS, max_size=3)
    return st.lists(cells | ragged, max_size=6).map(
        lambda rows: [header, row, *rows]
    )


@settings(max_examples=30)
@given(st.fixed_dictionaries({k: rows_like(v) for k, v in GOOD.items()}))
def test_any_cells(files):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, rows in files.items():
            text = io.StringIO()
            csv.writer(text).writerows(rows)
            (folder / name).write_text(text.getvalue(), "utf-8", newline="")
        (folder / "c.yaml").write_text(yaml.safe_dump(CONFIG))
        summary = sources.prepare_table(folder / "c.yaml", folder / "out")
        for count in summary.counts:
            assert count.read == count.kept + count.rejected
            assert count.kept >= 1
        dataset = open_dataset(folder / "out")
    kept = {count.source: count.kept for count in summary.counts}
    assert len(dataset) == kept["log.csv"]
    assert len(dataset.catalogue) == kept["ads.csv"]
    arrays = {**dataset.catalogue.columns, **dataset.users}
    arrays |= dataset.impressions.columns
    for name, values in arrays.items():
        # A plain number says by nan that it is missing.
        assert not np.isinf(values).any(), name
        assert values.ndim == 1 or np.isfinite(values).all(), name
    assert np.isfinite(dataset.impressions.labels["amount"]).all()
    assert np.isfinite(dataset.impressions.weights).all()


@settings(max_examples=30)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_any_config(text):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "c.yaml")
        path.write_text(text, "utf-8")
        with pytest.raises(InputError) as caught:
            sources.prepare_table(path, pathlib.Path(folder, "out"))
        assert "\n" not in str(caught.value)
