"""Integrated gradients of a ranker over the tokens of a candidate's copy."""

import dataclasses
from typing import Any

import numpy as np

from tfadrec.core.door import tf
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.explanation.explain import FIRST_STEPS, GOAL, MOST_STEPS
from tfadrec.explanation.explanation import LEAST
from tfadrec.explanation.path import gauss_legendre
from tfadrec.explanation.question import Question
from tfadrec.layers.text import AdEncoder
from tfadrec.models import AdRanker

#: Copies of the text that a language model reads at a time.
_AT_ONCE = 64


def explain_tokens(
    ranker: AdRanker,
    asked: Question,
    text: str,
    model: tuple[Tokenizer, AdEncoder],
    *,
    task: str | None = None,
) -> dict[str, Any]:
    """What each token of a text adds to the logit of the ad that it is of.

    As `explain` has it, but that all else stays as it is: the path leads from a
    text of as many mask tokens (of padding, where the model has no mask) within
    the same special tokens to the text. It is straight in what the language
    model's frozen layers give of the tokens: in their embeddings, where no
    layer is frozen.

    Args:
      ranker: built.
      asked: one request.
      text: the ad's, as `data.ad_text` makes it.
      model: the tokenizer, and the encoder whose vectors the ranker reads.
      task: what to explain; the ranker's first task by default.

    Returns:
      `tokens` (pairs of a token and its part), `without` (the logit of the text
      of mask tokens), `completeness_error` and `steps`.
    """
    tokenizer, encoder = model
    task = task or ranker.tasks[0]
    tokens = tokenizer([text])
    ids = tokens["token_ids"]
    begin, end = tokenizer.framing_ids()
    nothing = tokenizer.mask_id
    masked = ids.copy()
    masked[:, len(begin) : ids.shape[1] - len(end)] = (
        tokenizer.pad_id if nothing is None else nothing
    )
    first, last = (
        tf.cast(encoder.lower({**tokens, "token_ids": rows}), tf.float32)
        for rows in (masked, ids)
    )
    mask = tokens["token_mask"]

    def logits(hidden):
        count = hidden.shape[0]
        vectors = encoder.upper(hidden, np.repeat(mask, count, axis=0))
        many = asked.repeat(count)
        read = tf.cast(vectors, tf.float32)[:, None, :]
        many = dataclasses.replace(many, ads={**many.ads, "text": read})
        return many.score(ranker)[task]

    low, high = (float(logits(ends)[0]) for ends in (first, last))
    steps = FIRST_STEPS
    while True:
        slope = np.zeros(last.shape[1:])
        nodes, weights = gauss_legendre(steps)
        for at in range(0, steps, _AT_ONCE):
            shares = nodes[at : at + _AT_ONCE].astype(np.float32)
            hidden = first + shares[:, None, None] * (last - first)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(hidden)
                found = logits(hidden)
            slopes = tape.gradient(found, hidden).numpy().astype(np.float64)
            slope += np.tensordot(weights[at : at + _AT_ONCE], slopes, 1)
        parts = (slope * (last - first)[0].numpy()).sum(axis=-1)
        missed = abs(parts.sum() - (high - low))
        error = missed / max(abs(high - low), LEAST)
        if error <= GOAL or steps >= MOST_STEPS:
            break
        steps *= 2
    return {
        "tokens": [
            [token, part]
            for token, part in zip(
                tokenizer.tokens(ids[0].tolist()), parts.tolist(), strict=True
            )
        ],
        "without": low,
        "completeness_error": float(error),
        "steps": steps,
    }
