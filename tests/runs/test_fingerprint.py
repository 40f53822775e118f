"""The fingerprint of a dataset tells of everything that a model reads."""

import dataclasses

import numpy as np
import pytest

from tests.data import dataset_folder
from tfadrec.data.open_dataset import open_dataset
from tfadrec.runs.record import fingerprint


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    dataset_folder.write(
        folder, dataset_folder.tables(), dataset_folder.schema()
    )
    dataset = open_dataset(folder)
    rows = dataset.impressions
    more = dataclasses.replace(
        rows,
        weights=np.ones(len(rows.times)),
        splits=np.array(["train"] * len(rows.times), object),
        days=np.zeros(len(rows.times), np.int32),
    )
    return dataclasses.replace(dataset, impressions=more)


def changed(array):
    """Another array of the same shape and type."""
    array = array.copy()
    array[-1] = f"{array[-1]}x" if array.dtype == object else array[-1] + 1
    return array


def variants(dataset):
    """Each field of log and impressions in turn, with one value changed."""
    for part in ("events", "impressions"):
        held = getattr(dataset, part)
        for field in dataclasses.fields(held):
            value = getattr(held, field.name)
            if isinstance(value, dict):
                others = [{**value, k: changed(v)} for k, v in value.items()]
            else:
                others = [changed(value), None]
            for other in others:
                new = dataclasses.replace(held, **{field.name: other})
                name = f"{part}.{field.name}"
                yield name, dataclasses.replace(dataset, **{part: new})
    for name in ("titles", "descriptions"):
        texts = list(getattr(dataset.catalogue, name))
        for other in ([*texts[:-1], "x"], ["A\nB", "", "C"]):
            catalogue = dataclasses.replace(dataset.catalogue, **{name: other})
            yield name, dataclasses.replace(dataset, catalogue=catalogue)


def test_it_changes_with_every_field(dataset):
    before = fingerprint(dataset)
    assert before == fingerprint(dataset)
    seen = {before}
    names = set()
    for name, other in variants(dataset):
        found = fingerprint(other)
        assert found not in seen, name
        seen.add(found)
        names.add(name)
    assert {"events.times", "events.users", "impressions.requests"} <= names


def test_texts_are_told_apart_from_their_neighbours(dataset):
    found = set()
    for titles in (["A\nB", "C", ""], ["A", "B\nC", ""], ["A", "B", "C"]):
        catalogue = dataclasses.replace(dataset.catalogue, titles=titles)
        other = dataclasses.replace(dataset, catalogue=catalogue)
        found.add(fingerprint(other))
    assert len(found) == 3
