"""A ranker's best ads, by a sort of what it says of each ad alone."""

import dataclasses

import numpy as np
import pytest
from click.testing import CliRunner

from tests.training import small
from tests.training.test_retriever_run import YAML
from tfadrec import serving, training
from tfadrec.cli.main import main
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError
from tfadrec.training import distillation
from tfadrec.training.distillation import Distillation


@pytest.fixture(scope="module")
def taught():
    return Distillation.of(small.run().ranker, small.run().valid, 5)


def test_the_ads_are_the_ranker_s_best(taught):
    """Each ad with each of the rows, whose position is unknown."""
    run = small.run()
    count = len(run.dataset.catalogue)
    assert taught.ads.shape == taught.logits.shape == (5, count)
    scores = np.empty([5, count])
    for ad in range(1, count + 1):
        inputs = {**taught.inputs, "candidate_ads": np.full(5, ad, np.int32)}
        rows = np.zeros(5, np.int32)
        for feature in run.dataset.schema.of("candidate"):
            inputs |= {name: rows for name in feature.tensors}
        scores[:, ad - 1] = run.ranker(inputs)["clicked"]
    order = 1 + np.argsort(-scores, axis=1)
    np.testing.assert_allclose(
        taught.logits[:, 0], scores.max(axis=1), rtol=1e-4, atol=1e-5
    )
    assert (taught.ads[:, :5] == order[:, :5]).mean() > 0.9  # but for ties


def test_the_stream_can_be_entered_anywhere(taught):
    stream = taught.batches(2, seed=1, first_step=0)
    ads = [inputs["candidate_ads"].numpy() for inputs, _ in stream.take(5)]
    inputs, labels = next(iter(taught.batches(2, seed=1, first_step=4)))
    np.testing.assert_array_equal(inputs["candidate_ads"], ads[4])
    assert labels["logits"].shape == inputs["candidate_ads"].shape


def test_a_sample_of_a_large_catalogue(monkeypatch):
    monkeypatch.setattr(distillation, "_ADS", 12)
    monkeypatch.setattr(distillation, "_BEST", 4)
    monkeypatch.setattr(distillation, "_OTHERS", 3)
    monkeypatch.setattr(distillation, "_USERS", 2)
    found = Distillation.of(small.run().ranker, small.run().valid, 5)
    assert found.ranked.shape == (5, 12)
    assert found.ads.shape == (5, 7)
    assert {len(set(row)) for row in found.ranked} == {12}
    assert set(found.ranked[0]) != set(found.ranked[2])
    for ads, logits, ranked in zip(
        found.ads, found.logits, found.ranked, strict=True
    ):
        assert set(ads) <= set(ranked)
        assert logits[3] >= logits[4:].max()
        assert (np.diff(logits[:4]) <= 0).all()


@pytest.mark.slow
def test_a_retriever_learns_what_the_ranker_likes(tmp_path, monkeypatch):
    """And a bundle is told that it has."""
    text = YAML.replace("epochs: 2, steps", "epochs: 3, steps")
    text = text.replace("_epoch: 6", "_epoch: 40")
    config = RunConfig.from_yaml(f"{text}distil: {small.run_folder()}\n")
    out = tmp_path / "run"
    run = training.train_retriever(small.world(), config, out, progress=False)
    overlaps = [epoch["val_overlap@10"] for epoch in run.history]
    assert run.best["val_overlap@10"] == max(overlaps)
    # Ten of twenty ads: by chance it is a half.
    assert max(overlaps) > 0.7
    assert training.load_retriever(out).history == run.history
    asked = {}

    def export_bundle(*_, **settings):
        asked.update(settings)
        return tmp_path / "1"

    monkeypatch.setattr(serving, "export_bundle", export_bundle)
    call = ["export", small.run_folder(), "--retriever", out]
    call += ["--out", tmp_path / "bundle"]
    done = CliRunner().invoke(main, [str(part) for part in call])
    assert done.exit_code == 0, done.output
    assert asked["distilled"]
    assert asked["retriever"] is not None


def test_it_has_more_epochs_by_itself(tmp_path, monkeypatch):
    """Than one that learns from clicks, as its rows are few."""
    epochs = []

    def run_epochs(*_, **settings):
        epochs.append(settings["epochs"])
        return [{"loss": 1.0, "val_recall@50": 0.5, "val_overlap@10": 0.5}]

    room = "tfadrec.training.retriever_run"
    monkeypatch.setattr(f"{room}.run_epochs", run_epochs)
    monkeypatch.setattr(f"{room}._TAUGHT", 4)
    distil = {"distil": str(small.run_folder())}
    plain = RunConfig.from_yaml(YAML)
    for number, (more, fit) in enumerate(
        [({}, {}), (distil, {}), (distil, {"epochs": 3})]
    ):
        config = dataclasses.replace(plain, fit=fit, **more)
        training.train_retriever(
            small.world(), config, tmp_path / str(number), progress=False
        )
    assert epochs == [5, 20, 3]


def test_what_is_distilled_must_be_a_ranker(tmp_path):
    config = RunConfig.from_yaml(f"{YAML}distil: {tmp_path / 'nothing'}\n")
    with pytest.raises(InputError, match="which is not there"):
        training.train_retriever(small.world(), config, tmp_path / "run")
