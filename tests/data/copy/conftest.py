"""What the tests of encoded ad copy share."""

import importlib

import pytest

from tfadrec.core.door import tf


@pytest.fixture
def op_by_op(monkeypatch):
    """Encoders are called as they are: to trace one takes longer."""
    # The function of that name hides the module.
    module = importlib.import_module("tfadrec.data.copy.text_vectors")

    def untraced(encoder):
        return lambda inputs: tf.cast(encoder(inputs), tf.float32).numpy()

    monkeypatch.setattr(module, "_traced", untraced)
