"""The check of the Keras flavour, each in a process of its own."""

import os
import pathlib
import subprocess
import sys

import pytest

import tfadrec

ROOT = pathlib.Path(tfadrec.__file__).parents[1]


def run(code, **environment):
    kept = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**kept, **environment},
        check=False,
    )


@pytest.mark.parametrize("environment", [{}, {"TF_USE_LEGACY_KERAS": "True"}])
def test_importing_is_cheap(environment):
    done = run(
        "import sys, tfadrec, tfadrec.data.intake.write, tfadrec.core.schema\n"
        "heavy = {'tensorflow', 'tf_keras', 'keras', 'transformers'}\n"
        "print(sorted(heavy & set(sys.modules)))",
        **environment,
    )
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("value", ["0", "false", ""])
def test_an_environment_that_asks_for_keras_3(value):
    done = run("import tfadrec", TF_USE_LEGACY_KERAS=value)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: tfadrec needs Keras 2 (tf_keras)")
    assert f"Received: TF_USE_LEGACY_KERAS={value}. " in last
    assert "Set TF_USE_LEGACY_KERAS=1" in last


def test_tensorflow_that_was_loaded_with_keras_3():
    done = run(
        "import tensorflow as tf; tf.keras.Model\nimport tfadrec",
        TF_CPP_MIN_LOG_LEVEL="3",
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert "TensorFlow was already loaded with Keras 3. Received: " in last
    assert "tf.keras from 'keras'" in last
    assert "`import tfadrec` before" in last


@pytest.mark.slow
def test_tensorflow_whose_keras_was_not_touched():
    """In the default run, `tests/core/test_registration.py` imports so."""
    done = run(
        "import tensorflow as tf, tfadrec\n"
        "from tfadrec.layers import LSTM\n"
        "print(tf.keras.Model.__module__.split('.')[0], LSTM.__name__)",
        TF_CPP_MIN_LOG_LEVEL="3",
    )
    assert done.stdout == "tf_keras LSTM\n", done.stderr[-2000:]
