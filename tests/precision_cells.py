"""Every public layer under every precision and strategy.

    python -m tests.precision_cells [CELL ...]

fits, saves, reloads and exports each layer, a cell being
`LAYER/PRECISION/STRATEGY` or the beginning of it, and prints one line of JSON
for each cell. A process of its own, since the processor has to be cut into two
devices before TensorFlow begins.
"""

import functools
import json
import pathlib
import sys
import tempfile

import numpy as np

from tests.conformance import Case
from tests.test_conformance import CASES
from tfadrec import models, optimizers
from tfadrec.core.door import keras, tf
from tfadrec.models.training_step import training_step

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
STRATEGIES = {
    "one device": lambda: tf.distribute.OneDeviceStrategy("CPU:0"),
    "Mirrored 1": lambda: tf.distribute.MirroredStrategy(["CPU:0"]),
    "Mirrored 2": lambda: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
}
#: What may differ between a model and what is reloaded or exported of it.
#: A graph and Python round at other places: ten roundings of 2^-8 and 2^-11.
TOLERANCE = {"float32": 1e-5, "mixed_bfloat16": 0.04, "mixed_float16": 0.005}


def cells() -> dict[str, tuple[str, str, str]]:
    """Name -> layer, precision and strategy, in the table's order."""
    return {
        f"{layer}/{policy}/{strategy}": (layer, policy, strategy)
        for layer in CASES
        for policy in POLICIES
        for strategy in STRATEGIES
    }


def check_cell(case: Case, policy: str, strategy: str) -> str:
    """Fits, saves, reloads and exports.

    Args:
      case: of the layer.
      policy: one of `POLICIES`.
      strategy: one of `STRATEGIES`.

    Returns:
      "" where all went well, else which of the four did not, and why.
    """
    stage = "fit"
    keras.mixed_precision.set_global_policy(policy)
    inputs = _tensors(case.inputs(4, 3))
    try:
        with tempfile.TemporaryDirectory() as scratch:
            folder = pathlib.Path(scratch)
            model = _fitted(case, strategy_of(strategy), inputs)
            expected = _outputs(model(inputs))
            stage = "save"
            model.save(folder / "model.keras")
            stage = "reload"
            loaded = keras.models.load_model(folder / "model.keras")
            assert_close(_outputs(loaded(inputs)), expected, policy)
            stage = "export"
            model.export(folder / "export")
            exported = tf.saved_model.load(str(folder / "export"))
            if isinstance(model, _Alone) and isinstance(inputs, dict):
                inputs = tf.nest.flatten(inputs)  # so Keras exports them
            assert_close(_outputs(exported.serve(inputs)), expected, policy)
    except Exception as error:  # whatever it is, the table says so
        line = " ".join(str(error).split())
        return f"{stage}: {type(error).__name__}: {line[-400:]}"
    finally:
        keras.mixed_precision.set_global_policy("float32")
        keras.backend.clear_session()
    return ""


@functools.cache
def strategy_of(name: str) -> tf.distribute.Strategy:
    """One of `STRATEGIES`, always the same."""
    # A second one would use the first one's keys for what replicas exchange.
    return STRATEGIES[name]()


def _fitted(case, strategy, inputs):
    """The case's layer as a model, after some steps of training."""
    keras.utils.set_random_seed(0)
    with strategy.scope():
        layer = case.make(name="layer")
        if isinstance(layer, keras.Model):
            model = layer
            model(inputs)
            optimizer = optimizers.LazyAdam(0.01)
        else:
            model = _Alone.of(case, layer)
            optimizer = keras.optimizers.SGD(0.01)
        model.compile(optimizer)
        model.optimizer.build(model.trainable_variables)
    weights = model.trainable_variables  # tables of ads may hold nan
    before = [variable.numpy() for variable in weights]
    batch = (inputs, _labels(model, inputs))
    # A first loss scale that is too large for float16 is halved, step by step.
    told = model.fit(tf.data.Dataset.from_tensors(batch).repeat(8), verbose=0)
    assert np.isfinite(told.history["loss"]).all(), told.history
    after = [variable.numpy() for variable in weights]
    assert all(np.isfinite(values).all() for values in after), "not finite"
    moved = [
        np.any(one != other) for one, other in zip(before, after, strict=True)
    ]
    assert any(moved), "no weight has moved"
    return model


@keras.saving.register_keras_serializable("tests")
class _Alone(keras.Model):
    """A layer and one weight for each number that it gives, as a model.

    The weight, in float32, stands for the head of a ranker: a layer may have no
    weights of its own.
    """

    @classmethod
    def of(cls, case, layer):
        """The model of a case."""
        given = tf.nest.map_structure(
            lambda spec: keras.Input(spec.shape[1:], dtype=spec.dtype),
            case.specs,
        )
        head = keras.layers.Dense(1, dtype="float32", name="head")
        outputs = [
            head(tf.expand_dims(part, -1))
            for part in tf.nest.flatten(layer(given))
            if part.dtype.is_floating
        ]
        return cls(given, outputs)

    def train_step(self, inputs):
        """One step towards outputs of 1."""
        return {**training_step(self, inputs), "loss": self._loss}

    def compute_loss(self, inputs, training=True):
        """The mean over the outputs' squared distances from 1."""
        outputs = tf.nest.flatten(self(inputs[0], training=training))
        self._loss = tf.add_n(
            [tf.reduce_mean(tf.square(1 - part)) for part in outputs]
        )
        return self._loss


def _labels(model, inputs):
    if isinstance(model, models.RankingModel):
        shape = inputs["candidate_ads"].shape
        return {task: tf.ones(shape) for task in model.tasks}
    if isinstance(model, models.AdRetriever):
        return {"clicked": tf.ones(inputs["candidate_ads"].shape)}
    if isinstance(model, models.LanguageModel):
        return inputs["token_ids"], inputs["token_mask"]
    return tf.reshape(tf.range(8), [4, 2])


def _tensors(inputs):
    return tf.nest.map_structure(tf.convert_to_tensor, inputs)


def _outputs(outputs):
    return [
        tf.cast(part, tf.float32).numpy() for part in tf.nest.flatten(outputs)
    ]


def assert_close(found, expected, policy: str) -> None:
    """Two lists of arrays, within the precision's tolerance."""
    for one, other in zip(found, expected, strict=True):
        limit = TOLERANCE[policy] * max(1, np.abs(other).max(initial=0))
        np.testing.assert_allclose(one, other, atol=limit, rtol=0)


def begin() -> None:
    """Cuts the processor into two devices."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    keras.utils.disable_interactive_logging()


def main(wanted: list[str]) -> None:
    """See the module."""
    begin()
    for name, (layer, policy, strategy) in cells().items():
        if not wanted or name.startswith(tuple(wanted)):
            found = check_cell(CASES[layer], policy, strategy)
            print(json.dumps([name, found]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
