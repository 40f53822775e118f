"""The learner against a world whose truth is known."""

import pathlib

import pyarrow.parquet as pq
import pytest

from tfadrec import training
from tfadrec.core.config import RunConfig
from tfadrec.data import sources
from tfadrec.metrics import ranking

EXAMPLE = pathlib.Path(__file__).parents[1] / "examples" / "synthetic.yaml"


@pytest.mark.slow
@pytest.mark.network
def test_the_ranker_comes_close_to_the_true_probabilities(tmp_path):
    world = tmp_path / "world"
    sources.prepare_synthetic(world, 0)
    config = RunConfig.from_yaml(EXAMPLE.read_bytes())
    run = training.train(world, config, tmp_path / "run", progress=False)
    clicked = run.test.impressions.labels["clicked"]
    found = run.ranker.predict(run.test.batches(4096))["clicked"]
    # Impressions are sorted by time, so the test rows are the last ones.
    table = pq.read_table(world / "impressions.parquet")
    truth = table["true_click_probability"].to_numpy()[-len(clicked) :]
    ceiling = ranking.auc(clicked, truth)
    assert ceiling > 0.78
    assert ranking.auc(clicked, found) > ceiling - 0.02
