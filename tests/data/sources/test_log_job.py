"""Logs that are read by pieces, each of them by itself."""

import dataclasses
import pickle

import pytest

from tests.data.large_log import HISTORIES, OFF_THE_LOG, SAMPLED, write
from tfadrec.core.errors import InputError
from tfadrec.data.sources import prepare_table

COUNTED = {
    "impressions": {
        "clicked": None,
        "weight": None,
        "split": None,
        "counts": {"impressions": "hour", "clicks": "click"},
    },
}


def read_apart(pieces):
    """A way to read logs as other processes would, the last piece first."""

    def found(job, kept):
        apart = [*job.pieces()]
        pieces.append(len(apart))
        kept += [
            pickle.dumps([*pickle.loads(pickle.dumps(job)).do(piece)])
            for piece in reversed(pickle.loads(pickle.dumps(apart)))
        ]
        for batches in reversed(kept):
            yield from pickle.loads(batches)

    def read(jobs, workspace):
        small = {"batch_rows": 70, "text_bytes": 6000}
        return [found(dataclasses.replace(j, **small), []) for j in jobs]

    return read


@pytest.mark.parametrize(
    ("end", "changes", "pieces"),
    [
        ("parquet", OFF_THE_LOG, [1, 7, 7, 7]),
        ("csv", {}, [1, 1, 3, 6]),
        pytest.param("parquet", {}, [1, 1, 7, 7], marks=pytest.mark.slow),
        pytest.param("parquet", SAMPLED, [1, 1, 7, 7], marks=pytest.mark.slow),
        pytest.param("parquet", COUNTED, [1, 1, 7, 7], marks=pytest.mark.slow),
        pytest.param("jsonl", {}, [1, 1, 1, 1], marks=pytest.mark.slow),
        pytest.param(
            "parquet",
            {
                **HISTORIES,
                # Drawn row by row.
                "impressions": {
                    **HISTORIES["impressions"],
                    "request_id": None,
                    "split": {"valid": 0.1, "test": 0.2},
                },
            },
            [1, 1, 7, 7],
        ),
    ],
)
def test_pieces_make_the_dataset_that_the_log_makes(
    tmp_path, end, changes, pieces
):
    config = write(tmp_path, end, **changes)
    whole = prepare_table(config, tmp_path / "d")
    found = []
    apart = prepare_table(config, tmp_path / "e", read=read_apart(found))
    assert sorted(found) == sorted(pieces)
    assert apart.counts == whole.counts
    assert apart.sizes == whole.sizes
    assert apart.notes == whole.notes
    files = sorted(p for p in (tmp_path / "d").rglob("*.*"))
    assert len(files) > 20
    for file in files:
        other = tmp_path / "e" / file.relative_to(tmp_path / "d")
        # Histories are written batch by batch, and the manifest tells of them.
        if "history" not in changes.get("impressions", {}) or (
            file.name not in ("histories.parquet", "manifest.json")
        ):
            assert other.read_bytes() == file.read_bytes(), file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ad_id": "no"}, "must have the column 'no'"),
        ({"max_rejected": 0}, "at most 0 % of the impressions of log.csv"),
        ({"file": "nowhere.csv"}, "must exist. Received: nowhere.csv"),
    ],
)
def test_what_is_wrong_is_told_as_of_the_whole(tmp_path, changes, message):
    config = write(tmp_path, "csv", impressions=changes)
    told = []
    for more in ({}, {"read": read_apart([])}):
        with pytest.raises(InputError, match=message) as error:
            prepare_table(config, tmp_path / "d", **more)
        told.append(str(error.value))
    assert told[0] == told[1]
