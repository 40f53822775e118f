"""Integrated gradients as tensors, here and in a bundle's graph alike."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.schema import Schema
from tfadrec.explanation.path import gauss_legendre
from tfadrec.explanation.question import Question
from tfadrec.explanation.replacer import Replacer
from tfadrec.explanation.scopes import Key
from tfadrec.explanation.tensors import is_of_events, labels_of
from tfadrec.models import AdRanker

Values = Mapping[Key, Any]


def integrated(
    ranker: AdRanker,
    asked: Question,
    task: str,
    begin: Values,
    end: Values,
    steps: int,
) -> dict[Any, Any]:
    """The parts of a logit along the straight path between two readings.

    Args:
      ranker: built.
      asked: the requests, B of them.
      task: whose logit is followed.
      begin: float32 [B, ...], what enters the ranker where nothing is known.
      end: float32 [B, ...], what enters it.
      steps: points of the path, of Gauss and Legendre.

    Returns:
      By the keys of values their parts, float64 [B, ...]; and `begin` and
      `end`, the logits there, float64 [B].
    """
    nodes, weights = gauss_legendre(steps)
    # Both ends go along, and count for nothing.
    nodes = np.concatenate([[0.0], nodes, [1.0]])
    weights = np.concatenate([[0.0], weights, [0.0]])
    count = len(nodes)
    size = tf.shape(asked.inputs["user_id"])[0]
    share = tf.tile(tf.constant(nodes, tf.float32), [size])
    moved = {k: _between(begin[k], end[k], share, count) for k in end}
    many = asked.repeat(count)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(moved)
        logits = many.score(ranker, Replacer(moved))[task]
    slopes = tape.gradient(
        logits, moved, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    found: dict[Any, Any] = {}
    for key, last in end.items():
        shape = tf.concat([[size, count], tf.shape(last)[1:]], 0)
        along = tf.reshape(tf.cast(slopes[key], tf.float64), shape)
        mean = tf.tensordot(tf.constant(weights), along, [[0], [1]])
        found[key] = mean * tf.cast(last - begin[key], tf.float64)
    ends = tf.reshape(tf.cast(logits, tf.float64), [size, count])
    return {**found, "begin": ends[:, 0], "end": ends[:, -1]}


def by_feature(
    parts: Mapping[Key, Any], ranker: AdRanker, schema: Schema
) -> tuple[dict[str, Any], Any]:
    """Parts of values, summed up by feature and by event.

    Args:
      parts: float64 [B, ...], as `integrated` gives them.
      ranker: built.
      schema: of its dataset; names the features.

    Returns:
      Feature -> its part, float64 [B]; and the part of each event, float64
      [B, T], or None for a ranker that reads nothing of events.
    """
    fields: dict[str, Any] = {}
    events = None
    for key, found in parts.items():
        values = tf.convert_to_tensor(found)
        axes = list(range(1, values.shape.rank))
        if is_of_events(key, ranker):
            of_events = tf.reduce_sum(values, axes[1:])
            events = of_events if events is None else events + of_events
        labels = labels_of(key, ranker, schema)
        inner = axes if len(labels) == 1 else axes[:-1]
        summed = tf.reduce_sum(values, inner)
        for place, label in enumerate(labels):
            part = summed if len(labels) == 1 else summed[:, place]
            fields[label] = fields.get(label, 0.0) + part
    return fields, events


def _between(begin, end, share, count):
    """Points between two values [b, ...], [b count, ...]."""
    share = tf.reshape(share, [-1, *[1] * (end.shape.rank - 1)])
    begin, end = (tf.repeat(v, count, axis=0) for v in (begin, end))
    return begin + share * (end - begin)
