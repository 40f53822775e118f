"""Public logs: nothing serious is found, and each planted fault is."""

import functools
import pathlib

import numpy as np
import pytest

from tests import public_logs
from tests.diagnosis.faults import FAULTS
from tests.training import small
from tfadrec import data
from tfadrec.data.sources import prepare_table
from tfadrec.diagnosis import examine_dataset

#: Rows that faults are planted into.
_ROWS = 20_000
LOGS = (
    *("amazon_industrial", "lastfm", "online_retail", "open_bandit"),
    *("upworthy", "movielens-100k"),
)
#: Example -> what is more than a note, and true of the log.
TRUE = {
    "upworthy": {"impossible_time"},  # its times are numbers of weeks
}


@functools.cache
def log(name):
    if name == "movielens-100k":
        cached = pathlib.Path.home() / ".cache/tfadrec/datasets"
        if not list(cached.glob("movielens-100k*")):
            pytest.skip("needs MovieLens-100K in the cache")
        return data.load(name)
    text, files = public_logs.example(name)
    folder = small.folder() / "logs" / name
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).symlink_to(public_logs.DATA / file)
    (folder / "log.yaml").write_text(text, "utf-8")
    prepare_table(folder / "log.yaml", folder / "data")
    return data.open_dataset(folder / "data")


@pytest.mark.slow
@pytest.mark.parametrize("name", LOGS)
def test_nothing_serious_is_wrong_with_a_public_log(name):
    found = {f.name for f in examine_dataset(log(name)) if f.level != "note"}
    assert found == TRUE.get(name, set())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["online_retail", "movielens-100k"])
@pytest.mark.parametrize(
    "fault", FAULTS, ids=[f"{f[0]}-{f[1]}" for f in FAULTS]
)
def test_a_fault_that_is_planted_into_it_is_found(name, fault):
    kind, where, level, plant = fault
    dataset = log(name)
    # Whole requests, from all of the log.
    every = -(-len(dataset) // _ROWS)
    kept = dataset.impressions.requests % every == 0
    dataset = dataset.select(np.flatnonzero(kept))
    before = {(f.name, f.where) for f in examine_dataset(dataset)}
    assert (kind, where) not in before
    found = examine_dataset(plant(dataset))
    # Clicks and conversions may both be told.
    levels = {f.level for f in found if (f.name, f.where) == (kind, where)}
    assert levels == {level}, [f.line for f in found]
