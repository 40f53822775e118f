"""A run whose ranker folds opinions in, from its settings to its bundle."""

import functools

import numpy as np
import pytest

from tests.training import small
from tests.training.test_grow_vocabulary import known
from tfadrec import serving, training
from tfadrec.data.split import split_by_time

SETTINGS = small.config(
    fold_in={"rank": 2},
    fit={"epochs": 1, "refit": True},
)


@functools.cache
def run():
    out = small.folder() / "fold-in"
    return training.train(small.world(), SETTINGS, out, progress=False)


@pytest.mark.slow
def test_a_refit_has_its_own_factors_and_the_mix_of_the_first():
    again, first = run().ranker, run().chosen
    np.testing.assert_array_equal(
        again.fold_in.mix[:-1], first.fold_in.mix[:-1]
    )
    # It expects as many clicks of what it has learned and the first has not.
    valid = run().valid.batches(64)
    clicks = [
        np.sum(1 / (1 + np.exp(-r.predict(valid)["clicked"])))
        for r in (again, first)
    ]
    assert clicks[0] == pytest.approx(clicks[1], 1e-4)
    assert again.fold_in.mix[-1] != first.fold_in.mix[-1]
    one, two = (r.ad_tower.factors.numpy() for r in (again, first))
    assert one.any()
    assert two.any()
    assert (one != two).any()  # of more rows


@pytest.mark.slow
def test_a_bundle_folds_in_too(tmp_path):
    ranker = run().ranker
    before = ranker.fold_in.mix.numpy()
    ranker.fold_in.mix.assign([0.5, 0.7, 3.0, 1.0, 2.0, 3.0, 1.0, 0.1])
    ranker.fold_in.values.assign([0.0, 1.5, -0.5])
    serving.export_bundle(ranker, run().test, tmp_path / "bundle")  # checks it
    ranker.fold_in.mix.assign(before)


@pytest.mark.slow
def test_ads_keep_their_factors_where_a_vocabulary_grows(tmp_path):
    there, (ads, _) = known()
    train, valid, _ = split_by_time(there)
    config = small.config(fold_in={"rank": 2}, fit={"epochs": 1})
    ranker = training.build_ranker(config, there)
    training.fit(ranker, train, valid, tmp_path, **config.fit, progress=False)
    old = ranker.ad_tower.factors.numpy()
    whole = training.grow_vocabulary(
        ranker, there, training.load_run(small.run_folder()).dataset
    )
    new = whole.ad_tower.factors.numpy()
    np.testing.assert_array_equal(new[ads], old)
    more = np.delete(new, ads, axis=0)
    assert len(more)
    np.testing.assert_array_equal(more, np.tile(new[:1], [len(more), 1]))
    np.testing.assert_array_equal(whole.fold_in.values, ranker.fold_in.values)
