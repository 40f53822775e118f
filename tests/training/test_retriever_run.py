"""A retriever from its settings to a run folder, and back."""

import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner

from tests.training import small
from tfadrec import evaluation, training
from tfadrec.cli import main
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError

YAML = """
model: retriever
text: null
ad_tower: {width: 4}
retriever: {interests: 3, hard_negatives: 2}
optimizer: {class: LazyAdam, learning_rate: 0.02}
fit: {batch_size: 32, epochs: 2, steps_per_epoch: 6}
data: {history_length: 6}
"""


def call(*arguments):
    result = CliRunner().invoke(main, [*map(str, arguments), "--json"])
    return result, json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Stopped after an epoch, and gone on with from the command line."""
    out = tmp_path_factory.mktemp("retriever")
    settings = out / "run.yaml"
    settings.write_text(YAML)
    config = RunConfig.from_yaml(YAML)
    with small.untraced():
        run = training.train_retriever(
            small.world(), config, out / "run", until=1, progress=False
        )
    assert len(run.history) == 1
    result, told = call(
        *("train", "--data", small.world(), "--config", settings),
        *("--out", out / "run"),
    )
    assert result.exit_code == 0, result.output
    assert told["history"][0] == run.history[0]
    assert len(told["history"]) == 2
    own = told["beside"]["retriever"]["recall@50"]
    assert own == max(epoch["val_recall@50"] for epoch in told["history"])
    assert f"ads: retriever {own:.4f}, popularity" in result.output
    return out / "run"


def test_it_is_read_back_with_the_best_weights(folder):
    run = training.load_retriever(folder)
    assert (run.retriever.interests, run.retriever.hard_negatives) == (3, 2)
    recalls = [epoch["val_recall@50"] for epoch in run.history]
    assert run.best["val_recall@50"] == max(recalls)
    # The rows of the run are those that its settings tell.
    assert len(run.train) + len(run.valid) + len(run.test) == len(run.dataset)
    assert run.test.history_length == 6
    # What it was chosen by is what is measured now: all 20 ads are among 50.
    found = evaluation.evaluate_retrieval(
        run.retriever, run.valid, run.train, ks=(10, 50)
    )["retriever"]
    assert found["ndcg@10"] == pytest.approx(run.best["val_ndcg@10"], abs=1e-5)


def test_evaluate_shows_baselines(folder):
    run = training.load_retriever(folder)
    result, told = call("evaluate", folder)
    assert result.exit_code == 0, result.output
    found = evaluation.evaluate_retrieval(
        run.retriever, run.test, run.train, ks=(10, 50, 100)
    )
    assert told["runs"][str(folder)] == found
    for name in ("retriever", "popularity", "item-to-item"):
        line = next(
            line for line in result.stdout.splitlines() if line.startswith(name)
        )
        expected = found[name.replace("-", "_")]["recall@10"]
        assert f"{expected:.4f}" in line
    ads = len(run.dataset.catalogue)
    assert evaluation.retrieval_line(found, ads, 50) in result.stdout


def test_other_commands_refuse_it(folder):
    for command in (
        ("export", folder),
        ("recommend", folder, "--user", "x"),
        ("calibrate", folder),
    ):
        result, told = call(*command)
        assert result.exit_code == 2
        assert "needs a run of a ranker" in told["error"]
    result, told = call("evaluate", folder, "--explain", "--fairness", "x")
    assert result.exit_code == 2
    assert "Received: --explain and --fairness." in told["error"]
    result, told = call("export", small.run_folder(), "--filter", "category")
    assert result.exit_code == 2
    assert "without --retriever" in told["error"]
    result, told = call(
        *("export", small.run_folder(), "--retriever", small.run_folder())
    )
    assert "needs a run of a retriever" in told["error"]


def test_an_unknown_filter_is_refused_before_tensorflow_loads(
    folder, monkeypatch
):
    monkeypatch.setattr("tfadrec.cli.export.load_tensorflow", None)
    result, told = call(
        *("export", small.run_folder(), "--retriever", folder),
        *("--filter", "hue"),
    )
    assert result.exit_code == 2
    assert "one of category. Received: 'hue'" in told["error"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fit": {"monitor": "val_auc"}}, "no setting `fit.monitor`"),
        ({"fit": {"by": "row"}}, "no setting `fit.by`"),
        ({"fit": {"ensemble": 2}}, "no setting `fit.ensemble`"),
        ({"fit": {"refit": True}}, "no setting `fit.refit`"),
        ({"retriever": {"interests": 0}}, r"`retriever.interests` must be"),
        ({"retriever": {"intrests": 2}}, r"Did you mean interests"),
        ({"model": "ranker"}, "here a retriever is trained"),
    ],
)
def test_settings_that_a_retriever_cannot_have(tmp_path, change, message):
    config = dataclasses.replace(RunConfig.from_yaml(YAML), **change)
    with pytest.raises(InputError, match=message):
        training.train_retriever(small.world(), config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        # Of a width of 4.
        (
            {"class": "Transformer", "num_heads": 3},
            r"settings must fit: .*num_heads=3",
        ),
        (
            {"class": "DIN"},
            r"^`encoder`: a retriever's .* candidates\. Received: DIN\. "
            r"Choose GRU, LSTM, Transformer or HSTU\.$",
        ),
    ],
)
def test_settings_are_built_before_rows_are_read(
    tmp_path, monkeypatch, encoder, message
):
    monkeypatch.setattr("tfadrec.training.retriever_run.open_dataset", None)
    config = dataclasses.replace(RunConfig.from_yaml(YAML), encoder=encoder)
    with pytest.raises(InputError, match=message):
        training.train_retriever(small.world(), config, tmp_path / "run")


def test_a_ranker_is_not_trained_with_settings_of_a_retriever(tmp_path):
    with pytest.raises(InputError, match="here a ranker is trained"):
        training.train(small.world(), RunConfig.from_yaml(YAML), tmp_path / "r")


def test_the_clicks_tell_a_batch_size_that_is_left_out(tmp_path, monkeypatch):
    sizes = []

    def run_epochs(folder, model, batches, *more, steps, **settings):
        columns = next(iter(batches(0)))[0]
        sizes.append((len(columns["user_id"]), steps))
        return [{"loss": 1.0, "val_recall@50": 0.5}]

    monkeypatch.setattr("tfadrec.training.retriever_run.run_epochs", run_epochs)
    config = dataclasses.replace(RunConfig.from_yaml(YAML), fit={})
    run = training.train_retriever(small.world(), config, tmp_path / "run")
    clicks = int(run.train.impressions.labels["clicked"].sum())
    assert clicks > 64
    assert sizes == [(64, clicks // 64)]


def test_rows_without_clicks_are_refused(tmp_path, monkeypatch):
    found = training.retriever_run.open_dataset(small.world())
    nothing = np.zeros_like(found.impressions.labels["clicked"])
    rows = dataclasses.replace(
        found.impressions,
        labels={**found.impressions.labels, "clicked": nothing},
    )
    found = dataclasses.replace(found, impressions=rows)
    monkeypatch.setattr(
        "tfadrec.training.retriever_run.open_dataset", lambda _: found
    )
    with pytest.raises(InputError, match=r"Received: none in \d+ training"):
        training.train_retriever(
            small.world(), RunConfig.from_yaml(YAML), tmp_path / "run"
        )
