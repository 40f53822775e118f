"""Rows of `serving_default` as serialised `tf.train.Example`s."""

from collections.abc import Mapping

import numpy as np

from tfadrec.core.door import tf

# An example has no other numbers than these.
_STORED = {tf.float64: tf.float32, tf.int32: tf.int64}
_UNKNOWN = {tf.string: "", tf.int64: -1, tf.float32: np.nan}
_HISTORY, _LENGTH = "history_", "history_length"


def parse_examples(
    examples: tf.Tensor,
    specs: Mapping[str, tf.TensorSpec],
    widths: Mapping[str, int],
    history_length: int,
) -> dict[str, tf.Tensor]:
    """Reads examples, of which the newest events are kept.

    Args:
      examples: string [B].
      specs: the inputs of `serving_default`.
      widths: of lists of events, by name: how many entries each event has in an
        example.
      history_length: T.

    Returns:
      The inputs by name; what an example lacks is unknown.
    """
    features = {
        name: _parser(name, spec, widths)
        for name, spec in specs.items()
        if name != _LENGTH
    }
    parsed = tf.io.parse_example(examples, features)
    # One long history must not make all of them long.
    parsed = {
        name: v[:, -history_length:] if name.startswith(_HISTORY) else v
        for name, v in parsed.items()
    }
    length = parsed["history_ads"].row_lengths()
    longest = tf.reduce_max(tf.concat([[0], length], 0))
    request = {_LENGTH: tf.cast(length, tf.int32)}
    for name, values in parsed.items():
        if isinstance(values, tf.RaggedTensor):
            shape = None
            if name.startswith(_HISTORY):
                inner = values.shape[2:].as_list()
                shape = tf.stack([-1, longest, *inner])
            values = values.to_tensor(_blank(specs[name]), shape=shape)
        request[name] = tf.cast(values, specs[name].dtype)
    return request


def to_examples(request: Mapping[str, np.ndarray]) -> np.ndarray:
    """Rows of `serving_default` as what `serve_examples` reads.

    Args:
      request: see `replay`; leading axis [n].

    Returns:
      A serialised `tf.train.Example` for each row, bytes [n].
    """
    examples = []
    for row, length in enumerate(request[_LENGTH]):
        features = {}
        for name, values in request.items():
            if name != _LENGTH:
                value = values[row]
                if name.startswith(_HISTORY):
                    value = value[:length]
                features[name] = _feature(np.ravel(value))
        example = tf.train.Example(features=tf.train.Features(feature=features))
        examples.append(example.SerializeToString(deterministic=True))
    return np.array(examples, dtype=object)


def _parser(name, spec, widths):
    dtype = _STORED.get(spec.dtype, spec.dtype)
    inner = spec.shape[2:] if name.startswith(_HISTORY) else spec.shape[1:]
    if name.startswith(_HISTORY):
        rows = [
            tf.io.RaggedFeature.UniformRowLength(size or widths[name])
            for size in inner
        ]
        return tf.io.RaggedFeature(dtype, partitions=rows)
    if inner.rank and inner[0] is None:
        return tf.io.RaggedFeature(dtype)
    shape = inner.as_list()
    return tf.io.FixedLenFeature(
        shape, dtype, np.full(shape, _blank(spec)).tolist()
    )


def _blank(spec):
    """What stands for an unknown value; a vector's is made of zeros."""
    dtype = _STORED.get(spec.dtype, spec.dtype)
    return 0.0 if spec.dtype == tf.float32 else _UNKNOWN[dtype]


def _feature(values: np.ndarray) -> tf.train.Feature:
    if values.dtype == object or values.dtype.kind == "U":
        encoded = [str(value).encode() for value in values]
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=encoded))
    if values.dtype.kind == "f":
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
