"""The YAML file that says what the columns of a table source mean."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from tfadrec.core.errors import InputError
from tfadrec.core.schema import IdType
from tfadrec.data.files import open_filesystem

_TABLE_KEYS = ("file", "delimiter")
_KEYS = {
    "the file": (
        "name",
        "user_id_type",
        "ad_id_type",
        "ads",
        "events",
        "impressions",
        "sampling",
    ),
    "ads": (
        *_TABLE_KEYS,
        "deduplicate",
        "ad_id",
        "title",
        "description",
        "tags",
        "categorical",
        "numeric",
    ),
    "events": (*_TABLE_KEYS, "user_id", "ad_id", "timestamp", "event_type"),
    "impressions": (
        *_TABLE_KEYS,
        "request_id",
        "user_id",
        "ad_id",
        "timestamp",
        "clicked",
        "converted",
        "position",
        "history",
        "split",
        "categorical",
        "numeric",
    ),
    "sampling": ("negatives_per_positive", "strategy", "seed"),
}
_NEEDED = {
    "the file": ("ads", "impressions"),
    "ads": ("file", "ad_id"),
    "events": ("file", "user_id", "ad_id", "timestamp", "event_type"),
    "impressions": ("file", "user_id", "ad_id", "timestamp"),
    "sampling": ("negatives_per_positive",),
}
_TAKEN = frozenset(_KEYS["ads"]) | frozenset(_KEYS["impressions"])


@dataclasses.dataclass(frozen=True)
class ColumnSpec:
    """Where a value comes from: a column, or one constant for all rows."""

    column: str = ""
    separator: str = " "
    format: str | None = None
    constant: str | None = None


@dataclasses.dataclass(frozen=True)
class TableSpec:
    """One file and the meaning of its columns.

    Args:
      file: as the user wrote it, for messages.
      path: where it is.
      delimiter: of text files; None to tell it by the file's name.
      columns: a column of the dataset -> where it comes from.
      categorical: names of categorical features -> columns.
      numeric: names of numeric features -> columns.
      deduplicate: whether an ad may stand on many rows, the first of which
        describes it.
    """

    file: str
    path: str
    delimiter: str | None
    columns: Mapping[str, ColumnSpec]
    categorical: Mapping[str, str]
    numeric: Mapping[str, str]
    deduplicate: bool = False

    def wanted(self) -> list[str]:
        """The columns of the file that are read."""
        named = [spec.column for spec in self.columns.values() if spec.column]
        return [*named, *self.categorical.values(), *self.numeric.values()]


@dataclasses.dataclass(frozen=True)
class TableConfig:
    """All that the YAML file says.

    Args:
      name: of the source.
      user_id_type: `string` or `int64`.
      ad_id_type: `string` or `int64`.
      ads: the catalogue's file.
      events: the event log's file, if there is one.
      impressions: the file of impressions, or of positives to sample for.
      sampling: negatives_per_positive, strategy and seed; None where the file
        holds impressions with labels.
    """

    name: str
    user_id_type: IdType
    ad_id_type: IdType
    ads: TableSpec
    events: TableSpec | None
    impressions: TableSpec
    sampling: Mapping[str, Any] | None


def read_config(path: str | pathlib.Path) -> TableConfig:
    """Reads the YAML file of a table source.

    Args:
      path: the YAML file; paths in it are relative to its folder.

    Raises:
      InputError: where the file is missing, is no YAML, or holds a key or a
        value that is not allowed.
    """
    path = pathlib.Path(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(
            "a configuration must be a readable YAML file. Received: "
            f"{path} ({' '.join(str(error).split())}). Check the path and the "
            "file."
        ) from error
    content = _section(content, "the file")
    sampling = content.get("sampling")
    config = TableConfig(
        name=str(content.get("name", "table")),
        user_id_type=_one_of(content, "user_id_type", ("string", "int64")),
        ad_id_type=_one_of(content, "ad_id_type", ("string", "int64")),
        ads=_table(content["ads"], "ads", path.parent),
        events=_table(content["events"], "events", path.parent)
        if content.get("events") is not None
        else None,
        impressions=_table(content["impressions"], "impressions", path.parent),
        sampling=None if sampling is None else _sampling(sampling),
    )
    _check_labels(config)
    return config


def _section(content: Any, where: str) -> dict[str, Any]:
    allowed = _KEYS[where]
    if not isinstance(content, dict):
        raise InputError(
            f"{where} must hold keys and values. Received: {content!r}. "
            f"Allowed keys: {', '.join(allowed)}."
        )
    for key in content:
        if key not in allowed:
            raise InputError(
                f"{where} must hold known keys only. Received: {key!r}. "
                f"Allowed keys: {', '.join(allowed)}."
            )
    for key in _NEEDED[where]:
        if content.get(key) is None:
            raise InputError(
                f"{where} must name {key!r}. Received: "
                f"{', '.join(map(str, content)) or 'nothing'}. Add it; allowed "
                f"keys: {', '.join(allowed)}."
            )
    return content


def _table(content: Any, where: str, folder: pathlib.Path) -> TableSpec:
    section = _section(content, where)
    file = str(section["file"])
    plain = {
        key: _column(value, f"{where}.{key}")
        for key, value in section.items()
        if key not in (*_TABLE_KEYS, "deduplicate", "categorical", "numeric")
        and value is not None
    }
    deduplicate = section.get("deduplicate", False)
    if not isinstance(deduplicate, bool):
        raise InputError(
            f"ads.deduplicate must be true or false. Received: {deduplicate!r}."
            " Write one of these."
        )
    delimiter = section.get("delimiter")
    if delimiter is not None and (
        not isinstance(delimiter, str) or len(delimiter) != 1
    ):
        raise InputError(
            f"{where}.delimiter must be one character. Received: "
            f"{delimiter!r}. Correct it."
        )
    categorical = _features(section.get("categorical"), f"{where}.categorical")
    numeric = _features(section.get("numeric"), f"{where}.numeric")
    for name in {*categorical} & {*numeric}:
        raise InputError(
            "a feature must be categorical or numeric. Received: "
            f"{name!r} as both in {where}. Remove one."
        )
    open_filesystem(file)
    local = "://" not in file
    expanded = pathlib.Path(file).expanduser()
    return TableSpec(
        file=file,
        path=str(folder / expanded) if local else file,
        delimiter=delimiter,
        columns=plain,
        categorical=categorical,
        numeric=numeric,
        deduplicate=deduplicate,
    )


def _column(value: Any, where: str) -> ColumnSpec:
    if isinstance(value, str):
        return ColumnSpec(column=value)
    extra = {
        "tags": "separator",
        "history": "separator",
        "timestamp": "format",
    }.get(where.partition(".")[2])
    shapes = [{"column"}]
    if extra is not None:
        shapes.append({"column", extra})
    if where == "events.event_type":
        shapes.append({"constant"})
    if (
        isinstance(value, dict)
        and set(value) in shapes
        and all(isinstance(v, str) and v for v in value.values())
    ):
        return ColumnSpec(**value)
    allowed = " or ".join(
        "{" + ", ".join(f"{key}: …" for key in sorted(shape)) + "}"
        for shape in shapes
    )
    raise InputError(
        f"{where} must be the name of a column, or {allowed}. Received: "
        f"{value!r}. Write one of these."
    )


def _features(value: Any, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = {name: name for name in value if isinstance(name, str)} or None
    if not isinstance(value, dict) or not all(
        isinstance(text, str) for pair in value.items() for text in pair
    ):
        raise InputError(
            f"{where} must be a list of columns, or names and their columns. "
            f"Received: {value!r}. Write [a, b] or {{name: column}}."
        )
    for name in _TAKEN & set(value):
        raise InputError(
            f"{where} must not take a name of the data contract. Received: "
            f"{name!r}. Write {{another_name: {value[name]}}}."
        )
    return value


def _sampling(content: Any) -> dict[str, Any]:
    section: dict[str, Any] = {"strategy": "popularity", "seed": 0}
    section |= _section(content, "sampling")
    _one_of(section, "strategy", ("popularity", "uniform"))
    for key, least in (("negatives_per_positive", 1), ("seed", 0)):
        if type(section[key]) is not int or section[key] < least:
            raise InputError(
                f"sampling.{key} must be an integer >= {least}. Received: "
                f"{section[key]!r}. Correct it."
            )
    return section


def _one_of(section: Mapping[str, Any], key: str, allowed: tuple[str, ...]):
    value = section.get(key, allowed[0])
    if value not in allowed:
        raise InputError(
            f"{key} must be one of {', '.join(allowed)}. Received: {value!r}. "
            "Write one of these."
        )
    return value


def _check_labels(config: TableConfig) -> None:
    columns = config.impressions.columns
    if config.sampling is None and "clicked" not in columns:
        raise InputError(
            "impressions must name 'clicked', or negatives must be sampled. "
            f"Received: {', '.join(columns)}. Name the column of the label, or "
            "add a `sampling` section where every row is a purchase."
        )
    unfit = {"clicked", "converted", "position", "history"} & set(columns)
    if config.sampling is not None and unfit:
        raise InputError(
            "rows to sample for are positive and have no "
            "clicked, converted, position or history. Received: "
            f"{', '.join(sorted(unfit))}. Remove these, or the sampling."
        )
