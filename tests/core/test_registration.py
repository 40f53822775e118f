"""A saved model loads after `import tfadrec` alone, in any order."""

import pytest

from tests.processes import run
from tfadrec import layers
from tfadrec.core.door import keras

LOAD = """
print(type(keras.models.load_model(sys.argv[1]).layers[-1]).__module__)
import tensorflow
print(tensorflow.keras.Model.__module__.split(".")[0])
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A functional model: its config names a layer, and not the layer's file.

    Keras has an LSTM of its own, which must not be taken.
    """
    inputs = {
        "events": keras.Input([5, 4]),
        "mask": keras.Input([5], dtype="bool"),
        "target": keras.Input([2, 4]),
    }
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    keras.Model(inputs, layers.LSTM()(inputs)).save(path)
    return path


@pytest.mark.parametrize(
    "first",
    [
        "import sys, tensorflow, tfadrec, tf_keras as keras",
        *(
            pytest.param(first, marks=pytest.mark.slow)
            for first in (
                "import sys, tfadrec, tf_keras as keras",
                "import sys, tfadrec, tensorflow; keras = tensorflow.keras",
                "import sys; from tfadrec import ops; import tf_keras as keras",
            )
        ),
    ],
)
def test_a_functional_model_loads(saved, first):
    done = run(first + LOAD, saved)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["tfadrec.layers.behavior.lstm", "tf_keras"]
