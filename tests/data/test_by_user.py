"""Rows in the order of their users: the same rows, and what is said of them."""

import numpy as np
import pytest

from tests.training import small
from tfadrec import evaluation, training
from tfadrec.data import by_user as module
from tfadrec.data.by_user import by_user, predict
from tfadrec.data.open_dataset import open_dataset


@pytest.fixture
def dataset():
    return open_dataset(small.world())


@pytest.fixture
def is_large(monkeypatch):
    """Whatever has events is large, and little of it is moved at a time."""
    monkeypatch.setattr(module, "_LARGE", 0)
    monkeypatch.setattr("tfadrec.core.blocks.ROWS", 7)
    monkeypatch.setattr(module, "_IN_MEMORY", 100)


def test_rows_are_sorted_and_leave_no_files(dataset, is_large, tmp_path):
    order = np.argsort(dataset.impressions.users, kind="stable")
    assert (order != np.arange(len(order))).any()
    expected = dataset.select(order)
    with by_user(dataset, tmp_path / "run") as found:
        # A killed process leaves no room taken either.
        assert not [f for f in tmp_path.rglob("*") if f.is_file()]
        pairs = zip(found.batches(50), expected.batches(50), strict=True)
        for (inputs, labels), (others, wanted) in pairs:
            assert inputs.keys() == others.keys()
            for name, column in (inputs | labels).items():
                np.testing.assert_array_equal(column, (others | wanted)[name])
        for name in ("requests", "times"):
            np.testing.assert_array_equal(
                getattr(found.impressions, name),
                getattr(expected.impressions, name),
            )
    assert not list(tmp_path.iterdir())


def test_a_log_that_fits_stays_as_it_is(dataset, tmp_path):
    with by_user(dataset, tmp_path / "run") as found:
        assert found is dataset


def test_predictions_come_in_the_order_of_the_rows(dataset, is_large):
    class Model:
        def predict(self, batches):
            found = [
                np.stack([b["user_id"], b["candidate_ads"]], 1)
                for b, _ in batches
            ]
            return {"clicked": np.concatenate(found)}

    rows = dataset.impressions
    found = predict(Model(), dataset, 64)["clicked"]
    np.testing.assert_array_equal(found, np.stack([rows.users, rows.ads], 1))


def test_a_large_log_is_learned_and_measured(is_large, tmp_path, monkeypatch):
    """What a run says of its rows is what they are, in whatever order."""
    run = training.train(small.world(), small.config(), tmp_path / "run")
    assert {p.name for p in tmp_path.iterdir()} == {"run"}

    def measured():
        told = evaluation.evaluate(run.ranker, run.valid).to_dict()["metrics"]
        return {k: v for k, v in told["clicked"].items() if v is not None}

    found = measured()
    monkeypatch.undo()
    expected = measured()
    assert found == pytest.approx(expected, rel=1e-5)
    best = max(epoch["val_auc"] for epoch in run.history)
    assert best == pytest.approx(expected["auc"], abs=1e-5)
