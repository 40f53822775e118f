"""Catalogue rows to ad vectors."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfadrec.core.door import keras, register, tf
from tfadrec.core.errors import InputError
from tfadrec.core.ranges import Amount, Count, Extra, Rate, Steps
from tfadrec.layers.building import built, config_of, plain, table
from tfadrec.layers.features import FeatureFields, Traits
from tfadrec.layers.features.feature_fields import projection
from tfadrec.layers.features.kinds import columns_of
from tfadrec.layers.id_embedding import IdEmbedding
from tfadrec.layers.place import require_layers
from tfadrec.layers.text_matching import TextSpace
from tfadrec.ops import lookup, watched
from tfadrec.towers.ad_copy import AdCopy, check_tokens
from tfadrec.towers.places import TEXT_ENCODER

_ALL = ("vector", "fields", "bias")
_NUMBERS = "numbers"
_TEXT = "text"
#: Of how many texts that an encoder reads the mean is taken.
_SAMPLED = 2048


@register
class AdTower(keras.layers.Layer):
    """Makes one vector of everything known of an ad: rows [...] to [..., D].

    An ad's id and its features, among them the encoded ad copy, become fields
    of width D (see `FeatureFields`), and the ad vector is their sum. Ids are
    dropped for a share of the rows in training, so that an ad without a history
    lives on its other fields.

    The columns are tables beside the model, gathered on the device: weights
    that are not trained. Each distinct row of a call is worked out once.

    Ad copy that is read by a frozen language model is a vector column like any
    other. One that is trained is given as `text`: each distinct ad of a call is
    then encoded once, from the catalogue's tokens, texts of like length
    together, and its vector, at unit length, is a field as well.

    Mask: none; padding is whatever row 0, the unknown ad, gives. Precision:
    the compute dtype; ids and biases are read, penalised and dropped in
    float32.

    Args:
      catalogue: a `tfadrec.data.Catalogue`, or the dict that its `spec` method
        gives, in which case the tables are zeros until weights are loaded.
      width: D, >= 1.
      use_id: whether ads have an embedding and a bias of their own.
      id_dropout: `dropout` of `IdEmbedding`.
      id_l2: `l2` of `IdEmbedding`.
      feature_dropout: `dropout` of `FeatureFields`.
      category: the feature that says what kind an ad is of, of kind category,
        or None; behaviour encoders may compare an event's kind with the
        candidate's.
      passed: names of columns that are given along with the vectors, for what
        is worked out of an ad's features and those of others.
      text: a layer of `tfadrec.layers.text` that reads the catalogue's tokens,
        or None.
      text_rank: `rank` of a `TextSpace`, which makes of the ad copy's vector
        what texts are matched by; None for a tower that is not asked for it.
        Its mean is the catalogue's, or that of a sample of 2,048 texts where
        `text` reads them, as the encoder is at the start.
      num_factors: K >= 0, the factors of an ad that a `FoldIn` reads beside a
        level; 0 for none. They are zeros until they are assigned, and are not
        trained.
      num_slopes: S >= 0, of ads by their rows; see `IdEmbedding`.
      num_traits: D >= 0, the numbers that `Traits` makes of an ad; 0 for none.
      traits_of: names of the features that it makes them of, numbers or what
        has codes.
      text_traits: as many main directions of the ad copy, which stand beside
        them. They are zeros until they are assigned, and are not trained.
      factor_traits: K >= 0, factors of an ad by its row, which stand beside
        these. They are zeros until they are assigned, and are not trained.
      max_distinct: for how many distinct texts XLA, whose shapes are fixed,
        makes room in a step; None for as many as there could be. A step with
        more encodes them all, with the same result and more slowly. Elsewhere
        it has no effect.

    Call args:
      rows: int32 [...], 0 = unknown ad.
      training: whether to drop ids, and the mode of `text`.

    Returns:
      Dict of `vector`, float [..., D], `fields`, float [..., N, D], `bias`,
      float32 [...]; by their names the columns `passed` and that of `category`;
      what a `TextSpace` gives; and where there are some `factors`, float32
      [..., K + 1], a level and the factors, `ad_slopes`, float32 [..., S], and
      `ad_traits`, float32 [..., D + text_traits + factor_traits].

    Raises:
      ValueError: where the width or `max_distinct` is below 1, an ad has no
        field at all, the category is none of the features, a column to be
        passed is none of theirs, or `text` is no encoder of texts, has no
        tokens to read, cannot read them, or reads what a feature `text` has
        already; or there is a `text_rank` and no ad copy, traits of nothing,
        or slopes without ids.

    Example:
      >>> text = {"name": "text", "kind": "vector", "width": 8}
      >>> spec = {"num_ads": 9, "features": [text]}
      >>> AdTower(spec, width=16)(tf.constant([[1, 2]]))["vector"].shape
      TensorShape([1, 2, 16])
    """

    def __init__(
        self,
        catalogue,
        width: Count = 32,
        *,
        use_id: bool = True,
        id_dropout: Rate = 0.1,
        id_l2: Amount = 0.0,
        feature_dropout: Rate = 0.02,
        category: str | None = None,
        passed: Sequence[str] = (),
        text: keras.layers.Layer | None = None,
        text_rank: Extra | None = None,
        num_factors: Extra = 0,
        num_slopes: Extra = 0,
        num_traits: Extra = 0,
        traits_of: Sequence[str] = (),
        text_traits: Extra = 0,
        factor_traits: Extra = 0,
        max_distinct: Steps | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if text is not None:
            require_layers(text=(text, TEXT_ENCODER))
        given = isinstance(catalogue, Mapping)
        spec = catalogue if given else catalogue.spec()
        self._tables_at_start = {} if given else catalogue.tables()
        self._num_ads = spec["num_ads"]
        self._features = sorted(
            (dict(feature) for feature in spec["features"]),
            key=lambda feature: feature["name"],
        )
        self._tokens = spec.get("tokens") and dict(spec["tokens"])
        if width < 1:
            raise ValueError(f"`width` must be >= 1. Received: width={width}.")
        if not (use_id or self._features or text):
            raise ValueError(
                "an ad needs at least one field. Received: use_id=False and a "
                "catalogue without features."
            )
        names = [feature["name"] for feature in self._features]
        if text is not None and (not self._tokens or _TEXT in names):
            raise ValueError(
                "`text` reads the tokens of the catalogue, in place of a "
                "feature `text`. Received: a catalogue "
                f"{'without tokens' if not self._tokens else 'with both'}. "
                "Make it with `data.tokenize`, and not with `data.encode_text`."
            )
        if text is not None:
            check_tokens(self._tokens, self._tables_at_start, text)
        if text_rank is not None and text is None and _TEXT not in names:
            raise ValueError(
                "`text_rank` needs ad copy. Received: text_rank="
                f"{text_rank}, and a catalogue without a vector column `text`. "
                "Make it with `data.encode_text`, or give `text`."
            )
        if max_distinct is not None and max_distinct < 1:
            raise ValueError(
                "`max_distinct` must be >= 1, or None. Received: max_distinct="
                f"{max_distinct}."
            )
        known = [
            feature["name"]
            for feature in self._features
            if feature["kind"] == "category"
        ]
        if category is not None and category not in known:
            raise ValueError(
                "`category` must be a feature of the ads of kind category, one "
                f"of {', '.join(known) or 'none'}. Received: "
                f"category={category!r}."
            )
        columns = self._column_specs()
        if not set(passed) <= set(columns):
            raise ValueError(
                "`passed` must be columns of the catalogue, of "
                f"{', '.join(columns) or 'none'}. Received: "
                f"{', '.join(passed)}."
            )
        self.width = width
        self.use_id = use_id
        self.id_dropout = id_dropout
        self.id_l2 = id_l2
        self.feature_dropout = feature_dropout
        self.category = category
        self.passed = tuple(passed)
        self.text = text
        self.text_rank = text_rank
        self.num_factors = num_factors
        self.num_slopes = num_slopes
        self.num_traits = num_traits
        self.traits_of = tuple(traits_of)
        self.text_traits = text_traits
        self.factor_traits = factor_traits
        self.max_distinct = max_distinct
        self.text_space = None
        if text_rank is not None:
            self.text_space = TextSpace(
                text_rank, name="text_space", dtype=self.dtype_policy
            )
        if (text_traits and text_rank is None) or (num_slopes and not use_id):
            raise ValueError(
                "`text_traits` need a `text_rank`, and `num_slopes` ids. "
                f"Received: text_traits={text_traits}, text_rank={text_rank}, "
                f"num_slopes={num_slopes}, use_id={use_id}."
            )
        #: What makes numbers of an ad's features, or None.
        self.traits = None
        if num_traits:
            told = [f for f in self._features if f["name"] in self.traits_of]
            self.traits = Traits(
                told, num_traits, name="traits", dtype=self.dtype_policy
            )
        self.features = None
        if self._features:
            self.features = FeatureFields(
                self._features,
                width,
                dropout=feature_dropout,
                name="features",
                dtype=self.dtype_policy,
            )

    @property
    def num_rows(self) -> int:
        """Rows of the catalogue's tables, the unknown ad's row 0 included."""
        return self._num_ads + 1

    @property
    def num_fields(self) -> int:
        """N, the fields of an ad."""
        of_features = self.features.num_fields if self.features else 0
        return self.use_id + of_features + (self.text is not None)

    @property
    def kind(self) -> tuple[str, ...]:
        """The column that says what kind an ad is of, if there is one."""
        return () if self.category is None else (self.category,)

    @property
    def of_id(self) -> tuple[str, ...]:
        """The columns that are known of an ad by its row alone."""
        own = ("id", "bias") if self.use_id else ()
        of_traits = ("trait_factors",) if self.factor_traits else ()
        return (*own, *self._slope_parts, *self._factor_parts, *of_traits)

    @property
    def _factor_parts(self):
        return ("factors",) if self.num_factors else ()

    @property
    def _slope_parts(self):
        return ("ad_slopes",) if self.num_slopes else ()

    @property
    def all_traits(self) -> int:
        """The width of `ad_traits`, 0 where there are none."""
        return self.num_traits + self.text_traits + self.factor_traits

    @property
    def _trait_parts(self):
        return ("ad_traits",) if self.all_traits else ()

    @property
    def history_parts(self) -> tuple[str, ...]:
        """What a ranker reads of a history's ads."""
        space = self.text_space
        return (
            "vector",
            *self.kind,
            *(space.history_parts if space else ()),
            *self._factor_parts,
        )

    @property
    def candidate_parts(self) -> tuple[str, ...]:
        """What a ranker reads of candidates."""
        columns = dict.fromkeys([*self.kind, *self.passed])
        space = self.text_space
        return (
            *_ALL,
            *columns,
            *(space.candidate_parts if space else ()),
            *self._slope_parts,
            *self._trait_parts,
            *self._factor_parts,
        )

    @property
    def parts(self) -> tuple[str, ...]:
        """All that `call` gives of an ad."""
        return tuple(dict.fromkeys(self.candidate_parts + self.history_parts))

    @property
    def features_read(self) -> list[dict[str, Any]]:
        """What each feature of the catalogue is, as `Feature.spec` gives it."""
        return plain(self._features)

    def start_biases(self, biases: np.ndarray) -> None:
        """Sets the biases of ads, of a tower that has not been trained.

        Args:
          biases: float [rows].
        """
        self._id.start_biases(biases)

    @property
    def slopes(self) -> tf.Variable | None:
        """Those of ads, float32 [rows, S], of a built tower that has some."""
        return self._id.slopes if self.num_slopes else None

    @property
    def penalties(self) -> tf.Variable | None:
        """What holds levels and slopes; None where there are no slopes."""
        return self._id.penalties if self.num_slopes else None

    def pass_on(self, column: str) -> None:
        """Has one column more given along with the vectors.

        Args:
          column: a column of the catalogue.

        Raises:
          ValueError: where there is none.
        """
        known = self._column_specs()
        if column not in known:
            raise ValueError(
                "a column that is passed on must be one of the catalogue, of "
                f"{', '.join(known) or 'none'}. Received: {column}."
            )
        self.passed = tuple(dict.fromkeys([*self.passed, column]))

    def codes(self, name: str, rows):
        """A category of ads, int32 as the rows; None without such a column.

        Args:
          name: of the column.
          rows: int32 [...] of the catalogue.
        """
        table = self._tables.get(name)
        return None if table is None else lookup.rows_of(table, rows)

    def vectors(self, name: str) -> np.ndarray | None:
        """A vector column of the catalogue, float32 [N, D]; None without it."""
        table = self._tables.get(name)
        return None if table is None else table.numpy()[1:]

    def build(self, input_shape=None) -> None:
        self._tables = {
            name: self._column(
                f"{name}_table",
                self._tables_at_start.get(name),
                [self.num_rows, *shape],
                dtype,
            )
            for name, (shape, dtype) in self._column_specs().items()
            if name not in self._numbers()
        }
        numbers = self._numbers()
        if numbers:
            start = None
            if self._tables_at_start:
                start = np.stack(
                    [self._tables_at_start[name] for name in numbers], axis=-1
                )
            # Side by side: one look-up for all of them.
            self._tables[_NUMBERS] = self._column(
                "numbers_table", start, [self.num_rows, len(numbers)], "float32"
            )
        if self.features is not None:
            built(self.features, None)
        if self.text is not None:
            self._copy = self._ad_copy()
            self._text_projection = built(
                projection(self.width, "text_projection", self.dtype_policy),
                [None, self.text.width],
            )
        if self.use_id:
            self._id = built(
                IdEmbedding(
                    self.num_rows,
                    self.width,
                    num_slopes=self.num_slopes,
                    dropout=self.id_dropout,
                    l2=self.id_l2,
                    name="id",
                    dtype="float32",
                ),
                [None],
            )
        if self.num_factors:
            #: float32 [rows, 1 + K]: levels and factors, found before training.
            self.factors = self._column(
                "factors",
                None,
                [self.num_rows, 1 + self.num_factors],
                "float32",
            )
        if self.traits is not None:
            built(self.traits, None)
        if self.text_traits:
            #: float32 [W, text_traits]: directions of the centred ad copy.
            self.text_axes = self._column(
                "text_axes",
                None,
                [self._text_width(), self.text_traits],
                "float32",
            )
        if self.factor_traits:
            #: float32 [rows, K], found before training.
            self.trait_factors = self._column(
                "trait_factors",
                None,
                [self.num_rows, self.factor_traits],
                "float32",
            )
        if self.text_space is not None:
            built(self.text_space, [None, self._text_width()])
            if self._tables_at_start:
                self.text_space.mean.assign(self._text_mean())
        self._tables_at_start = {}
        super().build(input_shape)

    def _text_width(self):
        if self.text is not None:
            return self.text.width
        widths = {f["name"]: f.get("width") for f in self._features}
        return widths[_TEXT]

    def _text_mean(self):
        """The mean of the catalogue's text vectors at unit length."""
        if self.text is None:
            vectors = self._tables_at_start[_TEXT]
        else:
            count = min(self.num_rows - 1, _SAMPLED)
            rows = np.linspace(1, self.num_rows - 1, count).astype(np.int32)
            vectors = self._copy(tf.constant(rows)).numpy()
        lengths = np.linalg.norm(vectors.astype(np.float32), axis=-1)
        units = vectors[lengths > 0] / lengths[lengths > 0, None]
        return units.sum(axis=0) / max(len(units), 1)

    def _column_specs(self):
        """The columns of the catalogue: name -> shape of a value, dtype."""
        columns = {}
        for feature in self._features:
            columns |= columns_of(feature)
        return columns

    def _numbers(self):
        """The columns of single numbers."""
        return [
            name
            for name, (shape, dtype) in self._column_specs().items()
            if dtype == "float32" and not shape
        ]

    def _column(self, name, value, shape, dtype):
        return table(self, name, value, shape, dtype)

    def _ad_copy(self):
        return AdCopy.of(
            self,
            self.text,
            self._tokens,
            self.num_rows,
            self._tables_at_start,
            self.max_distinct,
        )

    def call(self, rows, training=None):
        wanted = {"rows": (rows, self.parts)}
        return self.encode(wanted, training)["rows"]

    def encode(self, wanted, training=None):
        """Encodes several sets of rows, an ad that is in many of them once.

        Args:
          wanted: name -> pair of int32 rows [...], and which of the parts that
            `call` gives are wanted for them.
          training: whether to drop ids.

        Returns:
          Name -> dict as from `call`, with what is wanted.
        """
        flat = [tf.reshape(rows, [-1]) for rows, _ in wanted.values()]
        distinct, places = lookup.distinct(
            tf.concat(flat, axis=0), self.num_rows
        )
        encoded = self._encode(distinct, training)
        parts = tf.split(places, [tf.size(rows) for rows in flat])
        return {
            name: {
                key: lookup.gather_rows(
                    encoded[key], tf.reshape(part, tf.shape(rows))
                )
                for key in keys
            }
            for part, (name, (rows, keys)) in zip(
                parts, wanted.items(), strict=True
            )
        }

    def columns(self, rows, training=None):
        """What the tables and the id's embedding have of ads.

        Args:
          rows: int32 [...].
          training: whether to drop ids, and the mode of `text`.

        Returns:
          Dict of the features' columns [...] by name, and where there is a
          `text` of what it makes of the tokens as `text`; and where ids are
          used `id`, float32 [..., D], and `bias`, float32 [...]; and
          `ad_slopes` and `factors`, as from `call`, and `trait_factors`,
          float32 [..., K].
        """
        columns = {
            key: lookup.rows_of(table, rows)
            for key, table in self._tables.items()
        }
        if _NUMBERS in columns:
            numbers = tf.unstack(columns.pop(_NUMBERS), axis=-1)
            columns |= dict(zip(self._numbers(), numbers, strict=True))
        if self.use_id:
            known = self._id(rows, training=training)
            columns |= {"id": known["vector"], "bias": known["bias"]}
            if self.num_slopes:
                columns["ad_slopes"] = known["slopes"]
        if self.num_factors:
            columns["factors"] = lookup.rows_of(self.factors, rows)
        if self.factor_traits:
            columns["trait_factors"] = lookup.rows_of(self.trait_factors, rows)
        if self.text is not None:
            vectors = self._copy(tf.reshape(rows, [-1]), training)
            shape = tf.concat([tf.shape(rows), [self.text.width]], 0)
            vectors = tf.reshape(vectors, shape)
            columns[_TEXT] = tf.cast(vectors, tf.float32)
        return columns

    def encode_columns(self, columns, training=None):
        """Encodes ads by what is known of them, also ads without a row.

        Args:
          columns: as from `columns`. An ad that the catalogue does not have
            takes those that `of_id` names from row 0.
          training: whether to drop values of features.

        Returns:
          Dict as from `call`.
        """
        fields = []
        if self.use_id:
            own = watched.entering(self.name, ("id",), columns["id"])
            own = tf.cast(own, self.compute_dtype)
            fields.append(own[..., None, :])
        if self.features is not None:
            fields.append(self.features(columns, training=training))
        if self.text is not None:
            vectors = tf.math.l2_normalize(columns[_TEXT], axis=-1)
            vectors = watched.entering(self.name, (_TEXT,), vectors)
            vectors = tf.cast(vectors, self.compute_dtype)
            fields.append(self._text_projection(vectors)[..., None, :])
        stacked = tf.concat(fields, axis=-2)
        vector = tf.reduce_sum(stacked, axis=-2)
        bias = (
            watched.entering(self.name, ("bias",), columns["bias"])
            if self.use_id
            else tf.zeros(tf.shape(vector)[:-1])
        )
        encoded = {"vector": vector, "fields": stacked, "bias": bias}
        if self.text_space is not None:
            encoded |= {
                part: watched.entering(self.name, (part,), values)
                for part, values in self.text_space(columns[_TEXT]).items()
            }
        for part in (*self._slope_parts, *self._factor_parts):
            encoded[part] = watched.entering(self.name, (part,), columns[part])
        for part in self._trait_parts:
            encoded[part] = self._told(columns, encoded)
        others = dict.fromkeys([*self.kind, *self.passed])
        return encoded | {name: columns[name] for name in others}

    def _told(self, columns, encoded):
        """The traits, of features, of the copy and by rows, side by side."""
        told = []
        if self.traits is not None:
            told.append(self.traits(columns))
        if self.text_traits:
            of_text = tf.tensordot(encoded["text_unit"], self.text_axes, 1)
            told.append(watched.entering(self.name, ("text_traits",), of_text))
        if self.factor_traits:
            name, factors = ("trait_factors",), columns["trait_factors"]
            told.append(watched.entering(self.name, name, factors))
        return tf.concat(told, axis=-1)

    def _encode(self, rows, training):
        return self.encode_columns(self.columns(rows, training), training)

    def read_lower_layers(self, path: str | os.PathLike[str]) -> None:
        """Has `text` start from its frozen layers' outputs, read from a file.

        A step then runs only the layers above, with the same result. The file
        is mapped into memory, and is no part of the model: a saved model, and
        one that XLA compiles, runs all layers. Call it before the model's first
        step, and again where the frozen weights are replaced.

        Args:
          path: what `data.lower_layers` gave for the catalogue's tokens and
            `text`.

        Raises:
          InputError: where the file is of another size, or the tower is not
            built or has no `text`.
        """
        if self.text is None or not self.built:
            raise InputError(
                "the lower layers are those of a built tower's `text`. "
                f"Received: built={self.built}, text={self.text!r}. Call it "
                "once the tower is built, or leave it out."
            )
        self._copy.read_lower_layers(path)

    def get_config(self):
        return {
            **super().get_config(),
            "catalogue": {
                "num_ads": self._num_ads,
                "features": plain(self._features),
                "tokens": self._tokens and dict(self._tokens),
            },
            "width": self.width,
            "use_id": self.use_id,
            "id_dropout": self.id_dropout,
            "id_l2": self.id_l2,
            "feature_dropout": self.feature_dropout,
            "category": self.category,
            "passed": list(self.passed),
            "text": config_of(self.text),
            "text_rank": self.text_rank,
            "num_factors": self.num_factors,
            "num_slopes": self.num_slopes,
            "num_traits": self.num_traits,
            "traits_of": list(self.traits_of),
            "text_traits": self.text_traits,
            "factor_traits": self.factor_traits,
            "max_distinct": self.max_distinct,
        }

    @classmethod
    def from_config(cls, config):
        text = config.get("text")
        if text is not None:
            text = keras.saving.deserialize_keras_object(text)
        return cls(**{**config, "text": text})
