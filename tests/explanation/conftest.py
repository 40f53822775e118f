"""Rows with features of all kinds, and a ranker of random weights."""

import numpy as np
import pytest

from tests.data import rich_dataset
from tfadrec import layers, models
from tfadrec.core.door import keras


@pytest.fixture(scope="package")
def rows(tmp_path_factory):
    """Rich rows, whose ads have vectors of eight numbers as ad copy."""
    folder = tmp_path_factory.mktemp("rich")
    rows = rich_dataset.make(folder / "data", requests=80, events=160)
    vectors = np.random.default_rng(0).normal(size=[len(rows.catalogue), 8])
    catalogue = rows.catalogue.with_vectors("text", vectors.astype(np.float32))
    return rows.with_catalogue(catalogue)


@pytest.fixture(scope="package")
def deep(rows):
    """A ranker that reads all of it."""
    keras.utils.set_random_seed(3)
    ranker = models.AdRanker.for_dataset(
        rows,
        layers.DIN((8,), name="encoder"),
        ad_tower={"width": 4},
        fold_in=2,
        hidden_units=(8,),
        cross_layers=0,
    )
    ranker.build(None)
    random = np.random.default_rng(1)
    found = (ranker.ad_tower.factors, ranker.fold_in.values)
    for variable in (*ranker.trainable_variables, *found):
        variable.assign(random.normal(0, 0.3, variable.shape))
    ranker.fold_in.mix.assign([0.8, 0.9, 1.2, 0.9, 0.7, 1.1, 0.5, 0.1])
    return ranker
