"""Classes of a user's module, from YAML to a run and back."""

import dataclasses
import pathlib
import sys

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from tests.training import small
from tfadrec import training
from tfadrec.cli import main
from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError

ROOT = pathlib.Path(__file__).parents[2]
ALLOW = ("--allow-import", "own_layers")


@pytest.fixture(scope="module", autouse=True)
def on_the_path():
    """As PYTHONPATH=examples."""
    sys.path.insert(0, str(ROOT / "examples"))
    yield
    sys.path.remove(str(ROOT / "examples"))


def settings(**encoder):
    own = yaml.safe_load((ROOT / "examples" / "own_layers.yaml").read_text())
    own["encoder"] |= encoder
    return yaml.safe_load(small.YAML) | own | {"fit": {"epochs": 1}}


def call(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def train(folder, config, *more):
    (folder / "own.yaml").write_text(yaml.safe_dump(config))
    files = ("--config", folder / "own.yaml", "--out", folder / "run")
    return call("train", "--data", small.world(), *files, *more)


def refused(result, *words):
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    for word in words:
        assert word in line


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    result = train(folder, settings(), *ALLOW)
    assert result.exit_code == 0, result.output
    return folder / "run"


def test_a_run_has_them(untraced, trained):
    run = training.load_run(trained, allow_import=["own_layers"])
    assert type(run.ranker.user_tower.encoder).__module__ == "own_layers"
    assert run.ranker.user_tower.encoder.half_life == 3600
    assert run.ranker.interaction.units == 8
    config = RunConfig.from_yaml((trained.parent / "own.yaml").read_text())
    fit = {**config.fit, "batch_size": 64}  # as the size of the log tells
    chosen = dataclasses.replace(config, fit=fit, fold_in=None)
    assert run.config == chosen
    rows = run.test.batches(64)
    again = training.load_run(trained, allow_import=["own_layers"])
    np.testing.assert_array_equal(
        run.ranker.predict(rows)["clicked"],
        again.ranker.predict(rows)["clicked"],
    )


@pytest.mark.parametrize("command", ["evaluate", "export", "recommend"])
def test_a_run_is_not_read_without_leave(trained, command, monkeypatch):
    """Before TensorFlow is asked for, and before the module is imported."""
    monkeypatch.setattr(f"tfadrec.cli.{command}.load_tensorflow", pytest.fail)
    more = ("--user", "u1") if command == "recommend" else ()
    refused(call(command, trained, *more), "--allow-import own_layers")


def test_load_run_says_what_to_pass(trained):
    message = (
        r"--allow-import own_layers, in Python allow_import=\['own_layers'"
    )
    with pytest.raises(InputError, match=message):
        training.load_run(trained)


def test_evaluate_and_recommend(untraced, trained):
    result = call("evaluate", trained, *ALLOW)
    assert result.exit_code == 0, result.output
    result = call("recommend", trained, "--user", "user1", *ALLOW)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("encoder", "more", "words"),
    [
        ({}, (), ["--allow-import own_layers", "code runs"]),
        ({}, ("--allow-import", "other"), ["--allow-import own_layers"]),
        ({"class": "own_layers:Fadin"}, ALLOW, ["own_layers has no Fadin"]),
        ({"class": "own_layers:"}, ALLOW, ["module:Class"]),
        (
            {"class": "no_such:Fading"},
            ("--allow-import", "no_such"),
            ["there is no module no_such", "PYTHONPATH"],
        ),
        (
            {"class": "own_layers:keras"},
            ALLOW,
            ["must name a class that is there"],
        ),
        ({"half_live": 2}, ALLOW, ["takes half_life", "mean half_life?"]),
        ({"half_life": "day"}, ALLOW, ["must be a number", "'day'"]),
    ],
)
def test_settings_are_checked(tmp_path, monkeypatch, encoder, more, words):
    monkeypatch.setattr("tfadrec.cli.train.load_tensorflow", pytest.fail)
    refused(train(tmp_path, settings(**encoder), *more), *words)
    assert not (tmp_path / "run").exists()


def test_an_interaction_says_what_it_takes(tmp_path):
    config = settings() | {"interaction": {"class": "own_layers:Fading"}}
    refused(train(tmp_path, config, *ALLOW), "the attribute `takes`")


def test_a_class_that_cannot_read_what_it_is_given(tmp_path, monkeypatch):
    (tmp_path / "own_mean.py").write_text(
        "import tf_keras as keras\n\n\n"
        "class Mean(keras.layers.Layer):\n"
        "    def call(self, inputs):\n"
        "        return inputs['clicks'][:, None]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("tfadrec.training.run.parts_with_text", pytest.fail)
    config = settings() | {"encoder": {"class": "own_mean:Mean"}}
    result = train(tmp_path, config, *ALLOW, "--allow-import", "own_mean")
    refused(result, "one that fails on the first row", "(type Mean). clicks")
    assert not (tmp_path / "run").exists()


def test_a_function_is_no_class(tmp_path, monkeypatch):
    (tmp_path / "made_here.py").write_text("def made():\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("tfadrec.cli.train.load_tensorflow", pytest.fail)
    config = settings() | {"encoder": {"class": "made_here:made"}}
    result = train(tmp_path, config, *ALLOW, "--allow-import", "made_here")
    refused(result, "`encoder` must name a class", "which is a function")


def test_a_module_that_cannot_be_imported(tmp_path, monkeypatch):
    (tmp_path / "broken_layers.py").write_text(
        "class Enc:\n    pass\n\n\nraise OSError('no such disk')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = settings()
    config["encoder"] = {"class": "broken_layers:Enc"}
    more = (*ALLOW, "--allow-import", "broken_layers")
    result = train(tmp_path, config, *more)
    refused(result, "broken_layers (OSError: no such disk)")
    assert not (tmp_path / "run").exists()
