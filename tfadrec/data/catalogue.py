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
from tfadrec.core.feature import Feature
from tfadrec.core.nearest import nearest
from tfadrec.core.schema import NO_AD, Schema
from tfadrec.data.columns import rows_of
from tfadrec.data.features import KINDS, encode, missing_like, with_columns
from tfadrec.data.files import open_filesystem
from tfadrec.data.sources.expiry_times import expiry_times
from tfadrec.data.tokens import Tokens


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """All ads, column by column.

    Inside a model an ad is its row: ad `ad_ids[i]` is row `i + 1`, and row 0 is
    the unknown ad, which has no text and no known value. The arrays here hold
    the N real ads; `tables` adds row 0.

    Args:
      ad_ids: [N] distinct ids, strings (object) or int64.
      titles: [N] texts, may be "".
      descriptions: [N] texts, may be "".
      tags: [N] lists of texts, may be empty.
      features: of ads, those of the schema and what was added to them.
      columns: the features' arrays [N, ...] by their tensors' names, as
        `tfadrec.data.features` encodes them.
      expires: int64 [N], seconds since 1970 from which on an ad is not to be
        found; None where nothing is said of that.
      tokens: the ad copy as token ids, where it has been tokenised.
      text: the settings of the model that has read the ad copy, as the section
        `text` of a run has them; None where they are not known.
    """

    ad_ids: np.ndarray
    titles: Sequence[str]
    descriptions: Sequence[str]
    tags: Sequence[Sequence[str]]
    features: tuple[Feature, ...] = ()
    columns: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    expires: np.ndarray | None = None
    tokens: Tokens | None = None
    text: Mapping[str, Any] | None = None

    @classmethod
    def from_table(
        cls, ads: pa.Table, features: Sequence[Feature], file: str | None = None
    ) -> "Catalogue":
        """Reads ads.parquet's table, or one of the same columns.

        Args:
          ads: the table of the data contract.
          features: the schema's ad features.
          file: what to call it in messages, where it is not the dataset's.

        Raises:
          InputError: where a column of the schema is missing, ids repeat, or
            one is null or that of no ad, "" or -1.
        """
        mend = "Write the dataset again with `tfadrec prepare`."
        if file is not None:
            mend = "Mend the file."
        needed = ["ad_id", "title", "description", "tags"]
        needed += [f.column for f in with_columns(features)]
        missing = [name for name in needed if name not in ads.column_names]
        if missing:
            raise InputError(
                f"{file or 'ads.parquet'} must have every column of the "
                f"schema. Received: no {', '.join(missing)}. {mend}"
                f"{nearest(missing, ads.column_names)}"
            )
        is_text = not pa.types.is_integer(ads["ad_id"].type)
        nobody = NO_AD["string" if is_text else "int64"]
        is_nobody = pc.fill_null(pc.equal(ads["ad_id"], nobody), True)
        nameless = pc.sum(is_nobody).as_py()
        if nameless:
            raise InputError(
                f"every ad must have an id, and {nobody!r} stands for no ad. "
                f"Received: {nameless} without one in {file or 'ads.parquet'}. "
                f"{mend}"
            )
        ad_ids = ads["ad_id"].to_numpy()
        distinct = pc.count_distinct(ads["ad_id"]).as_py()
        if distinct != len(ad_ids):
            raise InputError(
                f"ad ids in {file or 'ads.parquet'} must be distinct. "
                f"Received: {len(ad_ids) - distinct} repeated. {mend}"
            )
        return cls(
            ad_ids=ad_ids,
            titles=ads["title"].to_pylist(),
            descriptions=ads["description"].to_pylist(),
            tags=[
                list(filter(None, tags or ()))
                for tags in ads["tags"].to_pylist()
            ],
            features=tuple(features),
            columns=encode(ads, features),
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
            "features": [feature.spec() for feature in self.features],
            "tokens": tokens
            and {
                "count": len(tokens.ids),
                "longest": int(tokens.lengths.max(initial=0)),
            },
        }

    def tables(self) -> dict[str, np.ndarray]:
        """The columns that a model gathers from, row 0 included.

        Returns:
          Arrays [N + 1, ...] by the names of their tensors; where there are
          tokens, `token_ids` and `token_starts` as in `Tokens`, of N + 1 ads,
          with one id more at the end.
        """
        tokens = {}
        if self.tokens is not None:
            starts = np.concatenate([[0], self.tokens.starts])
            tokens = {
                # One dummy id, so that there is always something to gather.
                "token_ids": np.append(self.tokens.ids, np.int32(0)),
                "token_starts": starts.astype(np.int32),
            }
        unknown = missing_like(dict(self.columns))
        return tokens | {
            name: np.concatenate([unknown[name], column])
            for name, column in self.columns.items()
        }

    def with_vectors(self, name: str, vectors: np.ndarray) -> "Catalogue":
        """The same catalogue with one vector column more (or replaced).

        Args:
          name: the column's name, legal as a tensor's.
          vectors: float32 [N, D].

        Raises:
          InputError: where there is not one vector per ad.
        """
        if vectors.ndim != 2 or len(vectors) != len(self):
            raise InputError(
                f"vectors must have one row per ad, [{len(self)}, D]. "
                f"Received: shape {list(vectors.shape)}."
            )
        added = Feature(
            name,
            "ad",
            "vector",
            tensor=name,
            column=name,
            width=vectors.shape[1],
        )
        return dataclasses.replace(
            self,
            features=(*(f for f in self.features if f.tensor != name), added),
            columns={**self.columns, name: vectors.astype(np.float32)},
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
            columns={k: v[rows] for k, v in self.columns.items()},
            expires=None if self.expires is None else self.expires[rows],
        )

    def ids_only(self) -> "Catalogue":
        """The same ads without any column for a model to read."""
        return dataclasses.replace(self, features=(), columns={}, tokens=None)


def read_catalogue(
    path: str | pathlib.Path, schema: Schema, *, expires: str | None = None
) -> Catalogue:
    """Reads ads that are not in a dataset, from a Parquet file.

    Args:
      path: a file with the columns of ads.parquet, ids and categories raw,
        numerics in their own units; on any filesystem that pyarrow or fsspec
        reads. Texts, tags and values may be null.
      schema: the dataset's.
      expires: the column of times from which on ads are not to be found, see
        `expiry_times`; None where nothing is said of that.

    Raises:
      InputError: where it, or a value, cannot be read, it lacks a column, has a
        null or repeated id or that of no ad, "" or -1, or has numbers for ids
        that are texts.
    """
    table = read_ads(path, schema)
    found = Catalogue.from_table(table, schema.of("ad"), file=str(path))
    if expires is None:
        return found
    times = expiry_times(table, expires, str(path))
    return dataclasses.replace(found, expires=times)


def read_ads(path: str | pathlib.Path, schema: Schema) -> pa.Table:
    """Reads a file of ads as `ads.parquet` has them; see `read_catalogue`."""
    filesystem, file = open_filesystem(path)
    texts = ("title", "description")
    features = {f.column: f for f in with_columns(schema.of("ad"))}
    types = {
        "ad_id": pa.string() if schema.ad_id_type == "string" else pa.int64(),
        **dict.fromkeys(texts, pa.string()),
        "tags": pa.list_(pa.string()),
    }
    try:
        table = pq.read_table(file, filesystem=filesystem)
        _check_ids_are_text(table, schema, path)
        for place, name in enumerate(table.column_names):
            if name in types:
                column = table[name].cast(types[name])
                if name in texts:
                    column = pc.fill_null(column, "")
                table = table.set_column(place, name, column)
            elif name in features:
                column = _readable(table[name], features[name], path)
                table = table.set_column(place, name, column)
    except FileNotFoundError as error:
        raise InputError(
            "a catalogue is a Parquet file with the columns of ads.parquet. "
            f"Received: {path}, which is not there."
        ) from error
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            "a catalogue is a Parquet file with the columns of ads.parquet. "
            f"Received: {' '.join(str(error).split())} in {path}."
        ) from error
    return table


def _check_ids_are_text(
    table: pa.Table, schema: Schema, path: str | pathlib.Path
) -> None:
    """Refuses numbers for ids that are texts: they may have lost zeros."""
    if "ad_id" not in table.column_names or schema.ad_id_type != "string":
        return
    given = table.schema.field("ad_id").type
    if pa.types.is_integer(given) or pa.types.is_floating(given):
        raise InputError(
            "ids are texts in this dataset, and so are those of its new ads: "
            f"a number has no leading zeros. Received: ad_id of type {given} "
            f"in {path}. Write that column as text."
        )


def _readable(
    column: pa.ChunkedArray, feature: Feature, path: str | pathlib.Path
) -> pa.Array:
    """A raw column as the dataset holds it, each of its values read."""
    settings = {"weighted": feature.weighted}
    values, broken = KINDS[feature.kind].parse(column, " ", settings)
    if broken.any():
        raise InputError(
            f"every value of a {feature.kind} must be readable. Received: "
            f"{int(broken.sum())} in {feature.column!r} of {path} that are "
            "not. Mend them, or leave them empty."
        )
    return values
