"""The catalogue: every ad that can be shown, and the columns a model reads."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Feature, Schema
from tfadrec.data.files import open_filesystem
from tfadrec.data.tokens import Tokens


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """All ads, column by column.

    Inside a model an ad is its row: ad `ad_ids[i]` is row `i + 1`, and row 0 is
    the unknown ad, which has no text, no categories and average numerics. The
    arrays here hold the N real ads; `tables` adds row 0.

    Args:
      ad_ids: [N] distinct ids, strings (object) or int64.
      titles: [N] texts, may be "".
      descriptions: [N] texts, may be "".
      tags: [N] lists of texts, may be empty.
      categoricals: name -> int32 [N], codes into the feature's vocabulary, 0
        where missing or unknown.
      numerics: name -> float32 [N], standardised, 0 where missing.
      vectors: name -> float32 [N, D].
      category_sizes: name -> number of codes, the unknown code included.
      tokens: the ad copy as token ids, where it has been tokenised.
    """

    ad_ids: np.ndarray
    titles: Sequence[str]
    descriptions: Sequence[str]
    tags: Sequence[Sequence[str]]
    categoricals: Mapping[str, np.ndarray]
    numerics: Mapping[str, np.ndarray]
    vectors: Mapping[str, np.ndarray]
    category_sizes: Mapping[str, int]
    tokens: Tokens | None = None

    @classmethod
    def from_table(
        cls, ads: pa.Table, features: Sequence[Feature]
    ) -> "Catalogue":
        """Reads ads.parquet's table.

        Args:
          ads: the table of the data contract.
          features: the schema's ad features.

        Raises:
          InputError: where a column of the schema is missing or ids repeat.
        """
        needed = ["ad_id", "title", "description", "tags"]
        missing = [
            name
            for name in needed + [f.name for f in features]
            if name not in ads.column_names
        ]
        if missing:
            raise InputError(
                "ads.parquet must have every column of the schema. Received: "
                f"no {', '.join(missing)}. Write the dataset again with "
                "`tfadrec prepare`."
            )
        ad_ids = ads["ad_id"].to_numpy()
        if len(np.unique(ad_ids)) != len(ad_ids):
            raise InputError(
                "ad ids in ads.parquet must be distinct. Received: "
                f"{len(ad_ids) - len(np.unique(ad_ids))} repeated. Write the "
                "dataset again with `tfadrec prepare`."
            )
        columns = {f.name: encode_column(ads[f.name], f) for f in features}
        of_kind = {
            kind: {f.name: columns[f.name] for f in features if f.kind == kind}
            for kind in ("categorical", "numeric", "vector")
        }
        return cls(
            ad_ids=ad_ids,
            titles=ads["title"].to_pylist(),
            descriptions=ads["description"].to_pylist(),
            tags=[
                list(filter(None, tags or ()))
                for tags in ads["tags"].to_pylist()
            ],
            categoricals=of_kind["categorical"],
            numerics=of_kind["numeric"],
            vectors=of_kind["vector"],
            category_sizes={
                f.name: len(f.vocabulary) + 1
                for f in features
                if f.kind == "categorical"
            },
        )

    def __len__(self) -> int:
        """The number of ads, N, without the unknown one."""
        return len(self.ad_ids)

    def rows(self, ad_ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
        """Catalogue rows of ad ids.

        Args:
          ad_ids: [n] ids of the catalogue's type.

        Returns:
          int32 [n], 0 for an id that the catalogue does not have.
        """
        return rows_of(ad_ids, self.ad_ids)

    def spec(self) -> dict[str, Any]:
        """The sizes that a model needs to know, as plain values.

        Of tokens, if there are any, that is how many there are in all and in
        the longest ad.
        """
        tokens = self.tokens
        return {
            "num_ads": len(self),
            "categoricals": dict(self.category_sizes),
            "numerics": list(self.numerics),
            "vectors": {k: v.shape[1] for k, v in self.vectors.items()},
            "tokens": tokens
            and {
                "count": len(tokens.ids),
                "longest": int(tokens.lengths.max(initial=0)),
            },
        }

    def tables(self) -> dict[str, np.ndarray]:
        """The columns that a model gathers from, row 0 included.

        Returns:
          `categorical:<name>` -> int32 [N + 1], `numeric:<name>` -> float32
          [N + 1], `vector:<name>` -> float32 [N + 1, D]; where there are
          tokens, `token:ids` and `token:starts` as in `Tokens`, of N + 1 ads,
          with one id more at the end.
        """
        named = {
            "categorical": self.categoricals,
            "numeric": self.numerics,
            "vector": self.vectors,
        }
        tokens = {}
        if self.tokens is not None:
            starts = np.concatenate([[0], self.tokens.starts])
            tokens = {
                # One dummy id, so that there is always something to gather.
                "token:ids": np.append(self.tokens.ids, np.int32(0)),
                "token:starts": starts.astype(np.int32),
            }
        return tokens | {
            f"{kind}:{name}": np.concatenate(
                [
                    np.zeros_like(column[:1], shape=(1, *column.shape[1:])),
                    column,
                ]
            )
            for kind, columns in named.items()
            for name, column in columns.items()
        }

    def with_vectors(self, name: str, vectors: np.ndarray) -> "Catalogue":
        """The same catalogue with one vector column more (or replaced).

        Args:
          name: the column's name.
          vectors: float32 [N, D].

        Raises:
          InputError: where there is not one vector per ad.
        """
        if vectors.ndim != 2 or len(vectors) != len(self):
            raise InputError(
                f"vectors must have one row per ad, [{len(self)}, D]. "
                f"Received: shape {list(vectors.shape)}."
            )
        return dataclasses.replace(
            self, vectors={**self.vectors, name: vectors.astype(np.float32)}
        )

    def take(self, rows: np.ndarray) -> "Catalogue":
        """Some of the ads.

        Args:
          rows: int [n], places in the arrays here, from 0.
        """
        return dataclasses.replace(
            self,
            ad_ids=self.ad_ids[rows],
            titles=[self.titles[row] for row in rows],
            descriptions=[self.descriptions[row] for row in rows],
            tags=[self.tags[row] for row in rows],
            tokens=self.tokens
            and Tokens.from_lists(
                [
                    self.tokens.ids[start:end].tolist()
                    for start, end in zip(
                        self.tokens.starts[rows],
                        self.tokens.starts[rows + 1],
                        strict=True,
                    )
                ]
            ),
            **{
                kind: {k: v[rows] for k, v in getattr(self, kind).items()}
                for kind in ("categoricals", "numerics", "vectors")
            },
        )

    def ids_only(self) -> "Catalogue":
        """The same ads without any column for a model to read."""
        return dataclasses.replace(
            self,
            categoricals={},
            numerics={},
            vectors={},
            category_sizes={},
            tokens=None,
        )


def read_catalogue(path: str | pathlib.Path, schema: Schema) -> Catalogue:
    """Reads ads that are not in a dataset, from a Parquet file.

    Args:
      path: a file with the columns of ads.parquet, ids and categories raw,
        numerics in their own units; on any filesystem that pyarrow or fsspec
        reads. Texts, tags and values may be null.
      schema: the dataset's.

    Raises:
      InputError: where it cannot be read, lacks a column, or has a null or
        repeated id.
    """
    filesystem, file = open_filesystem(path)
    texts = ("title", "description")
    kinds = {"categorical": pa.string(), "numeric": pa.float64()}
    types = {
        "ad_id": pa.string() if schema.ad_id_type == "string" else pa.int64(),
        **dict.fromkeys(texts, pa.string()),
        "tags": pa.list_(pa.string()),
        **{
            f.name: kinds[f.kind] for f in schema.ad_features if f.kind in kinds
        },
    }
    try:
        table = pq.read_table(file, filesystem=filesystem)
        for place, name in enumerate(table.column_names):
            if name in types:
                column = table[name].cast(types[name])
                if name in texts:
                    column = pc.fill_null(column, "")
                table = table.set_column(place, name, column)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            "a catalogue is a Parquet file with the columns of ads.parquet. "
            f"Received: {' '.join(str(error).split())} in {path}."
        ) from error
    if "ad_id" in table.column_names and table["ad_id"].null_count:
        raise InputError(
            "every ad must have an id. Received: "
            f"{table['ad_id'].null_count} without one in {path}."
        )
    try:
        return Catalogue.from_table(table, schema.ad_features)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def rows_of(
    values: pa.Array | pa.ChunkedArray, known: np.ndarray
) -> np.ndarray:
    """1-based places of `values` in `known`, int32 [n], 0 where absent."""
    if len(known) == 0:
        return np.zeros(len(values), np.int32)
    known_values = pa.array(known)
    values = values.cast(known_values.type)
    found = pc.index_in(values, value_set=known_values)
    if isinstance(found, pa.ChunkedArray):
        found = found.combine_chunks()
    places = pc.fill_null(found, -1).to_numpy(zero_copy_only=False)
    return (places + 1).astype(np.int32)


def encode_column(column: pa.ChunkedArray, feature: Feature) -> np.ndarray:
    """One column as the model reads it.

    Args:
      column: [n] raw values.
      feature: how to read them.

    Returns:
      int32 [n] codes (categorical), float32 [n] standardised values with 0 for
      one that is missing or not finite (numeric), or float32 [n, D] (vector).
    """
    if feature.kind == "categorical":
        known = np.array(feature.vocabulary, dtype=object)
        return rows_of(column.cast(pa.string()), known)
    if feature.kind == "numeric":
        values = column.cast(pa.float64()).to_numpy()
        scaled = (values - feature.mean) / feature.std
        return np.where(np.isfinite(scaled), scaled, 0.0).astype(np.float32)
    flat = column.combine_chunks().flatten().to_numpy()
    return flat.reshape(len(column), feature.width).astype(np.float32)
