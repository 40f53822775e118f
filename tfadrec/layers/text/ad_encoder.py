"""What every language model that reads ad copy shares."""

import json
import os
import pathlib
import re
import types
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import transformers

from tfadrec.core import pretrained
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.layers.building import built
from tfadrec.layers.dropout import Dropout
from tfadrec.layers.text import adapter_file, backbone
from tfadrec.layers.text.bottlenecks import Bottlenecks
from tfadrec.layers.text.low_rank import LowRank
from tfadrec.layers.text.pooling import POOLINGS, pool
from tfadrec.layers.text.prefixes import Prefixes
from tfadrec.layers.text.tuning import (
    Adapter,
    LoRA,
    Prefix,
    TopLayers,
    Tuning,
    as_tuning,
    tuning_config,
)
from tfadrec.ops import lookup, transformer, xla

#: attend(block, rows) -> what each token gathers; both [R, D].
Attend = Callable[[int, tf.Tensor], tf.Tensor]


class AdEncoder(keras.layers.Layer):
    """Base of the encoders: token ids [..., L] to ad vectors [..., D].

    transformers makes the weights; what is computed with them is written here
    and in `ops.transformer`, on tokens as rows of a matrix. A subclass says how
    its weights are named, and what one block does.

    The lower part, `lower`, is the embeddings and the blocks below the first
    trained one; the upper part, `upper`, is the rest and the pooling. A call is
    the one after the other.

    Tuning: `frozen` trains nothing of the backbone, `full` every weight, and a
    value of `layers.text.tuning` what its docstring says. The query of the
    pooling `attention` is trained in any case. `trainable = False` freezes all.

    Dropout acts while training, on the outputs of attention and feed-forward in
    the blocks that are trained, and on the embeddings with `full`. Attention
    weights are not dropped, where the papers do so.

    Mask: padding (`token_mask` False) may stand anywhere. It is neither
    attended to nor pooled nor counted in positions, and what stands there is
    not read. An ad without a real token gets zeros.

    Precision: the weights and products follow the layer's dtype policy; norms,
    softmax and pooling are computed in float32.

    Args:
      backbone_config: the fields of the model's transformers config, as in a
        model folder's config.json; what is left out has that class's default.
        A layer made so has new weights; `from_pretrained` fills them.
      pooling: `mean` of the real tokens; `cls`, the first one; `last_token`,
        the last one; or `attention`, their sum weighted by softmax(h . q) with
        a learned q that starts at zero.
      tuning: `frozen`, `full`, a value of `layers.text.tuning`, or its mapping.
      dropout: rate in [0, 1); None for that of `backbone_config`.

    Call args:
      inputs: a dict with `token_ids`, integer [..., L], each in
        [0, vocabulary_size), and `token_mask`, bool [..., L], True = real.
      training: whether dropout acts.

    Returns:
      Ad vectors, float [..., D] with D = `width`.

    Raises:
      InputError: for an unknown pooling or tuning, a backbone of another type,
        one with a setting that is not offered, or more tokens than it has
        positions.
    """

    #: How the subclass's models call themselves in config.json.
    model_type: ClassVar[str]
    _config_class: ClassVar[Any]
    #: The config's field with the dropout after each sublayer.
    _dropout_field: ClassVar[str]
    #: Weights of a block begin with this and its number.
    _blocks: ClassVar[str]
    #: The matrices of a block, by what they do.
    _matrices: ClassVar[Mapping[str, str]]
    #: The weights after the last block.
    _top: ClassVar[tuple[str, ...]] = ()
    #: Weights that a file may hold beside the backbone's: heads and buffers.
    _unused: ClassVar[str]
    #: A weight's other name in some files, and its name here.
    _tied: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        backbone_config: Mapping[str, Any],
        *,
        pooling: str = "mean",
        tuning: Tuning | Mapping[str, Any] = "frozen",
        dropout: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if pooling not in POOLINGS:
            raise InputError(
                f"`pooling` must be one of {', '.join(POOLINGS)}. Received: "
                f"{pooling!r}. Choose one of them."
            )
        if dropout is not None and not 0 <= dropout < 1:
            raise InputError(
                "`dropout` must lie in [0, 1). Received: "
                f"dropout={dropout!r}. Choose another rate, or None."
            )
        model_type = backbone_config.get("model_type", self.model_type)
        if model_type != self.model_type:
            raise InputError(
                f"`backbone_config` must describe a {self.model_type}. "
                f"Received: model_type={model_type!r}. Use the encoder for "
                "that type."
            )
        # As text: Keras wraps a dict attribute into one that is not JSON.
        self._backbone_json = json.dumps(dict(backbone_config))
        self.pooling = pooling
        self.tuning = as_tuning(tuning)
        self.dropout = dropout
        self._config = self._config_class.from_dict(self.backbone_config)
        self._check_config()
        self._check_tuning()

    @classmethod
    def from_pretrained(
        cls, name_or_path: str | os.PathLike[str], **kwargs: Any
    ) -> "AdEncoder":
        """An encoder with trained weights.

        Args:
          name_or_path: as in `tfadrec.core.pretrained.locate`.
          **kwargs: of the constructor, without `backbone_config`.

        Raises:
          TfadrecError: where the model cannot be had.
          InputError: where it is of another type, or its weights do not fit it.
        """
        folder: pathlib.Path = pretrained.locate(name_or_path)
        config = backbone.read_config(folder, cls.model_type)
        encoder = cls(config, **kwargs)
        encoder.build(None)
        backbone.load_weights(
            encoder._named,
            folder,
            prefix=encoder._backbone.base_model_prefix,
            unused=cls._unused,
            tied=cls._tied,
        )
        return encoder

    @property
    def backbone_config(self) -> dict[str, Any]:
        """The constructor's argument, as a plain dict."""
        return json.loads(self._backbone_json)

    @property
    def width(self) -> int:
        """D, the number of floats in an ad vector."""
        return self._config.hidden_size

    @property
    def vocabulary_size(self) -> int:
        """The number of rows in the token embedding table."""
        return self._config.vocab_size

    @property
    def max_tokens(self) -> int:
        """The largest L."""
        return self._config.max_position_embeddings

    @property
    def num_layers(self) -> int:
        """The number of blocks."""
        return self._config.num_hidden_layers

    @property
    def num_frozen_layers(self) -> int:
        """Blocks of the lower part, whose outputs can be computed once."""
        if self.tuning == "frozen":
            return self.num_layers
        if isinstance(self.tuning, TopLayers):
            return self.num_layers - self.tuning.k
        return 0

    @property
    def trainable_weights(self) -> list[tf.Variable]:
        """The weights that the tuning trains."""
        return [
            variable
            for variable in super().trainable_weights
            if variable.name not in self._frozen_names
        ]

    @property
    def non_trainable_weights(self) -> list[tf.Variable]:
        """The others, and the state of dropout."""
        frozen = [
            variable
            for variable in super().trainable_weights
            if variable.name in self._frozen_names
        ]
        return frozen + super().non_trainable_weights

    def num_weights(self) -> dict[str, int]:
        """How many numbers there are to train, and altogether.

        Returns:
          A dict with `trainable` and `total`.
        """
        self._require_built()

        def count(variables):
            return sum(v.shape.num_elements() for v in variables)

        floats = [v for v in self.weights if v.dtype.is_floating]
        return {
            "trainable": count(self.trainable_weights),
            "total": count(floats),
        }

    def depth_of(self, variable: tf.Variable) -> int:
        """How far up a weight stands.

        Returns:
          0 for embeddings, 1 and up for the blocks, and `num_layers` + 1 for
          what follows them. What a tuning adds to a block stands there.
        """
        for name, own in self._named.items():
            if own is not variable:
                continue
            if name in self._top:
                return self.num_layers + 1
            block = name.removeprefix(f"{self._blocks}.").partition(".")[0]
            return int(block) + 1 if block.isdecimal() else 0
        added = re.search(r"/block_(\d+)/", variable.name)
        return int(added[1]) + 1 if added else self.num_layers + 1

    def build(self, input_shape: Any) -> None:
        """Makes the weights, which depend on the config alone."""
        # The scope is absolute: the names are the same wherever it is built.
        scope = f"{self.name}/"
        with backbone.construction(self.dtype_policy), tf.name_scope(scope):
            self._backbone = self._make_backbone()
            self._backbone.build_in_name_scope()
            # Keras wraps a dict attribute; these are tracked already.
            self._named = types.MappingProxyType(
                backbone.by_name(self._backbone, scope)
            )
            if self.pooling == "attention":
                self._pooling_query = self.add_weight(
                    "pooling/query", [self.width], initializer="zeros"
                )
            if self.tuning != "frozen":
                self._dropout = built(
                    Dropout(
                        self._dropout_rate,
                        name="dropout",
                        dtype=self.dtype_policy,
                    ),
                    None,
                )
            self._added = self._make_added()
        tracked = {id(variable) for variable in self.weights}
        lost = [n for n, v in self._named.items() if id(v) not in tracked]
        if lost or not tracked:
            raise RuntimeError(
                "A Keras layer must track every weight of its backbone. "
                f"Received: a layer without {', '.join(lost) or 'weights'}."
            )
        super().build(input_shape)

    def _make_added(self) -> Any:
        """The weights that the tuning adds to the backbone's."""
        way = self.tuning
        kwargs = {"name": "added", "dtype": self.dtype_policy}
        blocks = range(self.num_layers)
        if isinstance(way, LoRA):
            sizes = {
                (block, matrix): self._size(block, matrix)
                for block in blocks
                for matrix in way.targets
            }
            return built(LowRank(sizes, way, **kwargs), None)
        if isinstance(way, Adapter):
            places = [
                _place(block, matrix)
                for block in blocks
                for matrix in ("output", "contract")
            ]
            return built(Bottlenecks(places, self.width, way, **kwargs), None)
        if isinstance(way, Prefix):
            _, width = self._size(0, "key")
            made = Prefixes(self.num_layers, width, way, **kwargs)
            return built(made, None)
        return None

    def merge(self) -> "AdEncoder":
        """A frozen encoder of plain weights, with equal outputs.

        LoRA's products are added to the matrices.

        Raises:
          InputError: where the tuning is an adapter or a prefix, which are no
            part of plain weights.
        """
        if isinstance(self.tuning, Adapter | Prefix):
            raise InputError(
                "Only LoRA, and what was tuned itself, merges into plain "
                f"weights. Received: tuning={self.tuning}. Export the encoder "
                "as it is, or tune it with LoRA."
            )
        self._require_built()
        plain = type(self).from_config(
            {**self.get_config(), "tuning": "frozen", "dropout": None}
        )
        plain.build(None)
        for name, variable in self._named.items():
            plain._named[name].assign(variable)
        if self.pooling == "attention":
            plain._pooling_query.assign(self._pooling_query)
        if isinstance(self.tuning, LoRA):
            for block in range(self.num_layers):
                for matrix in self.tuning.targets:
                    plain._add_to(
                        block, matrix, self._added.product((block, matrix))
                    )
        return plain

    def _add_to(self, block: int, matrix: str, more: tf.Tensor) -> None:
        name = f"{self._blocks}.{block}.{self._matrices[matrix]}.weight"
        value = self._named[name].numpy()
        value[:, self._columns(matrix)] += more.numpy()
        self._named[name].assign(value)

    def save_adapter(self, path: str | os.PathLike[str]) -> None:
        """Writes what the tuning added, a small safetensors file.

        It holds no weight of the backbone, but a hash of them all. The query of
        the pooling `attention` is in it.

        Args:
          path: of the file.

        Raises:
          InputError: where the tuning adds no weights.
        """
        adapter_file.save(path, self._adapter_weights(), self._adapter_facts())

    def load_adapter(self, path: str | os.PathLike[str]) -> None:
        """Reads what `save_adapter` wrote, into an encoder of the same base.

        Args:
          path: of the file.

        Raises:
          InputError: where it is no such file, or was made for other weights,
            another tuning or another pooling.
        """
        adapter_file.load(path, self._adapter_weights(), self._adapter_facts())

    def _adapter_weights(self) -> dict[str, tf.Variable]:
        self._require_built()
        if self._added is None:
            raise InputError(
                "An adapter is what LoRA, adapter or prefix add to a model. "
                f"Received: tuning={self.tuning}. Save the whole encoder."
            )
        own = list(self._added.adapter_weights())
        if self.pooling == "attention":
            own.append(self._pooling_query)
        return {
            variable.name.removeprefix(f"{self.name}/").partition(":")[0]: (
                variable
            )
            for variable in own
        }

    def _adapter_facts(self) -> dict[str, str]:
        return {
            "base_sha256": backbone.sha256_of(self._named),
            "tuning": json.dumps(tuning_config(self.tuning)),
            "pooling": self.pooling,
        }

    def call(
        self, inputs: Mapping[str, tf.Tensor], training: bool | None = None
    ) -> tf.Tensor:
        """Ad vectors [..., D]; see the class."""
        leading = tf.shape(inputs["token_ids"])[:-1]
        _, mask = self._read(inputs)
        pooled = self.upper(self.lower(inputs), mask, training)
        return tf.reshape(pooled, tf.concat([leading, [self.width]], 0))

    def token_vectors(
        self, inputs: Mapping[str, tf.Tensor], training: bool | None = None
    ) -> tf.Tensor:
        """The vectors before pooling, float [..., L, D].

        Those of padding are zeros. The inputs are those of a call.
        """
        shape = tf.shape(inputs["token_ids"])
        _, mask = self._read(inputs)
        vectors = self._upper_vectors(self.lower(inputs), mask, training)
        vectors = tf.where(mask[..., tf.newaxis], vectors, 0)
        return tf.reshape(vectors, tf.concat([shape, [self.width]], 0))

    # AutoGraph has nothing to convert here, and takes 8 seconds over it.
    @tf.autograph.experimental.do_not_convert
    def lower(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """What the upper part starts from.

        Args:
          inputs: those of a call; leading dimensions become one, N.

        Returns:
          [N, L, D] of the compute dtype: the outputs of block
          `num_frozen_layers`, or of the embeddings where that is 0.
        """
        self._require_built()
        token_ids, mask = self._read(inputs)
        places = tf.cumsum(tf.cast(mask, tf.int32), -1, exclusive=True)
        rows = self._embed(
            tf.reshape(token_ids, [-1]), tf.reshape(places, [-1])
        )
        rows = tf.cast(rows, self.compute_dtype)
        rows = self._run(rows, mask, range(self.num_frozen_layers), False)
        if self.tuning != "full":
            rows = tf.stop_gradient(rows)
        return self._to_ads(rows, mask)

    @tf.autograph.experimental.do_not_convert
    def upper(
        self,
        hidden: tf.Tensor,
        token_mask: tf.Tensor,
        training: bool | None = None,
    ) -> tf.Tensor:
        """Ad vectors of what `lower` gave.

        Args:
          hidden: float [N, L, D], finite in padding too.
          token_mask: bool [N, L], True = real.
          training: whether dropout acts.

        Returns:
          [N, D] of the compute dtype.
        """
        token_mask = tf.convert_to_tensor(token_mask)
        vectors = self._upper_vectors(hidden, token_mask, training)
        query = self._pooling_query if self.pooling == "attention" else None
        return pool(vectors, token_mask, self.pooling, query)

    def compute_output_shape(self, input_shape: Any) -> tf.TensorShape:
        """[..., D]."""
        leading = tf.TensorShape(input_shape["token_ids"])[:-1]
        return leading.concatenate(self.width)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "backbone_config": self.backbone_config,
            "pooling": self.pooling,
            "tuning": tuning_config(self.tuning),
            "dropout": self.dropout,
        }

    # What a subclass says.

    def _check_config(self) -> None:
        """Refuses settings of the backbone that are not offered."""

    def _make_backbone(self) -> transformers.TFPreTrainedModel:
        """A model named `backbone`, whose weights are used."""
        raise NotImplementedError

    def _embed(self, token_ids: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
        """The tokens' first rows, [R, D], of ids and positions, int [R]."""
        raise NotImplementedError

    def _block(
        self, block: int, rows: tf.Tensor, attend: Attend, training: bool | None
    ) -> tf.Tensor:
        """One block, [R, D] to [R, D]."""
        raise NotImplementedError

    def _last(self, rows: tf.Tensor) -> tf.Tensor:
        """What follows the last block."""
        return rows

    def _attention_mask(self, mask: tf.Tensor) -> tf.Tensor:
        """Who may attend to whom, as in `transformer.attention`."""
        return mask

    def _attention_scale(self) -> float | None:
        """As in `transformer.attention`."""
        return None

    def _attention_bias(self, length: tf.Tensor) -> tf.Tensor | None:
        """As in `transformer.attention`, for L tokens."""
        return None

    def _columns(self, matrix: str) -> slice:
        """Where a matrix lies in the weight that holds it."""
        return slice(None)

    # What a subclass is made of.

    def _require(self, field: str, *offered: Any) -> None:
        """Refuses a backbone whose setting is not offered."""
        value = getattr(self._config, field)
        if value not in offered:
            raise InputError(
                f"The backbone's {field} must be one of "
                f"{', '.join(map(repr, offered))}. Received: {value!r}. Use "
                "another model."
            )

    def _gather(self, name: str, rows: tf.Tensor) -> tf.Tensor:
        """Rows of a table."""
        # XLA has no slices whose number depends on the branch of a condition.
        gather = lookup.gather_rows if xla.is_compiling() else tf.gather
        found = gather(self._named[name], rows)
        return tf.cast(found, self.compute_dtype)

    def _norm(self, name: str, rows: tf.Tensor) -> tf.Tensor:
        """The rows after a norm of their own."""
        return transformer.layer_norm(
            rows,
            self._named[f"{name}.weight"],
            self._named[f"{name}.bias"],
            self._epsilon,
        )

    def _project(
        self, block: int, matrix: str, rows: tf.Tensor, training: bool | None
    ) -> tf.Tensor:
        """The rows times one of the block's matrices, [R, D] to [R, E]."""
        kernel, bias = self._matrix(block, matrix)
        projected = transformer.dense(rows, kernel, bias)
        if isinstance(self.tuning, LoRA) and matrix in self.tuning.targets:
            place = (block, matrix)
            projected += self._added(rows, place=place, training=training)
        return projected

    def _size(self, block: int, matrix: str) -> tuple[int, int]:
        """[D, E] of a matrix."""
        name = f"{self._blocks}.{block}.{self._matrices[matrix]}.weight"
        before, after = self._named[name].shape
        return before, len(range(after)[self._columns(matrix)])

    def _matrix(
        self, block: int, matrix: str
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Kernel [D, E] and bias [E]."""
        name = f"{self._blocks}.{block}.{self._matrices[matrix]}"
        columns = self._columns(matrix)
        kernel = self._named[f"{name}.weight"]
        if columns != slice(None):
            kernel = kernel[:, columns]
        bias = self._named.get(f"{name}.bias")
        if bias is not None:
            bias = tf.reshape(bias, [-1])[columns]
        return kernel, bias

    def _output(
        self, block: int, matrix: str, rows: tf.Tensor, training: bool | None
    ) -> tf.Tensor:
        """The last product of attention or feed-forward, to be added."""
        rows = self._project(block, matrix, rows, training)
        if block >= self.num_frozen_layers:
            rows = self._dropout(rows, training=training)
        if isinstance(self.tuning, Adapter):
            rows = self._added(rows, place=_place(block, matrix))
        return rows

    # The rest is the same for all.

    @property
    def _epsilon(self) -> float:
        return self._config.layer_norm_epsilon

    @property
    def _dropout_rate(self) -> float:
        if self.dropout is not None:
            return self.dropout
        return getattr(self._config, self._dropout_field)

    @property
    def _frozen_names(self) -> set[str]:
        """The names of the backbone's variables that are not trained."""
        if not self.built or self.tuning == "full":
            return set()
        return {
            variable.name
            for name, variable in self._named.items()
            if not self._is_in_top(name)
        }

    def _is_in_top(self, name: str) -> bool:
        """Whether a weight lies above the frozen blocks, without embeddings."""
        if not isinstance(self.tuning, TopLayers):
            return False
        block = name.removeprefix(f"{self._blocks}.").partition(".")[0]
        if block.isdecimal():
            return int(block) >= self.num_frozen_layers
        return name in self._top

    def _check_tuning(self) -> None:
        if isinstance(self.tuning, LoRA):
            unknown = set(self.tuning.targets) - set(self._matrices)
            if unknown:
                raise InputError(
                    f"`targets` must be of {', '.join(self._matrices)}. "
                    f"Received: {', '.join(sorted(unknown))}. Correct them."
                )
        if self.num_frozen_layers < 0:
            raise InputError(
                "`top_layers` must be at most the blocks of the backbone, "
                f"{self.num_layers}. Received: {self.tuning}. Choose fewer."
            )

    def _require_built(self) -> None:
        if not self.built:
            with tf.init_scope():
                self.build(None)

    def _read(
        self, inputs: Mapping[str, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Token ids and their mask, [N, L]; the ids of padding are 0."""
        token_ids = tf.convert_to_tensor(inputs["token_ids"])
        mask = tf.convert_to_tensor(inputs["token_mask"])
        length = token_ids.shape[-1]
        if length is not None and length > self.max_tokens:
            raise InputError(
                f"An ad must have at most {self.max_tokens} tokens, the "
                f"positions of the backbone. Received: {length}. Cut the text "
                "with the tokenizer's `max_tokens`."
            )
        flat = [-1, tf.shape(token_ids)[-1]]
        mask = tf.reshape(mask, flat)
        return tf.where(mask, tf.reshape(token_ids, flat), 0), mask

    def _upper_vectors(
        self, hidden: tf.Tensor, mask: tf.Tensor, training: bool | None
    ) -> tf.Tensor:
        """The last vectors of the tokens, [N, L, D]."""
        rows = tf.reshape(hidden, [-1, self.width])
        rows = tf.cast(rows, self.compute_dtype)
        if self.tuning == "full":
            rows = self._dropout(rows, training=training)
        if training and isinstance(self.tuning, LoRA):
            self._added.begin_step()
        blocks = range(self.num_frozen_layers, self.num_layers)
        rows = self._last(self._run(rows, mask, blocks, training))
        return self._to_ads(rows, mask)

    def _to_ads(self, rows: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        shape = tf.concat([tf.shape(mask), [self.width]], 0)
        return tf.reshape(rows, shape)

    def _run(
        self,
        rows: tf.Tensor,
        mask: tf.Tensor,
        blocks: range,
        training: bool | None,
    ) -> tf.Tensor:
        """Some of the blocks, over padded texts."""
        shape = tf.shape(mask)
        real = self._attention_mask(mask)
        bias = self._attention_bias(shape[1])
        if isinstance(self.tuning, Prefix):
            before = [[self.tuning.length, 0]]
            leading = [[0, 0]] * (real.shape.rank - 1)
            real = tf.pad(real, leading + before, constant_values=True)
            if bias is not None:
                bias = tf.pad(bias, [[0, 0]] * 3 + before)

        def attend(block, rows):
            projections = [
                self._project(block, matrix, rows, training)
                for matrix in ("query", "key", "value")
            ]
            width = projections[0].shape[-1]
            query, key, value = (
                tf.reshape(part, tf.concat([shape, [width]], 0))
                for part in projections
            )
            if isinstance(self.tuning, Prefix):
                key, value = self._added((key, value), block=block)
            gathered = transformer.attention(
                query,
                key,
                value,
                real,
                self._config.num_attention_heads,
                scale=self._attention_scale(),
                bias=bias,
            )
            # In these words TensorFlow sees that a residual has its shape.
            return tf.reshape(gathered, tf.shape(projections[0]))

        for block in blocks:
            rows = self._block(block, rows, attend, training)
        return rows


def _place(block: int, matrix: str) -> str:
    """The name of a sublayer, by its last matrix."""
    return f"block_{block}/{matrix}"
