"""A run that is read to go on learning, and one that is read to be asked."""

import dataclasses
import gc
import io
import shutil
import zipfile

import h5py
import numpy as np
import pytest

from tests.training import small, test_retriever_run
from tfadrec import data, training
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError
from tfadrec.training import epoch_files
from tfadrec.training.saved_state import fixed_rate

COMPOSITE = {
    "class": "CompositeOptimizer",
    "groups": {"embedding_and_bias": {"class": "Adagrad"}},
    "default": {"class": "LazyAdam", "learning_rate": 0.01},
}
SCHEDULE = {
    "class": "LazyAdam",
    "learning_rate": {
        "class": "WarmUp",
        "learning_rate": 0.01,
        "warm_up_steps": 2,
        "total_steps": 40,
    },
}


def numbers_of_optimizers(file):
    """How many numbers of optimisers, and of all else, a model's file has."""
    with zipfile.ZipFile(file) as archive:
        weights = archive.read("model.weights.h5")
    found = {True: 0, False: 0}

    def count(name, item):
        if isinstance(item, h5py.Dataset):
            found["optimizer" in name] += item.size

    with h5py.File(io.BytesIO(weights)) as read:
        read.visititems(count)
    return found[True], found[False]


def assert_goes_on_as(found, expected):
    """With equal weights, moments and rates."""
    assert len(expected.optimizer.variables) > 10
    for of in (lambda each: each, lambda each: each.optimizer):
        pairs = zip(of(found).variables, of(expected).variables, strict=True)
        for one, other in pairs:
            np.testing.assert_array_equal(one, other, one.name)
    assert found.optimizer.get_config() == expected.optimizer.get_config()


def test_a_run_that_is_asked_has_no_moments():
    run, trained = small.run(), small.trained()
    of_optimizer, others = numbers_of_optimizers(
        small.run_folder() / "model.keras"
    )
    assert (of_optimizer, others > 100) == (1, True)
    assert len(run.ranker.optimizer.variables) == 1
    steps = run.ranker.optimizer.iterations.numpy()
    assert steps == trained.ranker.optimizer.iterations.numpy() > 0


def test_a_ranker_in_memory_keeps_its_moments(tmp_path):
    """What is written does not touch what goes on."""
    ranker = small.trained().ranker
    optimizer = ranker.optimizer
    before = [variable.numpy() for variable in optimizer.variables]
    assert len(before) > 10
    training.run.save_model(ranker, tmp_path / "model.keras")
    assert ranker.optimizer is optimizer
    for variable, value in zip(optimizer.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize(
    ("sections", "large"),
    [
        ({}, 200),
        ({"optimizer": COMPOSITE}, 1 << 40),
        ({"optimizer": COMPOSITE}, 200),
        ({"optimizer": SCHEDULE}, 1 << 40),
        ({"fit": {"refit": True}}, 1 << 40),
        ({"fit": {"decay": False}}, 1 << 40),
    ],
    ids=[
        "tables",
        "composite",
        "composite tables",
        "schedule",
        "refit",
        "flat",
    ],
)
def test_a_run_that_goes_on_has_what_it_ended_with(
    sections, large, untraced, tmp_path, monkeypatch, caplog
):
    """Though its best epoch is not the last, and the rate has fallen there.

    Nothing is said of the weights, which are read elsewhere.
    """
    monkeypatch.setattr(epoch_files, "_LARGE", large)
    config = small.config(fit={"epochs": 2, "steps_per_epoch": 2})
    if "optimizer" in sections:
        config = dataclasses.replace(config, optimizer=sections["optimizer"])
    config = dataclasses.replace(
        config, fit={**config.fit, **sections.get("fit", {})}
    )
    trained = training.train(small.world(), config, tmp_path, progress=False)
    found = training.load_run(tmp_path, optimizer=True)
    assert_goes_on_as(found.ranker, trained.ranker)
    gc.collect()  # TensorFlow tells it of checkpoints that are gone
    assert not caplog.records
    asked = training.load_run(tmp_path)
    rate = fixed_rate(asked.ranker.optimizer)
    assert rate == fixed_rate(trained.ranker.optimizer)


def test_a_run_of_before_goes_on(tmp_path):
    """Whose optimiser is in its model.keras, and is read with it."""
    out = shutil.copytree(small.run_folder(), tmp_path / "run")
    trained = small.trained().ranker
    folder = small.folder_of(out)
    with folder.held(), folder.writing() as fresh:
        trained.save(fresh / "model.keras")
    of_optimizer, others = numbers_of_optimizers(out / "model.keras")
    assert of_optimizer > others
    assert_goes_on_as(training.load_run(out).ranker, trained)
    shutil.rmtree(out / "checkpoints")  # they are not asked
    assert_goes_on_as(training.load_run(out, optimizer=True).ranker, trained)


def test_what_was_read_to_be_asked_does_not_learn(tmp_path):
    """It would go on with moments of zero, as if they were warmed up."""
    ranker = small.run().ranker
    parts = data.split_by_time(
        data.open_dataset(small.world()).with_history_length(6)
    )
    with pytest.raises(InputError, match=r"knows.*without.*optimizer=True"):
        training.fit(ranker, *parts[:2], tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_a_run_that_has_gone_on_since(untraced, tmp_path):
    """Its model.keras is of another epoch than its optimiser."""
    config = small.config(fit={"epochs": 3, "steps_per_epoch": 2})
    out = tmp_path / "run"
    training.train(small.world(), config, out, until=1, progress=False)
    assert training.load_run(out, optimizer=True).best_epoch == 1
    model = (out / "model.keras").read_bytes()
    state = training.train(small.world(), config, out, progress=False)
    if state.best_epoch == 1:
        pytest.fail("the test needs a run that gets better")
    folder = small.folder_of(out)
    with folder.held(), folder.writing() as fresh:
        (fresh / "model.keras").write_bytes(model)
    training.load_run(out)
    with pytest.raises(InputError, match=r"has gone on since its model\.keras"):
        training.load_run(out, optimizer=True)


@pytest.mark.parametrize("spoil", ["changed", "gone"])
def test_moments_that_are_damaged(tmp_path, spoil):
    """Who only asks does not notice; who goes on is told."""
    out = shutil.copytree(small.run_folder(), tmp_path / "run")
    for file in (out / "checkpoints").glob("*.data-*"):
        if spoil == "gone":
            file.unlink()
        else:
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 1
            file.write_bytes(content)
    training.load_run(out)
    with pytest.raises(InputError, match=r"(is not|cannot be read).*Remove"):
        training.load_run(out, optimizer=True)


def test_no_file_has_moments_that_nobody_reads(untraced, tmp_path):
    """Of a retriever, and of the members of an ensemble."""
    text = test_retriever_run.YAML.replace(
        "epochs: 2, steps_per_epoch: 6", "epochs: 1, steps_per_epoch: 1"
    )
    out = tmp_path / "finds"
    config = RunConfig.from_yaml(text)
    training.train_retriever(small.world(), config, out, progress=False)
    of_optimizer, others = numbers_of_optimizers(out / "model.keras")
    assert (of_optimizer, others > 100) == (1, True)
    retriever = training.load_retriever(out).retriever
    assert len(retriever.optimizer.variables) == 1
    out = tmp_path / "three"
    config = small.config(fit={"ensemble": 2, "epochs": 1})
    training.train(small.world(), config, out, progress=False)
    of_optimizer, others = numbers_of_optimizers(out / "model.keras")
    assert (of_optimizer, others > 100) == (3, True)
    ensemble = training.load_run(out, optimizer=True).ranker
    for ranker in ensemble.rankers:
        assert len(ranker.optimizer.variables) == 1
