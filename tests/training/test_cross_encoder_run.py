"""A cross-encoder from its settings to a run folder, back, and as a teacher."""

import dataclasses
import functools
import importlib
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from tests.data import tiny_encoder
from tests.training import small
from tfadrec import data, serving, training
from tfadrec.calibration import Calibration, Mixture
from tfadrec.calibration.platt import Platt
from tfadrec.calibration.task_calibration import TaskCalibration
from tfadrec.cli import main
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.metrics import ranking
from tfadrec.training import soft_labels

YAML = """
model: cross_encoder
text: {model: MODEL, tuning: full, max_tokens: 8}
cross_encoder: {num_events: 2, event_tokens: 3, candidate_tokens: 4}
fit: {batch_size: 16, epochs: 2, steps_per_epoch: 3}
data: {history_length: 6}
"""


def call(*arguments):
    result = CliRunner().invoke(main, [*map(str, arguments), "--json"])
    return result, json.loads(result.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    return YAML.replace("MODEL", str(tiny_encoder.write_model(folder)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, settings):
    """Stopped after an epoch, and gone on with from the command line."""
    out = tmp_path_factory.mktemp("cross")
    file = out / "run.yaml"
    file.write_text(settings)
    with small.untraced():
        run = training.train_cross_encoder(
            small.world(),
            RunConfig.from_yaml(settings),
            out / "run",
            until=1,
            progress=False,
        )
    assert len(run.history) == 1
    result, told = call(
        *("train", "--data", small.world(), "--config", file),
        *("--out", out / "run"),
    )
    assert result.exit_code == 0, result.output
    assert told["history"][0] == run.history[0]
    assert len(told["history"]) == 2
    return out / "run"


def test_it_is_read_back_with_the_best_weights(folder):
    run = training.load_cross_encoder(folder)
    assert run.best["val_auc"] == max(e["val_auc"] for e in run.history)
    rows = run.valid.impressions
    logits = run.logits(run.valid)
    auc = ranking.auc(rows.labels["clicked"], logits, rows.weights)
    assert auc == pytest.approx(run.best["val_auc"], abs=1e-6)
    # Request by request as row by row.
    inputs, *_ = next(iter(run.valid.batches(len(run.valid))))
    np.testing.assert_allclose(
        run.reader(inputs)["clicked"], logits, rtol=1e-3, atol=1e-4
    )


def with_another_context(rows):
    """Rows that differ within their requests."""
    place = Feature("place", "context", "category", "place", vocabulary=("x",))
    features = (*rows.schema.features, place)
    values = np.arange(len(rows), dtype=np.int32) % 2
    columns = {**rows.impressions.columns, "place": values}
    return dataclasses.replace(
        rows,
        schema=dataclasses.replace(rows.schema, features=features),
        impressions=dataclasses.replace(rows.impressions, columns=columns),
    )


def test_what_it_does_not_read_may_differ_within_a_request(
    folder, settings, tmp_path, monkeypatch
):
    run = training.load_cross_encoder(folder)
    other = with_another_context(run.valid)
    with pytest.raises(InputError, match="have one context"):
        other.slates()
    np.testing.assert_array_equal(run.logits(other), run.logits(run.valid))
    whole = with_another_context(data.open_dataset(small.world()))
    module = importlib.import_module("tfadrec.training.cross_encoder_run")
    monkeypatch.setattr(module, "open_dataset", lambda _: whole)
    config = RunConfig.from_yaml(settings)
    with small.untraced():
        again = training.train_cross_encoder(
            small.world(), config, tmp_path / "run", until=1, progress=False
        )
    assert again.history[0] == run.history[0]


def test_other_commands_refuse_it(folder):
    for command in (("export", folder), ("evaluate", folder)):
        result, told = call(*command)
        assert result.exit_code == 2
        assert "needs a run of a ranker" in told["error"]


def taught(teacher, out, **sections):
    text = small.YAML + f"distil: {teacher}\n"
    config = RunConfig.from_yaml(text)
    for name, section in sections.items():
        config = RunConfig(
            **{**vars(config), name: {**getattr(config, name), **section}}
        )
    with small.untraced():
        return training.train(small.world(), config, out, progress=False)


def test_a_ranker_learns_beside_labels_what_another_run_says(
    folder, tmp_path, monkeypatch
):
    """What steps learn from is half of each, and worked out once."""
    seen = []
    fit_members = training.run.fit_members

    def spied(*arguments, **more):
        seen.append((arguments[3], more["taught"]))
        return fit_members(*arguments, **more)

    monkeypatch.setattr(training.run, "fit_members", spied)
    one = {"fit": {"epochs": 1, "steps_per_epoch": 1}}
    for number, teacher in enumerate((folder, small.run_folder())):
        out = tmp_path / str(number)
        run = taught(teacher, out, **one)
        if teacher is folder:
            reads = training.load_cross_encoder(folder)
            logits = reads.logits(reads.train)
        else:
            rows = small.run().train.batches(64)
            logits = small.run().ranker.predict(rows)["clicked"]
        learn, soft = seen[-1]
        labels = learn.impressions.labels["clicked"]
        assert set(labels) == {0, 1}
        expected = labels / 2 + 0.5 / (1 + np.exp(-logits))
        found = soft.impressions.labels
        np.testing.assert_allclose(found["clicked"], expected, atol=1e-5)
        assert found["converted"] is learn.impressions.labels["converted"]
        monkeypatch.setattr(soft_labels, "keep", pytest.fail)
        again = taught(teacher, out, **one)
        assert again.history == run.history
        monkeypatch.undo()
        monkeypatch.setattr(training.run, "fit_members", spied)


def test_it_is_mixed_with_a_ranker_on_validation_rows(folder):
    run, reads = small.run(), training.load_cross_encoder(folder)
    found = training.mix(run, reads)
    z = run.ranker.predict(run.valid.batches(64))["clicked"].astype(float)
    x = reads.logits(reads.valid).astype(float)
    rows = run.valid.impressions
    labels = rows.labels["clicked"]
    expected = Mixture.fit(z, x, labels, np.ones(len(z)))
    assert found.mixture.of_second == expected.of_second
    assert found.mixture.alone.slope == expected.alone.slope
    mixed = found.mixture.mixed(found.mixture.alone(z), x)
    for told, logits in ((found.alone, z), (found.mixed, mixed)):
        auc = ranking.auc(labels, logits, None)
        assert told == pytest.approx(auc, abs=1e-6)
    # Calibrated logits are those that are mixed, as a bundle has them.
    shifted = Calibration(
        {"clicked": TaskCalibration("platt", Platt(0.25, 3.0))}
    )
    changed = dataclasses.replace(run, calibration=shifted)
    again = training.mix(changed, reads).mixture
    np.testing.assert_allclose(
        again.alone(z / 4 + 3), found.mixture.alone(z), atol=1e-4
    )


def test_what_cannot_be_mixed(folder):
    run, reads = small.run(), training.load_cross_encoder(folder)
    with pytest.raises(InputError, match=r"Received: \d+ that it has"):
        training.mix(run, dataclasses.replace(reads, train=reads.valid))
    valid = run.valid.select(run.valid.impressions.labels["clicked"] == 0)
    with pytest.raises(InputError, match="that are all alike"):
        training.mix(dataclasses.replace(run, valid=valid), reads)
    rows = data.split_by_time(data.open_dataset(other_world()))[0]
    with pytest.raises(InputError, match="made with the same dataset"):
        training.mix(run, dataclasses.replace(reads, train=rows))


@functools.cache
def other_world():
    return small.make_world(small.folder() / "other", seed=1)


def changed_run(kind, out, **changes):
    """A copy of a run, with other things in its record."""
    shutil.copytree(kind, out)
    record = json.loads((out / "run.json").read_text())
    small.rewrite(out, "run.json", json.dumps({**record, **changes}))
    return out


def test_an_export_refuses_what_cannot_be_mixed(folder, tmp_path):
    ranker = small.run_folder()
    other = changed_run(folder, tmp_path / "other", fingerprint="another")
    again = changed_run(*(ranker, tmp_path / "refit"), config=small.YAML + "\n")
    record = json.loads((again / "run.json").read_text())
    config = record["config"].replace("patience", "refit: true, patience")
    small.rewrite(again, "run.json", json.dumps({**record, "config": config}))
    for run, reads, message in (
        (ranker, ranker, "needs a run of a cross_encoder"),
        (ranker, other, "a ranker and its re-ranker are made with the same"),
        (again, folder, "a ranker with fit.refit=true"),
    ):
        result, told = call(
            *("export", run, "--rerank", reads, "--out", tmp_path / "bundle")
        )
        assert result.exit_code == 2
        assert message in told["error"]
        assert not (tmp_path / "bundle").exists()


def test_an_export_hands_it_on(folder, tmp_path, monkeypatch):
    """What a bundle is made with; to make one takes half a minute."""
    given = {}

    def export_bundle(*_, **settings):
        given.update(settings)
        return tmp_path / "bundle" / "1"

    monkeypatch.setattr(serving, "export_bundle", export_bundle)
    result, told = call(
        *("export", small.run_folder(), "--rerank", folder),
        *("--rerank-top", 7, "--out", tmp_path / "bundle"),
    )
    assert result.exit_code == 0, result.output
    found = given["re_ranking"]
    mixed = training.mix(small.run(), training.load_cross_encoder(folder))
    assert found.top == told["rerank"]["top"] == 7
    assert told["rerank"]["auc"] == mixed.mixed
    assert found.mixture.of_second == mixed.mixture.of_second
    assert "the best 7 ads" in result.output
    rows = given["valid"]
    service = serving.RankingService(small.run().ranker, rows, re_ranking=found)
    assert service._recommender._re_ranker.top == 7


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"fit": {"refit": True}}, "fit.refit=true of this run"),
        ({"data": {"valid": 0.2}}, "the same rows of it"),
        (
            {
                "ranker": {"losses": {"clicked": "jrc"}},
                "fit": {"by": "request"},
            },
            "Received: the loss 'jrc'",
        ),
    ],
)
def test_a_teacher_that_cannot_be_learned_from(sections, message, tmp_path):
    with pytest.raises(InputError, match=message):
        taught(small.run_folder(), tmp_path / "run", **sections)


def test_a_damaged_file_of_a_teacher_is_no_teacher(tmp_path):
    out = tmp_path / "run"
    one = {"fit": {"epochs": 1, "steps_per_epoch": 1}}
    taught(small.run_folder(), out, **one)
    np.save(out / "teacher.npy", np.zeros(3, np.float32))
    with pytest.raises(InputError, match=r"teacher\.npy"):
        taught(small.run_folder(), out, **one)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("tuning: full, ", ""), "a language model that is tuned"),
        (("epochs: 2", "ensemble: 2"), "no setting `fit.ensemble`"),
        (("num_events: 2", "num_event: 2"), "Did you mean num_events"),
        (("num_events: 2", "losses: {clicked: jrc}"), "`cross_encoder`: .*jrc"),
    ],
)
def test_wrong_settings(settings, change, message, tmp_path):
    config = RunConfig.from_yaml(settings.replace(*change))
    with pytest.raises(InputError, match=message):
        training.train_cross_encoder(small.world(), config, tmp_path / "run")
