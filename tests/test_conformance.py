"""Every public layer and model passes the harness of `conformance`."""

import functools
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import tfadrec
from tests import conformance
from tests.cases import (
    behavior,
    embedding,
    features,
    interaction,
    matching,
    models,
    multitask,
    text,
    text_matching,
)
from tfadrec.core.door import keras

FILES = (
    behavior,
    matching,
    interaction,
    multitask,
    embedding,
    features,
    text,
    text_matching,
    models,
)
CASES = {name: case for file in FILES for name, case in file.CASES.items()}


def test_every_public_layer_has_a_case():
    public = {
        name
        for package in (
            tfadrec.layers,
            tfadrec.layers.features,
            tfadrec.layers.text,
            tfadrec.layers.text_matching,
            tfadrec.towers,
            tfadrec.models,
        )
        for name in package.__all__
    }
    # What has no weights and is no layer, base classes, and what is made of
    # several rankers (see tests/models/test_ranker_ensemble.py).
    others = {"AdEncoder", "RankingModel", "dataset_sizes"}
    others |= {"RankerEnsemble", "TowerEnsemble"}
    others |= {"adapter", "lora", "prefix", "top_layers"}
    others |= {"load_encoder", "make_encoder"}
    assert public - others == set(CASES)


#: Made of others, each of which is compiled by itself in the default run.
COMPOSED = (
    *("AdRanker", "AdRetriever", "ContrastiveModel", "CrossEncoder"),
    "LanguageModel",
)


@pytest.mark.parametrize("name", CASES)
def test_conformance(name):
    conformance.check(CASES[name], compiled=name not in COMPOSED)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPOSED)
def test_compiled(name):
    conformance.check_compiled(CASES[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_policies(name):
    """In the default run, `check` gives each layer float16.

    bfloat16 is that of `test_half_precision_is_served`, whose ranker has every
    kind of feature, and of `tests/test_precision.py`: there policies are
    global.
    """
    conformance.check_policies(CASES[name])


@functools.cache
def model(name):
    """It is saved in both formats."""
    return conformance.model_of(CASES[name])


#: One of each kind, and the model that is made of most others.
SOME = {
    *(next(iter(file.CASES)) for file in FILES if file is not models),
    "AdRanker",
}


@pytest.mark.parametrize(
    "name",
    [
        name if name in SOME else pytest.param(name, marks=pytest.mark.slow)
        for name in CASES
    ],
)
def test_saved_model(name, tmp_path):
    """In the default run `check` makes the others of their configs alone."""
    conformance.check_saved(
        CASES[name], tmp_path / "saved", model=model(name), save_traces=False
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_saved_model_with_graphs(name, tmp_path):
    """As Keras saves by default, which traces every part four times.

    In the default run, `check` traces each layer for all sizes, and the tests
    of `serving` save graphs.
    """
    conformance.check_saved(CASES[name], tmp_path / "saved")


LOAD_ALL = """
import json, pathlib, sys
import numpy as np
import tfadrec
import tensorflow as tf
import tf_keras
from tests import conformance

folder = pathlib.Path(sys.argv[1])
found = {}
for path in sorted(folder.glob("*.keras")):
    model = tf_keras.models.load_model(path)
    parts = {type(part).__name__ for part in model._flatten_layers()}
    found[path.stem] = [sorted(parts), conformance.weight_names(model)]
    with np.load(folder / f"{path.stem}.npz") as arrays:
        inputs = {k[3:]: v for k, v in arrays.items() if k.startswith("in_")}
        count = len(arrays) - len(inputs)
        expected = [arrays[f"out_{i}"] for i in range(count)]
    outputs = conformance.outputs_of(model, inputs.get("", inputs))
    assert len(outputs) == len(expected), path.stem
    for one, other in zip(outputs, expected):
        np.testing.assert_allclose(
            one, other, rtol=1e-4, atol=1e-5, err_msg=path.stem
        )
print(json.dumps(found))
"""


@pytest.mark.slow
def test_reload_in_a_fresh_process(tmp_path):
    names = {}
    for name, case in CASES.items():
        model(name).save(tmp_path / f"{name}.keras", save_format="keras")
        names[name] = conformance.weight_names(model(name))
        inputs = case.inputs(5, 4)
        outputs = conformance.outputs_of(model(name), inputs)
        named = inputs if isinstance(inputs, dict) else {"": inputs}
        np.savez(
            tmp_path / f"{name}.npz",
            **{f"in_{k}": v for k, v in named.items()},
            **{f"out_{i}": v for i, v in enumerate(outputs)},
        )
    done = subprocess.run(
        [sys.executable, "-c", LOAD_ALL, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=pathlib.Path(tfadrec.__file__).parents[1],
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found) == set(CASES)
    for name, (parts, loaded) in found.items():
        assert name in parts
        if issubclass(getattr(tfadrec.models, name, object), keras.Model):
            assert loaded == names[name], name
