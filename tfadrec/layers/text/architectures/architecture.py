"""What an encoder must know of a type of language model."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import transformers

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.layers.text.architectures.settings import settings_of
from tfadrec.ops import transformer

if TYPE_CHECKING:
    from tfadrec.layers.text.forward_pass import ForwardPass

#: attend(rows) -> what each token gathers from the others; both [R, D].
Attend = Callable[[tf.Tensor], tf.Tensor]
#: turn(rows) -> queries or keys turned by their places, both [R, E].
Turn = Callable[[tf.Tensor], tf.Tensor]


def causal(mask: tf.Tensor) -> tf.Tensor:
    """The attention mask by which a token attends to none that is after it.

    Args:
      mask: bool [N, L], True = real.

    Returns:
      bool [N, L, L], of queries and keys.
    """
    places = tf.range(tf.shape(mask)[1])
    before = places[tf.newaxis, :] <= places[:, tf.newaxis]
    return mask[:, tf.newaxis] & before


class Architecture:
    """A type of language model: its sizes, its names, and its computation.

    It has no weights. What a block computes is written on tokens as rows of a
    matrix, with the products of a `ForwardPass`, which has the weights of an
    encoder and adds what its tuning asks for.

    Weights go by the names that they have in PyTorch's files.

    Args:
      config: the fields of the model's transformers config; what is left out
        has that class's default.
      kept_layers: the number of blocks, the lowest ones; None for all.

    Raises:
      InputError: for a config of another type, one with a setting that is not
        offered, or with fewer blocks.
    """

    #: How models of the type call themselves in config.json.
    model_type: ClassVar[str]
    config_class: ClassVar[Any]
    #: Settings that `config_class` does not name, and values of their types.
    more_settings: ClassVar[Mapping[str, Any]] = {}
    #: The config's field with the dropout after each sublayer.
    dropout_field: ClassVar[str]
    #: Weights of a block begin with this and its number.
    blocks: ClassVar[str]
    #: The weights after the last block.
    top: ClassVar[tuple[str, ...]] = ()
    #: A pattern for weights that a file may hold beside the backbone's: heads
    #: and buffers.
    unused: ClassVar[str]
    #: A weight's other name in some files, and its name here.
    tied: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self, config: Mapping[str, Any], kept_layers: int | None = None
    ) -> None:
        model_type = config.get("model_type", self.model_type)
        if model_type != self.model_type:
            raise InputError(
                f"`backbone_config` must describe a {self.model_type}. "
                f"Received: model_type={model_type!r}. Use the encoder for "
                "that type."
            )
        settings = settings_of(config, self.config_class, self.more_settings)
        try:
            self.config = self.config_class.from_dict(settings)
        except ValueError as error:
            raise InputError(
                f"`backbone_config` must describe a {self.model_type}. "
                f"Received: {' '.join(str(error).split())[:200]} Correct it."
            ) from error
        self.check_config()
        self._num_left_out = 0
        if kept_layers is not None:
            self._keep(kept_layers)

    def _keep(self, number: int) -> None:
        before = self.num_layers
        if type(number) is not int or not 1 <= number <= before:
            raise InputError(
                f"`kept_layers` must be an integer in [1, {before}], the "
                f"blocks of the backbone. Received: kept_layers={number!r}. "
                "Choose another one, or leave it out."
            )
        self.config.num_hidden_layers = number
        self._num_left_out = before - number

    # Sizes.

    @property
    def width(self) -> int:
        """D, the number of floats in a token's vector."""
        return self.config.hidden_size

    @property
    def vocabulary_size(self) -> int:
        """The number of rows in the token embedding table."""
        return self.config.vocab_size

    @property
    def max_tokens(self) -> int:
        """The largest number of tokens in a text."""
        return self.config.max_position_embeddings

    @property
    def num_layers(self) -> int:
        """The number of blocks."""
        return self.config.num_hidden_layers

    @property
    def num_heads(self) -> int:
        """The heads of attention in each block."""
        return self.config.num_attention_heads

    @property
    def epsilon(self) -> float:
        """What norms add to the variance."""
        return self.config.layer_norm_epsilon

    @property
    def dropout_rate(self) -> float:
        """The dropout after each sublayer with which the model was trained."""
        return getattr(self.config, self.dropout_field)

    # Names.

    @property
    def matrices(self) -> Mapping[str, str]:
        """The names of a block's matrices, by what they do."""
        raise NotImplementedError

    def matrix_name(self, block: int, matrix: str) -> str:
        """The name of a matrix and its bias, without the last word."""
        return f"{self.blocks}.{block}.{self.matrices[matrix]}"

    def columns(self, matrix: str) -> slice:
        """Where a matrix lies in the weight that holds it."""
        return slice(None)

    def block_of(self, name: str) -> int | None:
        """The block that a weight is in; None where it is in none."""
        block = name.removeprefix(f"{self.blocks}.").partition(".")[0]
        return int(block) if block.isdecimal() else None

    def unused_names(self) -> str:
        """A pattern for weights of a file that are not read."""
        left_out = (
            rf"^{re.escape(self.blocks)}\.{self.num_layers + i}\."
            for i in range(self._num_left_out)
        )
        return "|".join([self.unused, *left_out])

    def depth_of(self, name: str) -> int:
        """How far up a weight stands.

        Returns:
          0 for embeddings, 1 and up for the blocks, and `num_layers` + 1 for
          what follows them.
        """
        if name in self.top:
            return self.num_layers + 1
        block = self.block_of(name)
        return 0 if block is None else block + 1

    def matrix_size(
        self, weights: Mapping[str, tf.Variable], block: int, matrix: str
    ) -> tuple[int, int]:
        """[D, E] of a matrix."""
        name = f"{self.matrix_name(block, matrix)}.weight"
        before, after = weights[name].shape
        return before, len(range(after)[self.columns(matrix)])

    # What a type says of its computation.

    def check_config(self) -> None:
        """Refuses settings that are not offered."""

    def require_whole_heads(self) -> None:
        """Refuses a width that is no multiple of the number of heads."""
        if self.width % self.num_heads:
            raise InputError(
                "The backbone's width must be a multiple of the number of its "
                f"heads. Received: {self.width} for {self.num_heads} heads. "
                "Use another model."
            )

    def make(self, scope: str) -> transformers.TFPreTrainedModel:
        """Transformers' model of the config, named `backbone`, without weights.

        Args:
          scope: in which its weights will be made, with its last slash.
        """
        raise NotImplementedError

    def embed(
        self, forward: "ForwardPass", token_ids: tf.Tensor, places: tf.Tensor
    ) -> tf.Tensor:
        """The tokens' first rows, [R, D], of ids and positions, int [R]."""
        raise NotImplementedError

    def block(
        self,
        forward: "ForwardPass",
        block: int,
        rows: tf.Tensor,
        attend: Attend,
    ) -> tf.Tensor:
        """One block, [R, D] to [R, D]."""
        raise NotImplementedError

    def last(self, forward: "ForwardPass", rows: tf.Tensor) -> tf.Tensor:
        """What follows the last block, [R, D] to [R, D]."""
        return rows

    def norm(
        self, forward: "ForwardPass", name: str, rows: tf.Tensor
    ) -> tf.Tensor:
        """The rows after the norm with that name."""
        return transformer.layer_norm(
            rows,
            forward.weights[f"{name}.weight"],
            forward.weights[f"{name}.bias"],
            self.epsilon,
        )

    def attention_mask(self, mask: tf.Tensor) -> tf.Tensor:
        """Who may attend to whom, as in `transformer.attention`.

        Args:
          mask: bool [N, L], True = real.
        """
        return mask

    def turned(self, places: tf.Tensor) -> Turn | None:
        """What turns queries and keys by their places, [R, E] to the same.

        Args:
          places: int [R], of each token among the real ones of its text.

        Returns:
          None where attention does not know of places.
        """
        return None

    def attention_scale(self) -> float | None:
        """As in `transformer.attention`."""
        return None

    def attention_bias(
        self, forward: "ForwardPass", length: tf.Tensor
    ) -> tf.Tensor | None:
        """As in `transformer.attention`, for texts of `length` tokens."""
        return None

    def require(self, field: str, *offered: Any) -> None:
        """Refuses a config whose setting is not offered."""
        value = getattr(self.config, field)
        if value not in offered:
            raise InputError(
                f"The backbone's {field} must be one of "
                f"{', '.join(map(repr, offered))}. Received: {value!r}. Use "
                "another model."
            )
