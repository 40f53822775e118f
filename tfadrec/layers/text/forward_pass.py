"""From tokens to their vectors: the blocks of a language model, run once."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.layers.dropout import Dropout
from tfadrec.layers.text.architectures import Architecture, Turn
from tfadrec.layers.text.tuning import Adapter, LoRA, Prefix, Tuning
from tfadrec.layers.text.tuning.added_weights import sublayer
from tfadrec.layers.text.tuning.frozen_part import num_frozen_layers
from tfadrec.ops import lookup, transformer, xla


def read_tokens(
    inputs: Mapping[str, tf.Tensor], max_tokens: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The tokens of texts, with leading dimensions made one, N.

    Args:
      inputs: a dict with `token_ids`, integer [..., L], and `token_mask`, bool
        [..., L], True = real.
      max_tokens: the largest L.

    Returns:
      Ids and mask, [N, L]; the ids of padding are 0.

    Raises:
      InputError: where L is known and larger.
    """
    token_ids = tf.convert_to_tensor(inputs["token_ids"])
    mask = tf.convert_to_tensor(inputs["token_mask"])
    length = token_ids.shape[-1]
    if length is not None and length > max_tokens:
        raise InputError(
            f"An ad must have at most {max_tokens} tokens, the positions of "
            f"the backbone. Received: {length}. Cut the text with the "
            "tokenizer's `max_tokens`."
        )
    flat = [-1, tf.shape(token_ids)[-1]]
    mask = tf.reshape(mask, flat)
    return tf.where(mask, tf.reshape(token_ids, flat), 0), mask


@dataclasses.dataclass(frozen=True)
class ForwardPass:
    """A language model's weights at work, with what its tuning adds.

    The architecture says which products a block takes; here they are taken. A
    token is a row of a matrix [R, D], padding too, R = N L.

    Precision: products are of `dtype`; norms and softmax are computed in
    float32.

    Args:
      architecture: of the model.
      weights: of the model, by their names in PyTorch's files.
      tuning: how the model is tuned.
      added: the layer with the weights that the tuning adds; None for none.
      dropout: acts on the outputs of attention and feed-forward in blocks that
        are trained; None where none is.
      dtype: in which to compute.
      training: whether dropout acts.
    """

    architecture: Architecture
    weights: Mapping[str, tf.Variable]
    tuning: Tuning
    added: Any
    dropout: Dropout | None
    dtype: str
    training: bool | None

    def lower(self, token_ids: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """The embeddings and the blocks below the first trained one.

        Args:
          token_ids: integer [N, L].
          mask: bool [N, L], True = real.

        Returns:
          [N, L, D], without a gradient unless all weights are trained.
        """
        rows = self.architecture.embed(
            self, tf.reshape(token_ids, [-1]), _places(mask)
        )
        rows = tf.cast(rows, self.dtype)
        rows = self._run(rows, mask, range(self._first_trained))
        if self.tuning != "full":
            rows = tf.stop_gradient(rows)
        return self._to_texts(rows, mask)

    def upper(
        self,
        hidden: tf.Tensor,
        mask: tf.Tensor,
        sees: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """The other blocks, and what follows them.

        Args:
          hidden: what `lower` gave, float [N, L, D].
          mask: bool [N, L], True = real.
          sees: bool [N or 1, L, L], which tokens (last axis) each token
            attends to, as far as they are real; None for all.

        Returns:
          [N, L, D].
        """
        rows = tf.reshape(hidden, [-1, self.architecture.width])
        rows = tf.cast(rows, self.dtype)
        if self.tuning == "full":
            rows = self._dropped(rows)
        if self.training and isinstance(self.tuning, LoRA):
            self.added.begin_step()
        blocks = range(self._first_trained, self.architecture.num_layers)
        rows = self._run(rows, mask, blocks, sees)
        rows = self.architecture.last(self, rows)
        return self._to_texts(rows, mask)

    # The products of which an architecture makes its blocks.

    def gather(self, name: str, rows: tf.Tensor) -> tf.Tensor:
        """Rows of a table."""
        # XLA has no slices whose number depends on the branch of a condition.
        gather = lookup.gather_rows if xla.is_compiling() else tf.gather
        found = gather(self.weights[name], rows)
        return tf.cast(found, self.dtype)

    def project(self, block: int, matrix: str, rows: tf.Tensor) -> tf.Tensor:
        """The rows times one of the block's matrices, [R, D] to [R, E]."""
        kernel, bias = self._matrix(block, matrix)
        projected = transformer.dense(rows, kernel, bias)
        if isinstance(self.tuning, LoRA) and matrix in self.tuning.targets:
            place = (block, matrix)
            projected += self.added(rows, place=place, training=self.training)
        return projected

    def output(self, block: int, matrix: str, rows: tf.Tensor) -> tf.Tensor:
        """The last product of attention or feed-forward, to be added."""
        rows = self.project(block, matrix, rows)
        if block >= self._first_trained:
            rows = self._dropped(rows)
        if isinstance(self.tuning, Adapter):
            rows = self.added(rows, place=sublayer(block, matrix))
        return rows

    @property
    def _first_trained(self) -> int:
        return num_frozen_layers(self.tuning, self.architecture)

    def _run(
        self,
        rows: tf.Tensor,
        mask: tf.Tensor,
        blocks: range,
        sees: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Some of the blocks, over padded texts."""
        shape = tf.shape(mask)
        turn = self.architecture.turned(_places(mask))
        real = self.architecture.attention_mask(mask)
        if sees is not None:
            real = sees & (
                real[:, tf.newaxis] if real.shape.rank == 2 else real
            )
        bias = self.architecture.attention_bias(self, shape[1])
        if isinstance(self.tuning, Prefix):
            real, bias = _before_text(self.tuning.length, real, bias)
        for block in blocks:
            attend = functools.partial(
                self._attend, block, shape, turn, real, bias
            )
            rows = self.architecture.block(self, block, rows, attend)
        return rows

    def _to_texts(self, rows: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Rows [R, D] to [N, L, D]."""
        width = self.architecture.width
        return tf.reshape(rows, tf.concat([tf.shape(mask), [width]], 0))

    def _dropped(self, rows: tf.Tensor) -> tf.Tensor:
        assert self.dropout is not None  # something is trained
        return self.dropout(rows, training=self.training)

    def _matrix(
        self, block: int, matrix: str
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Kernel [D, E] and bias [E]."""
        name = self.architecture.matrix_name(block, matrix)
        columns = self.architecture.columns(matrix)
        kernel = self.weights[f"{name}.weight"]
        if columns != slice(None):
            kernel = kernel[:, columns]
        bias = self.weights.get(f"{name}.bias")
        if bias is not None:
            bias = tf.reshape(bias, [-1])[columns]
        return kernel, bias

    def _attend(
        self,
        block: int,
        shape: tf.Tensor,
        turn: Turn | None,
        real: tf.Tensor,
        bias: tf.Tensor | None,
        rows: tf.Tensor,
    ) -> tf.Tensor:
        """What each token gathers from the tokens of its text, [R, D]."""
        projections = [
            self.project(block, matrix, rows)
            for matrix in ("query", "key", "value")
        ]
        if turn is not None:
            projections[:2] = map(turn, projections[:2])
        query, key, value = (
            tf.reshape(part, tf.concat([shape, [part.shape[-1]]], 0))
            for part in projections
        )
        if isinstance(self.tuning, Prefix):
            key, value = self.added((key, value), block=block)
        gathered = transformer.attention(
            query,
            key,
            value,
            real,
            self.architecture.num_heads,
            scale=self.architecture.attention_scale(),
            bias=bias,
        )
        # In these words TensorFlow sees that a residual has its shape.
        return tf.reshape(gathered, tf.shape(projections[0]))


def _places(mask: tf.Tensor) -> tf.Tensor:
    """Of each token among the real ones of its text, int32 [R]."""
    places = tf.cumsum(tf.cast(mask, tf.int32), -1, exclusive=True)
    return tf.reshape(places, [-1])


def _before_text(
    length: int, real: tf.Tensor, bias: tf.Tensor | None
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """The mask and the bias of attention with a prefix before each text."""
    before = [[length, 0]]
    leading = [[0, 0]] * (real.shape.rank - 1)
    real = tf.pad(real, leading + before, constant_values=True)
    if bias is not None:
        bias = tf.pad(bias, [[0, 0]] * 3 + before)
    return real, bias
