"""The layer that every language model which reads ad copy is."""

import json
import os
import re
import types
from collections.abc import Mapping
from typing import Any, ClassVar

from tfadrec.core import pretrained
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.ranges import Count, Rate
from tfadrec.layers.building import built
from tfadrec.layers.checked_layer import CheckedLayer
from tfadrec.layers.dropout import Dropout
from tfadrec.layers.text import backbone
from tfadrec.layers.text.architectures import Architecture
from tfadrec.layers.text.forward_pass import ForwardPass, read_tokens
from tfadrec.layers.text.pooling import Pooling, check_pooling, pool
from tfadrec.layers.text.tuning import (
    Tuning,
    adapter_file,
    added_weights,
    as_tuning,
    frozen_part,
    tuning_config,
)

_TOKENS = {"token_ids": "int [..., L]", "token_mask": "bool [..., L]"}


class AdEncoder(CheckedLayer):
    """Base of the encoders: token ids [..., L] to ad vectors [..., D].

    transformers makes the weights. A subclass names the architecture, which
    says how they are named and what a block does; `ForwardPass` runs blocks.

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
      kept_layers: how many of the blocks there are, from the lowest on, >= 1;
        None for all. What follows the last block follows this one.

    Call args:
      inputs: a dict with `token_ids`, integer [..., L], each in
        [0, vocabulary_size), and `token_mask`, bool [..., L], True = real.
      training: whether dropout acts.

    Returns:
      Ad vectors, float [..., D] with D = `width`.

    Raises:
      InputError: for an unknown pooling or tuning, a backbone of another type,
        one with a setting that is not offered, more blocks than it has, or more
        tokens than it has positions.
    """

    wants = _TOKENS

    #: How models of the type call themselves in config.json.
    model_type: ClassVar[str]
    architecture_class: ClassVar[type[Architecture]]

    def __init__(
        self,
        backbone_config: Mapping[str, Any],
        *,
        pooling: Pooling = "mean",
        tuning: Tuning | Mapping[str, Any] = "frozen",
        dropout: Rate | None = None,
        kept_layers: Count | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_pooling(pooling)
        if dropout is not None and not 0 <= dropout < 1:
            raise InputError(
                "`dropout` must lie in [0, 1). Received: "
                f"dropout={dropout!r}. Choose another rate, or None."
            )
        # As text: Keras wraps a dict attribute into one that is not JSON.
        self._backbone_json = json.dumps(dict(backbone_config))
        self._architecture = self.architecture_class(
            self.backbone_config, kept_layers
        )
        self.pooling = pooling
        self.tuning = as_tuning(tuning)
        self.dropout = dropout
        self.kept_layers = kept_layers
        frozen_part.check_fits(self.tuning, self._architecture)
        #: The name or folder of the model whose weights it began with.
        self.source: str | None = None

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
        folder = pretrained.locate(name_or_path)
        config = backbone.read_config(folder, cls.model_type)
        encoder = cls(config, **kwargs)
        encoder.build(None)
        backbone.load_weights(
            encoder._named,
            folder,
            prefix=encoder._backbone.base_model_prefix,
            unused=encoder._architecture.unused_names(),
            tied=cls.architecture_class.tied,
        )
        encoder.source = pretrained.lasting(name_or_path)
        return encoder

    @property
    def backbone_config(self) -> dict[str, Any]:
        """The constructor's argument, as a plain dict."""
        return json.loads(self._backbone_json)

    @property
    def width(self) -> int:
        """D, the number of floats in an ad vector."""
        return self._architecture.width

    @property
    def vocabulary_size(self) -> int:
        """The number of rows in the token embedding table."""
        return self._architecture.vocabulary_size

    @property
    def max_tokens(self) -> int:
        """The largest L."""
        return self._architecture.max_tokens

    @property
    def num_layers(self) -> int:
        """The number of blocks."""
        return self._architecture.num_layers

    @property
    def num_frozen_layers(self) -> int:
        """Blocks of the lower part, whose outputs can be computed once."""
        return frozen_part.num_frozen_layers(self.tuning, self._architecture)

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
        floats = [v for v in self.weights if v.dtype.is_floating]
        return {
            "trainable": backbone.size_of(self.trainable_weights),
            "total": backbone.size_of(floats),
        }

    def depth_of(self, variable: tf.Variable) -> int:
        """How far up a weight stands.

        Returns:
          0 for embeddings, 1 and up for the blocks, and `num_layers` + 1 for
          what follows them. What a tuning adds to a block stands there.
        """
        for name, own in self._named.items():
            if own is variable:
                return self._architecture.depth_of(name)
        added = re.search(r"/block_(\d+)/", variable.name)
        return int(added[1]) + 1 if added else self.num_layers + 1

    def build(self, input_shape: Any) -> None:
        """Makes the weights, which depend on the config alone."""
        # The scope is absolute: the names are the same wherever it is built.
        scope = f"{self.name}/"
        with backbone.construction(self.dtype_policy), tf.name_scope(scope):
            self._backbone = self._architecture.make(scope)
            self._backbone.build_in_name_scope()
            # Keras wraps a dict attribute; these are tracked already.
            self._named = types.MappingProxyType(
                backbone.by_name(self._backbone, scope)
            )
            if self.pooling == "attention":
                self._pooling_query = self.add_weight(
                    "pooling/query", [self.width], initializer="zeros"
                )
            self._dropout = self._make_dropout()
            self._added = added_weights.make_added(
                self.tuning, self._architecture, self._named, self.dtype_policy
            )
        backbone.require_tracked(self._named, self.weights)
        super().build(input_shape)

    def _make_dropout(self) -> Dropout | None:
        if self.tuning == "frozen":
            return None
        usual = self._architecture.dropout_rate
        rate = usual if self.dropout is None else self.dropout
        layer = Dropout(rate, name="dropout", dtype=self.dtype_policy)
        return built(layer, None)

    def merge(self) -> "AdEncoder":
        """A frozen encoder of plain weights, with equal outputs.

        LoRA's products are added to the matrices.

        Raises:
          InputError: where the tuning is an adapter or a prefix, which are no
            part of plain weights.
        """
        added_weights.check_merges(self.tuning)
        self._require_built()
        plain = type(self).from_config(
            {**self.get_config(), "tuning": "frozen", "dropout": None}
        )
        plain.build(None)
        for name, variable in self._named.items():
            plain._named[name].assign(variable)
        added_weights.add_products(
            plain._named, self._architecture, self.tuning, self._added
        )
        if self.pooling == "attention":
            plain._pooling_query.assign(self._pooling_query)
        return plain

    def save_adapter(self, path: str | os.PathLike[str]) -> None:
        """Writes what the tuning added, a small safetensors file.

        It holds no weight of the backbone, but a hash of them all. The query of
        the pooling `attention` is in it.

        Args:
          path: of the file.

        Raises:
          InputError: where the tuning adds no weights.
        """
        adapter_file.save(path, *self._adapter())

    def load_adapter(self, path: str | os.PathLike[str]) -> None:
        """Reads what `save_adapter` wrote, into an encoder of the same base.

        Args:
          path: of the file.

        Raises:
          InputError: where it is no such file, or was made for other weights,
            another tuning or another pooling.
        """
        adapter_file.load(path, *self._adapter())

    def _adapter(self) -> tuple[dict[str, tf.Variable], dict[str, str]]:
        """The weights of an adapter's file, and what they are for."""
        self._require_built()
        own = added_weights.saved_alone(self.tuning, self._added)
        if self.pooling == "attention":
            own.append(self._pooling_query)
        facts = {
            "base_sha256": backbone.sha256_of(self._named),
            "tuning": json.dumps(tuning_config(self.tuning)),
            "pooling": self.pooling,
        }
        return adapter_file.by_name(own, f"{self.name}/"), facts

    def call(
        self, inputs: Mapping[str, tf.Tensor], training: bool | None = None
    ) -> tf.Tensor:
        """Ad vectors [..., D]; see the class."""
        leading = tf.shape(inputs["token_ids"])[:-1]
        _, mask = read_tokens(inputs, self.max_tokens)
        pooled = self.upper(self.lower(inputs), mask, training)
        return tf.reshape(pooled, tf.concat([leading, [self.width]], 0))

    def token_vectors(
        self, inputs: Mapping[str, tf.Tensor], training: bool | None = None
    ) -> tf.Tensor:
        """The vectors before pooling, float [..., L, D].

        Those of padding are zeros. The inputs are those of a call.
        """
        shape = tf.shape(inputs["token_ids"])
        _, mask = read_tokens(inputs, self.max_tokens)
        vectors = self._forward(training).upper(self.lower(inputs), mask)
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
        token_ids, mask = read_tokens(inputs, self.max_tokens)
        return self._forward(training=False).lower(token_ids, mask)

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
        vectors = self._forward(training).upper(hidden, token_mask)
        query = self._pooling_query if self.pooling == "attention" else None
        return pool(vectors, token_mask, self.pooling, query)

    @tf.autograph.experimental.do_not_convert
    def read_together(
        self,
        hidden: tf.Tensor,
        token_mask: tf.Tensor,
        sees: tf.Tensor,
        training: bool | None = None,
    ) -> tf.Tensor:
        """Token vectors of several texts that stand side by side.

        Args:
          hidden: float [N, L, D], what `lower` gave of the tokens of each.
          token_mask: bool [N, L], True = real.
          sees: bool [N or 1, L, L], which tokens (last axis) each one reads.
          training: whether dropout acts.

        Returns:
          [N, L, D] of the compute dtype; those of padding mean nothing.
        """
        token_mask = tf.convert_to_tensor(token_mask)
        return self._forward(training).upper(hidden, token_mask, sees)

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
            "kept_layers": self.kept_layers,
        }

    @property
    def _frozen_names(self) -> set[str]:
        """The names of the backbone's variables that are not trained."""
        if not self.built:
            return set()
        return frozen_part.frozen_names(
            self.tuning, self._architecture, self._named
        )

    def _require_built(self) -> None:
        if not self.built:
            with tf.init_scope():
                self.build(None)

    def _forward(self, training: bool | None) -> ForwardPass:
        return ForwardPass(
            architecture=self._architecture,
            weights=self._named,
            tuning=self.tuning,
            added=self._added,
            dropout=self._dropout,
            dtype=self.compute_dtype,
            training=training,
        )
