"""Texts to batches, for models that learn from texts alone.

As in `data.pipeline`, a stream with a seed is endless, can be taken up at any
step, and what is drawn at a step depends on the seed and the step alone.
Without one, everything comes once, in order, and is drawn the same each time.
"""

from collections.abc import Sequence

import tensorflow as tf

from tfadrec.core.errors import InputError
from tfadrec.data.copy.near_events import NearEvents
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.data.pipeline import in_order, shuffled_rows
from tfadrec.ops.token_masking import mask_tokens

#: Keeps the draws of a stream apart from the order of its rows.
_DRAWS = 2**31


def masked_batches(
    ids: Sequence[Sequence[int]],
    tokenizer: Tokenizer,
    batch_size: int,
    *,
    share: float,
    seed: int | None = None,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Batches for masked language modelling, see `ops.token_masking`.

    Args:
      ids: the tokens of each text, as `tokenizer.ids` gives them.
      tokenizer: theirs, with a mask token.
      batch_size: texts in a batch, >= 1.
      share: of the tokens to guess, in (0, 1).
      seed: see the file.
      first_step: the batch to begin with, where a seed is given.

    Returns:
      `(inputs, (token_ids, guessed))`: the inputs of a text encoder; the true
      tokens, int32 [B, L], and bool [B, L], True where they are to be guessed.

    Raises:
      InputError: where the tokenizer has no mask token, or the share is out of
        range.
    """
    mask_id = tokenizer.mask_id
    if mask_id is None:
        raise InputError(
            "masked language modelling needs a tokenizer with a mask token. "
            "Received: one without. Use the objective causal, or another model."
        )
    if not 0 < share < 1:
        raise InputError(
            "`masked_share` must lie in (0, 1). Received: "
            f"masked_share={share!r}."
        )
    texts = _Texts(ids, tokenizer.pad_id)
    special = tf.constant(sorted(tokenizer.special_ids), tf.int32)

    def masked(step: tf.Tensor, rows: tf.Tensor):
        token_ids, mask = texts(rows)
        is_special = tf.reduce_any(token_ids[..., tf.newaxis] == special, -1)
        read, guessed = mask_tokens(
            token_ids,
            tf.logical_and(mask, tf.logical_not(is_special)),
            tf.stack([_draws(seed), step]),
            mask_id=mask_id,
            vocabulary_size=tokenizer.vocabulary_size,
            share=share,
        )
        inputs = {"token_ids": read, "token_mask": mask}
        return inputs, (token_ids, guessed)

    return _stream(len(ids), batch_size, seed, first_step, masked)


def causal_batches(
    ids: Sequence[Sequence[int]],
    tokenizer: Tokenizer,
    batch_size: int,
    *,
    seed: int | None = None,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Batches for causal language modelling: each token from those before it.

    Args:
      ids: as for `masked_batches`, and so are the others.
      tokenizer: theirs.
      batch_size: texts in a batch, >= 1.
      seed: see the file.
      first_step: the batch to begin with, where a seed is given.

    Returns:
      `(inputs, (token_ids, guessed))`: the inputs of a text encoder; the token
      after each, int32 [B, L], and bool [B, L], False where none follows.
    """
    texts = _Texts(ids, tokenizer.pad_id)

    def shifted(step: tf.Tensor, rows: tf.Tensor):
        token_ids, mask = texts(rows)
        inputs = {"token_ids": token_ids, "token_mask": mask}
        after = [[0, 0], [0, 1]]
        following = tf.pad(token_ids[:, 1:], after)
        return inputs, (following, tf.pad(mask[:, 1:], after))

    return _stream(len(ids), batch_size, seed, first_step, shifted)


def equal_pairs(
    ids: Sequence[Sequence[int]],
    tokenizer: Tokenizer,
    batch_size: int,
    *,
    seed: int | None = None,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Pairs of a text with itself, which dropout makes differ.

    Args:
      ids: as for `masked_batches`, and so are the others.
      tokenizer: theirs.
      batch_size: texts in a batch, >= 1.
      seed: see the file.
      first_step: the batch to begin with, where a seed is given.

    Returns:
      `(inputs, texts)`: the inputs of a text encoder, [B, 2, L], and the places
      of both texts, int64 [B, 2].
    """
    texts = _Texts(ids, tokenizer.pad_id)

    def paired(step: tf.Tensor, rows: tf.Tensor):
        return texts.pairs(tf.stack([rows, rows], -1))

    return _stream(len(ids), batch_size, seed, first_step, paired)


def near_pairs(
    ids: Sequence[Sequence[int]],
    tokenizer: Tokenizer,
    batch_size: int,
    *,
    events: NearEvents,
    seed: int | None = None,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Pairs of an event's text with that of a partner, drawn from all of them.

    Args:
      ids: of every text of the corpus.
      tokenizer: theirs.
      batch_size: pairs in a batch, >= 1.
      events: with their partners; a pass goes through the anchors.
      seed: see the file.
      first_step: the batch to begin with, where a seed is given.

    Returns:
      As of `equal_pairs`.
    """
    texts = _Texts(ids, tokenizer.pad_id)
    of_event = tf.constant(events.texts)
    begins, ends = tf.constant(events.begins), tf.constant(events.ends)
    anchors = tf.constant(events.anchors)

    def paired(step: tf.Tensor, rows: tf.Tensor):
        event = tf.gather(anchors, rows)
        begin = tf.gather(begins, event)
        others = tf.cast(tf.gather(ends, event) - begin - 1, tf.float64)
        share = tf.random.stateless_uniform(
            tf.shape(rows), tf.stack([_draws(seed), step]), dtype=tf.float64
        )
        partner = begin + tf.cast(share * others, tf.int64)
        partner += tf.cast(partner >= event, tf.int64)  # not the event itself
        pair = tf.stack([event, partner], -1)
        return texts.pairs(tf.gather(of_event, pair))

    return _stream(len(events.anchors), batch_size, seed, first_step, paired)


class _Texts:
    """Rows of token ids, and padded batches of them."""

    def __init__(self, ids: Sequence[Sequence[int]], pad_id: int) -> None:
        flat = [token for row in ids for token in row]
        self._ids = tf.RaggedTensor.from_row_lengths(
            tf.constant(flat, tf.int32),
            tf.constant([len(row) for row in ids], tf.int64),
        )
        self._pad_id = pad_id

    def __call__(self, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Token ids and mask, [B, L], of rows [B]."""
        chosen = tf.gather(self._ids, rows)
        mask = tf.sequence_mask(chosen.row_lengths())
        return chosen.to_tensor(self._pad_id), mask

    def pairs(self, rows: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """The inputs of an encoder, [B, 2, L], of rows [B, 2]; and the rows."""
        token_ids, mask = self(tf.reshape(rows, [-1]))
        shape = tf.stack([-1, 2, tf.shape(mask)[1]])
        inputs = {
            "token_ids": tf.reshape(token_ids, shape),
            "token_mask": tf.reshape(mask, shape),
        }
        return inputs, rows


def _draws(seed: int | None) -> int:
    return _DRAWS + (0 if seed is None else seed)


def _stream(n, batch_size, seed, first_step, make) -> tf.data.Dataset:
    batch_size = min(batch_size, n)
    if seed is None:
        rows = tf.data.Dataset.range(0, n, batch_size).map(
            lambda start: tf.range(start, tf.minimum(start + batch_size, n))
        )
    else:
        rows = shuffled_rows(n, batch_size, seed, first_step)
    return in_order(rows.enumerate(first_step), make)
