"""The learner against a world whose truth is known."""

import pathlib

import numpy as np
import pyarrow.parquet as pq
import pytest

from tfadrec import data, training
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


@pytest.mark.slow
def test_pcvr_is_unbiased_over_all_impressions(tmp_path):
    """Mean predicted over mean true probability of a conversion after a click.

    Trained on the clicked rows alone, a ranker has seen mostly users who like
    what they are shown, and promises the same of those who do not.
    """
    world = tmp_path / "world"
    sources.prepare_synthetic(
        world, 0, num_users=1000, num_ads=200, requests_per_user=40
    )
    dataset = data.open_dataset(world).with_history_length(30)
    train, valid, test = data.split_by_time(dataset)
    table = pq.read_table(world / "impressions.parquet")
    click, conversion = (
        table[f"true_{name}_probability"].to_numpy()[-len(test) :]
        for name in ("click", "conversion")
    )
    rarely_clicked = click <= np.median(click)

    def bias(tasks, answer, parts, rate, batch_size):
        config = RunConfig(
            text=None,
            ranker={"tasks": tasks},
            optimizer={"class": "LazyAdam", "learning_rate": rate},
        )
        ranker = training.build_ranker(config, dataset)
        training.fit(
            ranker,
            *parts,
            tmp_path / answer,
            batch_size=batch_size,
            epochs=6,
            monitor="val_log_loss",
            progress=False,
        )
        logits = ranker.predict(test.batches(4096))[answer].astype(float)
        found = 1 / (1 + np.exp(-logits))
        return [
            found[rows].mean() / conversion[rows].mean()
            for rows in (slice(None), rarely_clicked)
        ]

    everywhere, rare = bias(
        ["clicked", "converted"],
        "converted_if_clicked",
        (train, valid),
        0.003,
        512,
    )
    assert 0.85 < everywhere < 1.15
    assert 0.75 < rare < 1.25
    on_clicks = [
        part.select(part.impressions.labels["clicked"] == 1)
        for part in (train, valid)
    ]
    everywhere, rare = bias(["converted"], "converted", on_clicks, 0.001, 128)
    assert everywhere > 1.2
    assert rare > 1.5
