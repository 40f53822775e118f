"""The feature spec that drives the reader, the pipeline and the signatures."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Literal

from tfadrec.core.errors import InputError

IdType = Literal["string", "int64"]

#: Columns of ads.parquet that make the ad copy; every dataset has them.
TEXT_COLUMNS = ("title", "description", "tags")


@dataclasses.dataclass(frozen=True)
class Feature:
    """One column that a model reads.

    Args:
      name: the column's name.
      kind: `categorical` (integer codes into `vocabulary`), `numeric`
        (standardised by `mean` and `std`) or `vector` (`width` floats).
      vocabulary: the known values; value `vocabulary[i]` has code `i + 1`, and
        code 0 stands for a missing or unknown value.
      mean: of a numeric column, in the column's own unit.
      std: of a numeric column, > 0, in the column's own unit.
      width: the number of floats in a vector column.
    """

    name: str
    kind: Literal["categorical", "numeric", "vector"]
    vocabulary: tuple[str, ...] = ()
    mean: float = 0.0
    std: float = 1.0
    width: int = 0


@dataclasses.dataclass(frozen=True)
class Schema:
    """What a dataset's columns are called and what they hold.

    A column that stands in a table and not in the schema is read by no model.

    Args:
      source: the name of the source that wrote the dataset.
      user_id_type: `string` or `int64`.
      ad_id_type: `string` or `int64`.
      event_types: known event types; `event_types[i]` has code `i + 1`, code 0
        is an unknown type.
      labels: label columns of impressions, `clicked` first.
      ad_features: categorical, numeric and vector columns of ads.
      context: categorical and numeric columns of impressions, known when the
        request is made.
    """

    source: str
    user_id_type: IdType
    ad_id_type: IdType
    event_types: tuple[str, ...]
    labels: tuple[str, ...] = ("clicked",)
    ad_features: tuple[Feature, ...] = ()
    context: tuple[Feature, ...] = ()

    def to_json(self) -> str:
        """The schema as JSON text, as it stands in `schema.json`."""
        return json.dumps(
            dataclasses.asdict(self), indent=2, ensure_ascii=False
        )

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """Reads `schema.json`.

        Raises:
          InputError: where the text is no schema.
        """
        try:
            fields: dict[str, Any] = json.loads(text)
            for key in ("ad_features", "context"):
                fields[key] = tuple(_feature(f) for f in fields.get(key, ()))
            for key in ("event_types", "labels"):
                fields[key] = tuple(fields[key])
            return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(
                "schema.json must hold a tfadrec schema. Received: "
                f"{error!r}. Write the dataset again with `tfadrec prepare`."
            ) from error


def _feature(fields: Mapping[str, Any]) -> Feature:
    return Feature(
        **{**fields, "vocabulary": tuple(fields.get("vocabulary", ()))}
    )
