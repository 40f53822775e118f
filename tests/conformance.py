"""What every public layer and model has to pass."""

import contextlib
import dataclasses
import inspect
import json
import pathlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from tfadrec.core.door import keras, tf
from tfadrec.layers.building import built

#: Policy -> how far an output may be from that in float32.
POLICIES = {"mixed_float16": 0.02, "mixed_bfloat16": 0.1}


@dataclasses.dataclass(frozen=True)
class Case:
    """One layer, and what to feed it.

    Args:
      make: keyword arguments of a Keras layer -> the layer, every argument of
        its constructor at another value than the default.
      inputs: (B, T) -> arrays; some rows are padded, the last row is empty.
      specs: the inputs' shapes with None for every size that may vary.
      garble: inputs -> the same with anything in the padding, NaN in floats.
      at_default: arguments that `make` leaves at their default.
      float32: a pattern for the names of the parts that stay in float32, as the
        docstring says.
    """

    make: Callable[..., Any]
    inputs: Callable[[int, int], Any]
    specs: Any
    garble: Callable[[Any], Any] | None = None
    at_default: tuple[str, ...] = ()
    float32: str = ""


def check(case: Case, *, compiled: bool = True) -> None:
    """The checks of every run: all but those of what is saved, and bfloat16.

    Args:
      case: of the layer.
      compiled: whether XLA's answers are compared, too.
    """
    layer, expected = _made(case)
    inputs = case.inputs(5, 4)
    _check_config(case, layer, inputs, expected)
    _check_sizes(case, layer, expected)
    _check_padding(case, layer, inputs, expected)
    _check_gradients(case, layer, inputs)
    _check_names_and_values(case, layer)
    if compiled:
        _check_xla(layer, inputs, expected)
    # What a layer hands on to its parts, and what float16 cannot hold.
    given = _made(case, dtype="mixed_float16")
    _check_precision(case, expected, "mixed_float16", given)


def check_policies(case: Case) -> None:
    """Under a global policy, and where one layer is given another one."""
    _, expected = _made(case)
    with _global_policy("mixed_float16"):
        under = _made(case)
    _check_precision(case, expected, "mixed_float16", under)
    given = _made(case, dtype="mixed_bfloat16")
    _check_precision(case, expected, "mixed_bfloat16", given)


def check_compiled(case: Case) -> None:
    """That of XLA alone."""
    layer, expected = _made(case)
    _check_xla(layer, case.inputs(5, 4), expected)


def check_saved(
    case: Case,
    path: pathlib.Path,
    *,
    model: keras.Model | None = None,
    save_traces: bool = True,
) -> None:
    """Saved as a model of its own, and loaded again.

    Args:
      case: of the layer.
      path: one that ends in `.keras` or, for a SavedModel, in no such way.
      model: what `model_of` made of the case, where there is one already.
      save_traces: whether a SavedModel also holds the graphs of each part,
        which loading with the real classes does not need.
    """
    inputs = case.inputs(5, 4)
    model = model or model_of(case)
    if path.suffix:
        model.save(path, save_format="keras")
    else:
        model.save(path, save_format="tf", save_traces=save_traces)
    loaded = keras.models.load_model(path)
    kind = type(case.make(name="layer"))
    if issubclass(kind, keras.Model):
        assert weight_names(loaded) == weight_names(model)
    assert kind in {type(part) for part in _parts(loaded)}
    _assert_close(outputs_of(loaded, inputs), outputs_of(model, inputs))


def model_of(case: Case) -> keras.Model:
    """The case's layer, with weights that matter, as a model of its own."""
    layer, _ = _made(case)
    _spread(layer)
    if isinstance(layer, keras.Model):
        return layer
    inputs = tf.nest.map_structure(
        lambda spec: keras.Input(spec.shape[1:], dtype=spec.dtype), case.specs
    )
    return keras.Model(inputs, layer(inputs))


def _made(case, **kwargs):
    """The layer, built by a call of it, and what that call gave."""
    keras.utils.set_random_seed(0)
    layer = case.make(name="layer", **kwargs)
    return layer, outputs_of(layer, case.inputs(5, 4))


def _build(case, layer):
    """By its shapes alone."""
    shapes = tf.nest.map_structure(lambda spec: spec.shape, case.specs)
    if isinstance(layer, keras.Model):
        layer.build(shapes)
    else:
        built(layer, shapes)


def _spread(layer):
    """Makes weights that start at zero, or alike, matter."""
    random = np.random.default_rng(1)
    for variable in layer.trainable_weights:
        variable.assign(random.normal(0, 0.3, variable.shape))


def _tensors(inputs):
    return tf.nest.map_structure(tf.convert_to_tensor, inputs)


def outputs_of(function, inputs):
    outputs = tf.nest.flatten(function(_tensors(inputs)))
    return [tf.cast(part, tf.float32).numpy() for part in outputs]


def _assert_close(outputs, expected, atol=1e-5):
    assert len(outputs) == len(expected)
    for one, other in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=atol)


def weight_names(layer):
    """Of a layer's weights, as they are made and reloaded."""
    # The cross layers of tfrs number their parts as they are made.
    return [re.sub(r"dense_\d+", "dense", v.name) for v in layer.weights]


def _parts(layer):
    return list(layer._flatten_layers())


def _check_config(case, layer, inputs, expected):
    kind, config = type(layer), layer.get_config()
    arguments = inspect.signature(kind.__init__).parameters
    for name, argument in arguments.items():
        if kind.__init__ is keras.layers.Layer.__init__:
            break
        if name == "self" or argument.kind is argument.VAR_KEYWORD:
            continue
        assert name in config, f"{name} is missing in get_config"
        if name not in case.at_default:
            assert config[name] != argument.default, f"{name} is not varied"
    text = json.dumps(config)
    other = kind.from_config(json.loads(text))
    assert json.dumps(other.get_config()) == text
    _build(case, other)
    other.set_weights(layer.get_weights())
    _assert_close(outputs_of(other, inputs), expected)
    serialized = keras.saving.serialize_keras_object(layer)
    assert serialized["registered_name"] == f"tfadrec>{kind.__name__}"


def _check_sizes(case, layer, expected):
    """One traced graph serves every batch size and length, also none."""
    function = tf.function(
        lambda inputs: layer(inputs), input_signature=[case.specs]
    )
    for batch, time in ((5, 4), (1, 7), (3, 0), (0, 2)):
        inputs = case.inputs(batch, time)
        outputs = outputs_of(function, inputs)
        if (batch, time) != (5, 4):
            expected = outputs_of(layer, inputs)
        _assert_close(outputs, expected)
        for output in outputs:
            assert np.isfinite(output).all(), (batch, time)
    assert function.experimental_get_tracing_count() == 1


def _check_padding(case, layer, inputs, expected):
    if case.garble is None:
        return
    garbled = case.garble(inputs)
    outputs = outputs_of(layer, garbled)
    # A layer may hand padding on: what it says about it is not compared.
    for one, other in zip(outputs, expected, strict=True):
        finite = np.isfinite(one)
        assert finite.all(), "padding leaks"
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def _gradients(layer, inputs):
    with tf.GradientTape() as tape:
        outputs = tf.nest.flatten(layer(_tensors(inputs)))
        random = np.random.default_rng(2)
        total = tf.add_n(
            [
                tf.reduce_sum(
                    tf.cast(part, tf.float32) * random.normal(size=part.shape)
                )
                for part in outputs
            ]
        )
    variables = layer.trainable_weights
    gradients = tape.gradient(total, variables)
    for variable, gradient in zip(variables, gradients, strict=True):
        assert gradient is not None, f"{variable.name} has no gradient"
    return [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


def _check_gradients(case, layer, inputs):
    """Every weight has one, to which padding adds nothing."""
    before = layer.get_weights()
    _spread(layer)
    gradients = _gradients(layer, inputs)
    if case.garble is not None:
        garbled = _gradients(layer, case.garble(inputs))
        for one, other in zip(garbled, gradients, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    for variable, gradient in zip(
        layer.trainable_weights, gradients, strict=True
    ):
        assert np.isfinite(gradient).all(), variable.name
        assert np.abs(gradient).max() > 0, f"{variable.name} is dead"
    layer.set_weights(before)


def _check_names_and_values(case, layer):
    names = [variable.name for variable in layer.weights]
    assert len(set(names)) == len(names), names
    keras.utils.set_random_seed(0)
    other = case.make(name="layer")
    _build(case, other)
    assert weight_names(other) == weight_names(layer)
    for one, two in zip(other.weights, layer.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


def _check_xla(layer, inputs, expected):
    compiled = tf.function(lambda inputs: layer(inputs), jit_compile=True)
    _assert_close(outputs_of(compiled, inputs), expected, atol=1e-4)


def _check_precision(case, expected, policy, made):
    """Of the same layer under a policy, and what it gave."""
    other, outputs = made
    for part in _parts(other):
        if isinstance(part, keras.metrics.Metric):
            continue
        is_float32 = re.fullmatch(case.float32, part.name)
        wanted = "float32" if is_float32 else policy
        assert part.dtype_policy.name == wanted, (part.name, wanted)
    assert {
        variable.dtype.name
        for variable in other.weights
        if variable.dtype.is_floating
    } <= {"float32"}
    # Of the same seed: the weights are the same.
    for one, two in zip(outputs, expected, strict=True):
        limit = POLICIES[policy] * max(1, np.abs(two).max(initial=0))
        np.testing.assert_allclose(one, two, atol=limit, rtol=0)


@contextlib.contextmanager
def _global_policy(name):
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)
