"""A cross-encoder from its settings to a run folder, back, and as a teacher."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from tests.data import tiny_encoder
from tests.training import small
from tfadrec import training
from tfadrec.cli import main
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError
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
