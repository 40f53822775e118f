"""What every kind of feature can do with the columns of files."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from tfadrec.core.feature import Feature
from tfadrec.data.columns import Column, as_mask

Columns = dict[str, np.ndarray]


def kind_named(kind: str) -> str:
    """A kind with its article: `a number`, `an expression`."""
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


class Kind:
    """One kind of feature: raw columns of files to what a model reads.

    A raw column is read three times. `parse` makes a typed column of it, as the
    dataset's Parquet files hold it. `describe` takes from that what the schema
    keeps: vocabulary, mean, range. `encode` makes the arrays that models read;
    `serving.readers` does the same with the values of a request, so the two
    have to agree.

    A kind that is derived from other features has no column of its own.

    Attributes:
      settings: the names of the settings that `describe` takes, and their
        defaults.
      derived: whether there is no column to parse and to encode.
      counted: whether the column is worked out of the impressions before, so
        that there is none to parse.
      references: which of `of` and `share` features of this kind may have.
      separated: whether one text may hold several entries.
      is_number: whether a text is one number, with a decimal comma or a point.
      unreadable: what is said of values that cannot be read, after their
        number and their column.
      mend: what to do where no value of a column can be read.
    """

    settings: ClassVar[Mapping[str, Any]] = {}
    derived: ClassVar[bool] = False
    counted: ClassVar[bool] = False
    references: ClassVar[tuple[str, ...]] = ()
    separated: ClassVar[bool] = False
    is_number: ClassVar[bool] = False
    unreadable: ClassVar[str] = "cannot be read and count as missing"
    mend: ClassVar[str] = ""

    def has_value(self, column: pa.Array) -> np.ndarray:
        """Where a typed column has something to read, bool [n]."""
        return as_mask(column.is_valid())

    @property
    def is_parsed(self) -> bool:
        """Whether there is a raw column."""
        return not (self.derived or self.counted)

    def parse(
        self,
        column: pa.ChunkedArray,
        separator: str,
        settings: Mapping[str, Any],
    ) -> tuple[pa.Array, np.ndarray]:
        """A raw column as the dataset holds it.

        Args:
          column: [n] as it was read: text, numbers, lists or maps.
          separator: what stands between the entries of a list in text.
          settings: those that were given.

        Returns:
          The typed column [n], null where a value is missing, and bool [n],
          True where there was something that could not be read.

        Raises:
          InputError: where a column of this type cannot be of this kind.
        """
        raise NotImplementedError

    def describe(
        self,
        feature: Feature,
        column: Column | None,
        known: Mapping[str, Feature],
        **settings: Any,
    ) -> Feature:
        """The feature with what is to be known of its column.

        Args:
          feature: its name, entity, kind, and what it refers to.
          column: as from `parse`, or None for a derived one; it may be larger
            than memory, and is read by `chunks_of`.
          known: by name, the features that are described already: those that
            this one may refer to.
          **settings: see `settings`.

        Raises:
          InputError: where a setting is wrong.
        """
        raise NotImplementedError

    def encode(
        self, column: pa.Array | pa.ChunkedArray, feature: Feature
    ) -> Columns:
        """A typed column as models read it.

        Args:
          column: [n], as from `parse`.
          feature: as from `describe`.

        Returns:
          Arrays [n, ...] by the names of their tensors.
        """
        raise NotImplementedError

    def decode(self, columns: Columns, feature: Feature) -> Columns:
        """What a request would hold, for `encode` to give these columns.

        Args:
          columns: as from `encode`.
          feature: the same.

        Returns:
          Raw values [n, ...] by the names of a request's inputs.
        """
        raise NotImplementedError


def missing_like(columns: Columns) -> Columns:
    """One row of missing values, [1, ...], shaped as encoded columns are."""
    return {
        name: np.full(
            (1, *column.shape[1:]),
            np.nan if column.dtype == np.float32 and column.ndim == 1 else 0,
            column.dtype,
        )
        for name, column in columns.items()
    }
