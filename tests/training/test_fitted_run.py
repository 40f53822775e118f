"""The folder that `training.fit` wrote is a run."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from tests.data import tiny_encoder
from tests.training import small
from tfadrec import data, layers, training
from tfadrec.cli import main
from tfadrec.core.errors import InputError
from tfadrec.data import sources


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_encoder.write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def dataset(model, tmp_path_factory):
    """The small world in a folder that can move, its copy as vectors."""
    folder = tmp_path_factory.mktemp("world")
    shutil.copytree(small.world(), folder / "data")
    dataset = data.open_dataset(folder / "data").with_history_length(6)
    catalogue = data.encode_text(
        dataset.catalogue,
        data.Tokenizer.from_pretrained(model, max_tokens=12),
        layers.BertAdEncoder.from_pretrained(model, pooling="cls"),
        cache=folder / "cache",
        progress=False,
    )
    return dataset.with_catalogue(catalogue)


@pytest.fixture(scope="module")
def ranker(dataset):
    """Each test trains it on."""
    return training.build_ranker(small.config(), dataset)


def fit(ranker, parts, out):
    settings = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 32}
    with small.untraced():
        training.fit(ranker, *parts, out, progress=False, **settings)


@pytest.fixture(scope="module")
def fitted(ranker, dataset, tmp_path_factory):
    """The logits of the test rows then, and the folder."""
    out = tmp_path_factory.mktemp("runs") / "first"
    train, valid, test = data.split_by_time(dataset)
    fit(ranker, (train, valid), out)
    with small.untraced():
        return ranker.predict(test.batches(64))["clicked"], out


def call(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def refused(result, *words):
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    for word in words:
        assert word in line


def test_it_has_the_ranker_and_the_rows(fitted, dataset, model, untraced):
    logits, out = fitted
    run = training.load_run(out)
    for name, part in zip(
        ("train", "valid", "test"), data.split_by_time(dataset), strict=True
    ):
        found = getattr(run, name)
        np.testing.assert_array_equal(
            found.impressions.times, part.impressions.times
        )
        np.testing.assert_array_equal(
            found.impressions.ads, part.impressions.ads
        )
        assert found.history_length == 6
    rows = data.split_by_time(dataset)[2].batches(64)
    np.testing.assert_array_equal(run.ranker.predict(rows)["clicked"], logits)
    assert run.best["val_auc"] == run.history[0]["val_auc"]
    assert run.config.text == {
        "model": str(model.resolve()),
        "max_tokens": 12,
        "clean": [],
        "pooling": "cls",
    }
    tokenizer, encoder = training.text_model(run.config.text)
    assert tokenizer.max_tokens == 12
    assert encoder.pooling == "cls"


def test_evaluate_and_recommend_read_it(fitted, untraced, tmp_path):
    run = shutil.copytree(fitted[1], tmp_path / "first")
    for arguments in (("evaluate", run), ("recommend", run, "--user", "u1")):
        result = call(*arguments)
        assert result.exit_code == 0, result.output


@pytest.mark.usefixtures("no_replay", "no_graph")
def test_export_reads_it_with_its_language_model(fitted, tmp_path):
    result = call("export", fitted[1], "--out", tmp_path / "bundle")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "bundle" / "1" / "saved_model.pb").is_file()
    assert "is not known" not in result.stdout
    assert "WordLevel" in result.stderr  # of the tokenizer that it was given


def test_a_dataset_that_has_moved(fitted, tmp_path, monkeypatch):
    run = shutil.copytree(fitted[1], tmp_path / "first")
    record = json.loads((run / "run.json").read_text())
    moved = shutil.move(record["data"], tmp_path / "moved")
    try:
        monkeypatch.setattr("tfadrec.cli.evaluate.load_tensorflow", pytest.fail)
        refused(call("evaluate", run), "is not there", "--data")
        assert len(training.load_run(run, data=moved).test) > 0
        with pytest.raises(InputError, match="which is another one"):
            training.load_run(
                run, data=small.make_world(tmp_path / "other", seed=1)
            )
    finally:
        shutil.move(moved, record["data"])


def test_rows_that_were_chosen_otherwise(ranker, dataset, tmp_path):
    """What neither part has is unseen."""
    train, valid, _ = data.split_by_time(dataset)
    fewer = train.select(np.arange(len(train)) % 2 == 0)
    fit(ranker, (fewer, valid), tmp_path)
    run = training.load_run(tmp_path)
    assert (len(run.train), len(run.valid)) == (len(fewer), len(valid))
    assert len(run.test) == len(dataset) - len(fewer) - len(valid)


def test_rows_of_no_folder(ranker, dataset, tmp_path, monkeypatch):
    """Every row of the folder that is named counts as unseen."""
    own = dataclasses.replace(dataset, origin=None)
    fit(ranker, data.split_by_time(own)[:2], tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("tfadrec.cli.evaluate.load_tensorflow", pytest.fail)
        refused(call("evaluate", tmp_path), "--data")
    run = training.load_run(tmp_path, data=small.world())
    assert len(run.test) == len(dataset)
    other = sources.prepare_synthetic
    other(tmp_path / "w", 0, num_users=9, num_ads=8, requests_per_user=9)
    with pytest.raises(InputError, match="of 20 ads, and a dataset of 8"):
        training.load_run(tmp_path, data=tmp_path / "w")


def test_rows_that_are_not_those_of_the_folder_any_more(
    ranker, dataset, tmp_path
):
    rows = dataset.impressions
    flipped = {k: 1 - v for k, v in rows.labels.items()}
    other = dataclasses.replace(
        dataset, impressions=dataclasses.replace(rows, labels=flipped)
    )
    fit(ranker, data.split_by_time(other)[:2], tmp_path)
    with pytest.raises(InputError, match="Name the folder with --data"):
        training.load_run(tmp_path)


def test_the_folder_of_train_stays_as_it_is(dataset, tmp_path):
    run = shutil.copytree(small.run_folder(), tmp_path / "run")
    before = (run / "run.json").read_bytes()
    plain = data.open_dataset(small.world()).with_history_length(6)
    ranker = training.build_ranker(small.config(), plain)
    parts = data.split_by_time(plain)[:2]
    training.fit(ranker, *parts, run, epochs=1, progress=False)
    assert (run / "run.json").read_bytes() == before


def test_a_spoilt_file_of_rows(fitted, tmp_path):
    run = shutil.copytree(fitted[1], tmp_path / "first")
    np.save(run / "rows.npy", np.zeros(3, np.uint8))
    with pytest.raises(InputError, match=r"where rows\.npy is not"):
        training.load_run(run)
    (run / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"rows\.npy must say"):
        training.load_run(run)
