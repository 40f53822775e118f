"""Blocks of rows, against the same rows at once."""

import numpy as np
import pytest

from tests.evaluation import rows
from tfadrec.core.errors import InputError
from tfadrec.evaluation import Tally, differences, measure
from tfadrec.evaluation.comparison.holm import holm
from tfadrec.evaluation.comparison.tally import units_of
from tfadrec.metrics import ranking

ROWS, USERS = 40_000, 4000


@pytest.fixture(scope="module")
def world():
    """Users differ, and of two models one knows a little more."""
    rng = np.random.default_rng(0)
    users = rng.integers(1, USERS + 1, ROWS)
    of_users = rng.normal(0, 0.7, USERS + 1)
    known = rng.normal(size=ROWS)
    truth = known + of_users[users] - 2
    labels = (rng.random(ROWS) < 1 / (1 + np.exp(-truth))).astype(float)
    noise = rng.normal(size=ROWS)
    logits = {
        "live": known + 0.5 * noise - 2,
        "new": known + 0.3 * noise - 2,
    }
    return users, labels, logits


def tallied(world, blocks, **more):
    users, labels, logits = world
    tally = Tally(list(logits), **more)
    for part in np.array_split(np.arange(ROWS), blocks):
        tally.add(
            labels[part], {n: z[part] for n, z in logits.items()}, users[part]
        )
    return tally


def test_it_is_what_all_rows_at_once_tell(world):
    users, labels, logits = world
    dataset = rows.dataset([1] * ROWS, labels, users=users)
    exact = {
        d.metric: d
        for d in differences(
            {n: [measure({"clicked": z}, dataset)] for n, z in logits.items()},
            dataset,
            metrics=("auc", "log_loss"),
            parts=["all"],
            replicates=300,
        )
    }
    tally = tallied(world, 7)
    assert tally.rows == ROWS
    assert max(tally.auc_error.values()) < 1 / 8192
    found = {d.metric: d for d in tally.differences(300)}
    assert set(found) == set(exact)
    for metric, own in found.items():
        other = exact[metric]
        close = 1e-12 if metric == "log_loss" else 2e-5
        assert own.value == pytest.approx(other.value, abs=close)
        assert own.reference_value == pytest.approx(
            other.reference_value, abs=close
        )
        # A deviation of 512 groups is off by 3 %, that of 300 samples by 4.
        assert own.rows_error == pytest.approx(other.rows_error, rel=0.15)
        assert own.verdict == other.verdict == "better"


def test_the_bound_of_the_auc_holds(world):
    _, labels, logits = world
    tally = tallied(world, 1, bins=16)
    (auc, *_) = (d for d in tally.differences(10) if d.metric == "auc")
    off = abs(auc.value - ranking.auc(labels, logits["new"]))
    assert 1e-5 < off < tally.auc_error["new"] < 1 / 16


def test_parts_and_weights(world):
    users, labels, logits = world
    mask = users % 2 == 0
    tally = Tally(list(logits), parts=["even", "same"], bins=4096)
    parts = {"even": mask, "same": mask}
    tally.add(labels, logits, users, weights=1.0 + mask, parts=parts)
    found = {(d.part, d.metric): d for d in tally.differences(10)}
    assert found["all", "log_loss"].value == pytest.approx(
        ranking.log_loss(labels, logits["new"], 1.0 + mask)
    )
    assert found["even", "auc"].value == pytest.approx(
        ranking.auc(labels[mask], logits["new"][mask]), abs=1e-4
    )
    # Parts of the same rows are one hypothesis.
    every, even, same = (found[part, "auc"] for part in ("all", *parts))
    assert [every.p_holm, even.p_holm] == holm([every.p, even.p])
    assert same.p_holm == even.p_holm


def test_groups_of_users():
    ids = np.arange(100_000)
    sizes = np.bincount(units_of(ids, 512))
    # Poisson(195) each.
    assert len(sizes) == 512
    assert 170 < sizes.mean() < 220
    assert sizes.var() == pytest.approx(sizes.mean(), rel=0.3)
    texts = units_of(np.array(["ann", "bob", "ann"]), 512)
    assert texts[0] == texts[2] != texts[1]


def test_what_is_missing_is_refused(world):
    with pytest.raises(InputError, match=r"needs two models. Received: live"):
        Tally(["live"])
    tally = Tally(["live", "new"])
    with pytest.raises(InputError, match=r"of 'new', and 1 labels"):
        tally.add([1.0], {"live": [0.3]}, [1])
    with pytest.raises(InputError, match="finite"):
        tally.add([1.0], {"live": [0.3], "new": [np.nan]}, [1])
    (auc, loss) = tally.differences(10)
    assert np.isnan(auc.value)
    assert np.isnan(loss.low)
