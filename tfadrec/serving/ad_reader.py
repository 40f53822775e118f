"""Ads that the catalogue does not have, as they are given: raw columns."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.schema import TEXT_COLUMNS
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.copy.graph_tokenizer import GraphTokenizer, ad_text_in_graph
from tfadrec.data.copy.text_vectors import TextEncoder
from tfadrec.data.copy.tokenizer import Tokenizer, ad_text
from tfadrec.data.dataset import Dataset
from tfadrec.data.features import decode, with_columns
from tfadrec.models.ranker_ensemble import Ranker
from tfadrec.serving.catalogue_tables import copy_vectors
from tfadrec.serving.readers import readers_of
from tfadrec.serving.traced_once import traced_once
from tfadrec.serving.untracked import Untracked
from tfadrec.towers import AdTower, TowerEnsemble

_LOG = logging.getLogger(__name__)
_TEXT = "text"
#: Before the names of a new ad's columns, where a request has other inputs too.
NEW = "new_"
TOKEN_COLUMNS = ("token_ids", "token_length")
#: Ads of the catalogue that tell whether two readers make the same of copy, and
#: how far vectors may be apart.
_COMPARED, _NEAR = 256, 1e-5


class AdReader(tf.Module):
    """Raw columns of ads to what the ad tower makes of them.

    The id is always the unknown one. The columns are those of the features that
    the tower reads, as `serving.readers` reads them. Ad copy is given as text,
    `title`, `description` and `tags` (joined by ", "), or as `token_ids`
    [..., L] and `token_length`, how many of the L are real; an encoder makes
    its vector in the same call. Equal texts are encoded once.

    Args:
      ranker: a built ranker.
      features: the schema's ad features.
      tokenizer: the encoder's, or None. Where it cannot be rebuilt in the graph
        (see `GraphTokenizer`), a warning says so and texts are not read.
      encoder: makes the tower's vector column `text`. Where the tower has an
        encoder of its own, that is the one, and the tokenizer is enough.
        Without either the column is given as a vector.

    Raises:
      InputError: where encoder and tokenizer do not come together, or do not
        fit each other or the column, or a feature is not among those given.
    """

    def __init__(
        self,
        ranker: Ranker,
        features: Sequence[Feature],
        tokenizer: Tokenizer | None = None,
        encoder: TextEncoder | None = None,
    ) -> None:
        super().__init__()
        tower = ranker.ad_tower
        self._tower = Untracked(tower)
        read = features_of(tower, features)
        width = {f.tensor: f.width for f in read}.get(_TEXT)
        if tower.text is not None and tokenizer is not None:
            encoder = tower.text
        if (encoder is None) != (tokenizer is None):
            raise InputError(
                "an encoder and its tokenizer come together. Received: "
                f"encoder={encoder!r}, tokenizer={tokenizer!r}."
            )
        if encoder is not None and encoder.width != width:
            raise InputError(
                "the encoder must make the vector column `text` that the ad "
                f"tower reads. Received: {encoder.width} floats for a column "
                f"of {width}. Give the encoder that the ranker was trained "
                "with."
            )
        self._encoder = None if encoder is None else Untracked(encoder)
        self._tokenizer = Untracked(tokenizer)
        self._tokens = None
        if encoder is not None and tokenizer is not None:
            tokenizer.check_fits(encoder.vocabulary_size, encoder.max_tokens)
            try:
                self._tokens = GraphTokenizer(tokenizer)
            except InputError as error:
                _LOG.warning("The bundle reads no texts: %s", error)
        self._features = Untracked(
            [f for f in read if encoder is None or f.tensor != _TEXT]
        )
        self._readers = readers_of(self._features.value)
        unknown = tower.columns(tf.constant([0]))
        self._unknown = Untracked(
            {
                name: values[0].numpy()
                for name, values in unknown.items()
                if name in tower.of_id
            }
        )

    @property
    def encoder(self) -> TextEncoder | None:
        """What reads the copy of new ads, if anything does."""
        return None if self._encoder is None else self._encoder.value

    @property
    def columns(self) -> frozenset[str]:
        """The columns that `read` gives, where they are not several of one."""
        names = {f.tensor for f in with_columns(self._features.value)}
        return frozenset(names if self._encoder is None else {*names, _TEXT})

    def with_copy(self, dataset: Dataset) -> Dataset:
        """A dataset whose catalogue has the vectors `text` that the tower has.

        Args:
          dataset: of the tower's ads. It is given back as it is where it has
            them, or the tower reads no copy.
        """
        catalogue = dataset.catalogue
        if _TEXT in catalogue.columns or _TEXT not in self.columns:
            return dataset
        vectors = copy_vectors(self._tower.value)[1:]
        return dataset.with_catalogue(catalogue.with_vectors(_TEXT, vectors))

    def agrees(self, other: "AdReader") -> bool:
        """Whether another reader's `read` gives what this tower reads of copy.

        It does where both know the same vectors of ads of the catalogue.
        """
        if _TEXT not in self.columns:
            return True
        if _TEXT not in other.columns:
            return False
        total = self._tower.value.num_rows - 1
        count = min(total, _COMPARED)
        rows = np.linspace(1, total, count).astype(np.int32)
        ours, theirs = (
            reader._tower.value.columns(tf.constant(rows))[_TEXT].numpy()
            for reader in (self, other)
        )
        return ours.shape == theirs.shape and np.allclose(
            ours, theirs, rtol=0, atol=_NEAR
        )

    @property
    def reads_text(self) -> bool:
        """Whether titles, descriptions and tags can be given."""
        return self._tokens is not None

    def specs(
        self, axes: int, *, as_tokens: bool = False, prefix: str = ""
    ) -> dict[str, tf.TensorSpec]:
        """The columns of an ad, as inputs of a signature.

        Args:
          axes: how many leading axes there are.
          as_tokens: whether ad copy is given as token ids.
          prefix: of the names.
        """
        leading = [None] * axes
        specs = {
            name: spec
            for reader in self._readers
            for name, spec in reader.specs(leading, prefix).items()
        }
        copy: dict[str, tuple[list[int | None], tf.DType]] = {}
        if self._encoder is not None and as_tokens:
            ids, length = TOKEN_COLUMNS
            copy = {ids: ([None], tf.int32), length: ([], tf.int32)}
        elif self._encoder is not None:
            copy = {name: ([], tf.string) for name in TEXT_COLUMNS}
        return specs | {
            prefix + name: tf.TensorSpec(leading + shape, dtype, prefix + name)
            for name, (shape, dtype) in copy.items()
        }

    def raw(
        self, catalogue: Catalogue, rows: np.ndarray, *, as_tokens: bool = False
    ) -> dict[str, np.ndarray]:
        """Ads of the catalogue as they would be given.

        Args:
          catalogue: that of the dataset; its copy is read.
          rows: int [n], >= 1; the tower's tables have the other columns.
          as_tokens: see `specs`.

        Returns:
          The columns of `specs`, leading axis [n].
        """
        columns = {
            name: values.numpy()
            for name, values in self._tower.value.columns(
                tf.constant(rows)
            ).items()
        }
        ads = decode(columns, self._features.value)
        if self._encoder is None:
            return ads
        places = np.asarray(rows) - 1
        titles = np.array(catalogue.titles, object)[places]
        descriptions = np.array(catalogue.descriptions, object)[places]
        tags = [catalogue.tags[place] for place in places]
        if not as_tokens:
            known = [", ".join(filter(str.strip, ad)) for ad in tags]
            copy = (titles, descriptions, np.array(known, object))
            return ads | dict(zip(TEXT_COLUMNS, copy, strict=True))
        texts = [
            ad_text(*ad) for ad in zip(titles, descriptions, tags, strict=True)
        ]
        tokens = self._tokenizer.value(texts)
        has_text = np.array([text != "" for text in texts])
        length = tokens["token_mask"].sum(axis=1) * has_text
        given = (tokens["token_ids"], length.astype(np.int32))
        return ads | dict(zip(TOKEN_COLUMNS, given, strict=True))

    def __call__(self, ads: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Encodes ads.

        Args:
          ads: the columns of `specs`, leading axes [...].

        Returns:
          As from `AdTower`, leading axes [...].
        """
        return self.encode(self.read(ads), self._leading(ads))

    def read(self, ads: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """What the tower reads of ads, but for what it knows of an id.

        Args:
          ads: the columns of `specs`, leading axes [...].

        Returns:
          The features' columns, and the vector `text` where there is an
          encoder, leading axes [...].
        """
        columns = {
            name: values
            for reader in self._readers
            for name, values in reader.read(ads).items()
        }
        if self._encoder is not None:
            ids, length = TOKEN_COLUMNS
            columns[_TEXT] = (
                self._encode_tokens(ads[ids], ads[length])
                if ids in ads
                else self._encode_texts(*(ads[name] for name in TEXT_COLUMNS))
            )
        return columns

    def encode(
        self, columns: Mapping[str, tf.Tensor], shape: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Encodes ads of which the tower's columns are known.

        Args:
          columns: as from `read`, leading axes [...], and any others.
          shape: the leading axes, int32.

        Returns:
          As from `AdTower`, leading axes [...].
        """
        columns = dict(columns)
        for name, value in self._unknown.value.items():
            own = np.array(value.shape, np.int32)
            columns[name] = tf.broadcast_to(value, tf.concat([shape, own], 0))
        return self._tower.value.encode_columns(columns)

    def _leading(self, ads):
        specs = self.specs(0, as_tokens=TOKEN_COLUMNS[0] in ads)
        name, spec = next(iter(specs.items()))
        return tf.shape(ads[name])[: ads[name].shape.rank - spec.shape.rank]

    def _encode_texts(self, *parts):
        """The vectors of ad copy, [..., D]; zeros where there is none."""
        texts = ad_text_in_graph(*(tf.reshape(part, [-1]) for part in parts))
        # The empty text is always there, so the encoder never gets none at all.
        distinct, places = tf.unique(tf.concat([[""], texts], 0))
        vectors = self._vectors_of(distinct)
        return _shaped(tf.gather(vectors, places[1:]), tf.shape(parts[0]))

    @traced_once
    def _vectors_of(self, texts):
        vectors = self._encode(self._tokens(texts))
        return tf.where((texts == "")[:, None], 0.0, vectors)

    def _encode_tokens(self, ids, length):
        encoder = self._encoder.value
        # What no ad reaches was filled up.
        length = tf.clip_by_value(length, 0, tf.shape(ids)[-1])
        size = tf.reduce_max(tf.concat([[0], tf.reshape(length, [-1])], 0))
        flat = tf.reshape(ids[..., :size], [tf.size(length), size])
        mask = tf.sequence_mask(tf.reshape(length, [-1]), size)
        flat = tf.where(mask, flat, 0)
        in_range = (flat >= 0) & (flat < encoder.vocabulary_size)
        with tf.control_dependencies(
            [
                tf.debugging.Assert(
                    tf.reduce_all(in_range),
                    [f"token ids must be in [0, {encoder.vocabulary_size})"],
                ),
                tf.debugging.Assert(
                    size <= encoder.max_tokens,
                    [f"an ad must have at most {encoder.max_tokens} tokens"],
                ),
            ]
        ):
            # One empty ad more, so the encoder never gets none at all.
            pad = [[1, 0], [0, tf.cast(size == 0, tf.int32)]]
            inputs = {
                "token_ids": tf.pad(flat, pad),
                "token_mask": tf.pad(mask, pad),
            }
        return _shaped(self._encode(inputs)[1:], tf.shape(length))

    @traced_once
    def _encode(self, inputs):
        return tf.cast(self._encoder.value(inputs), tf.float32)


def features_of(
    tower: AdTower | TowerEnsemble, known: Sequence[Feature]
) -> list[Feature]:
    """The features that an ad tower reads, with what its encoder makes.

    Args:
      tower: any.
      known: the schema's; what it does not have are vectors that were added to
        the catalogue.

    Raises:
      InputError: where the schema lacks a feature of another kind.
    """
    names = {feature.tensor: feature for feature in known}
    specs = tower.features_read
    lost = [
        spec["name"]
        for spec in specs
        if spec["kind"] != "vector" and spec["name"] not in names
    ]
    if lost:
        raise InputError(
            "a ranker is served with the schema that it was trained with. "
            f"Received: no feature {', '.join(lost)} of ads. Give the dataset "
            "of the run."
        )
    read = [
        names.get(spec["name"]) or _vector(spec["name"], spec["width"])
        for spec in specs
    ]
    if tower.text is not None:
        read.append(_vector(_TEXT, tower.text.width))
    return read


def _vector(name, width):
    return Feature(name, "ad", "vector", name, name, width=width)


def _shaped(vectors, leading):
    """[n, D] to [..., D]."""
    return tf.reshape(vectors, tf.concat([leading, [vectors.shape[-1]]], 0))
