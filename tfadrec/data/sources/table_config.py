"""The YAML file that says what the columns of a table source mean."""

import pathlib
from collections.abc import Mapping
from typing import Any

from tfadrec.core.config import read_settings
from tfadrec.core.errors import InputError
from tfadrec.core.ranges import refuse_huge
from tfadrec.core.read_yaml import yaml_bytes
from tfadrec.data.features import KINDS
from tfadrec.data.files import open_filesystem
from tfadrec.data.intake.feature_columns import in_order
from tfadrec.data.sources.column_config import read_column
from tfadrec.data.sources.feature_config import FEATURE_KEYS, read_features
from tfadrec.data.sources.file_config import (
    FILE_KEYS,
    check_header,
    read_file_settings,
)
from tfadrec.data.sources.known_keys import refuse_unknown_keys
from tfadrec.data.sources.known_times import with_known_times
from tfadrec.data.sources.label_config import (
    LABEL_KEYS,
    check_labels,
    read_counts,
    read_labels,
    read_negatives_kept,
)
from tfadrec.data.sources.periods import PERIODS
from tfadrec.data.sources.repeats import check_repeats, counts_events
from tfadrec.data.sources.sampling import MOST_NEGATIVES
from tfadrec.data.sources.skipped import check_skipped
from tfadrec.data.sources.table_spec import TableConfig, TableSpec

_KEYS = {
    "the file": (
        "name",
        "user_id_type",
        "ad_id_type",
        "ads",
        "users",
        "events",
        "impressions",
        "sampling",
    ),
    "ads": (
        *FILE_KEYS,
        "deduplicate",
        "ad_id",
        "title",
        "description",
        "tags",
        "expires",
        *FEATURE_KEYS["ads"],
    ),
    "users": (
        *FILE_KEYS,
        "deduplicate",
        "user_id",
        *FEATURE_KEYS["users"],
    ),
    "events": (
        *FILE_KEYS,
        "user_id",
        "ad_id",
        "timestamp",
        "event_type",
        "skipped",
        "repeats",
        *FEATURE_KEYS["events"],
    ),
    "impressions": (
        *FILE_KEYS,
        "request_id",
        "user_id",
        "ad_id",
        "timestamp",
        *LABEL_KEYS,
        "weight",
        "history",
        "split",
        "repeats",
        *FEATURE_KEYS["impressions"],
    ),
    "sampling": ("negatives_per_positive", "strategy", "period", "seed"),
}
_NEEDED = {
    "the file": ("ads", "impressions"),
    "ads": ("file", "ad_id"),
    "users": ("file", "user_id"),
    "events": ("file", "user_id", "ad_id", "timestamp", "event_type"),
    "impressions": ("file", "user_id", "ad_id", "timestamp"),
    "sampling": ("negatives_per_positive",),
}
#: Keys that name one column each.
_COLUMNS = (
    "ad_id",
    "title",
    "description",
    "tags",
    "expires",
    "user_id",
    "timestamp",
    "event_type",
    "request_id",
    "weight",
    "history",
    "split",
    "position",
)


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
        content = read_settings(yaml_bytes(path))
    except (OSError, ValueError) as error:
        raise InputError(
            "a configuration must be a readable YAML file. Received: "
            f"{path} ({' '.join(str(error).split())}). Check the path and the "
            "file."
        ) from error
    content = _section(content, "the file")
    sampling = content.get("sampling")

    def optional(where: str) -> TableSpec | None:
        if content.get(where) is None:
            return None
        return _table(content[where], where, path.parent)

    config = with_known_times(
        TableConfig(
            name=str(content.get("name", "table")),
            user_id_type=_one_of(content, "user_id_type", ("string", "int64")),
            ad_id_type=_one_of(content, "ad_id_type", ("string", "int64")),
            ads=_table(content["ads"], "ads", path.parent),
            users=optional("users"),
            events=optional("events"),
            impressions=_table(
                content["impressions"], "impressions", path.parent
            ),
            sampling=None if sampling is None else _sampling(sampling),
            negatives_kept=read_negatives_kept(content["impressions"]),
        )
    )
    check_labels(config)
    _check_histories(config)
    check_skipped(config)
    _check_rates(config)
    check_repeats(config)
    in_order(config.features)
    return config


def _section(content: Any, where: str) -> dict[str, Any]:
    allowed = _KEYS[where]
    if not isinstance(content, dict):
        raise InputError(
            f"{where} must hold keys and values. Received: {content!r}. "
            f"Allowed keys: {', '.join(allowed)}."
        )
    refuse_unknown_keys(content, allowed, where)
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
        key: read_column(section[key], f"{where}.{key}")
        for key in _COLUMNS
        if section.get(key) is not None
    }
    deduplicate = section.get("deduplicate", False)
    skipped, repeats = section.get("skipped"), section.get("repeats")
    for key, value in (
        ("deduplicate", deduplicate),
        ("skipped", skipped),
        ("repeats", repeats),
    ):
        if value is not None and not isinstance(value, bool):
            raise InputError(
                f"{where}.{key} must be true or false. Received: {value!r}. "
                "Write one of these."
            )
    open_filesystem(file)
    local = "://" not in file
    expanded = pathlib.Path(file).expanduser()
    spec = TableSpec(
        file=file,
        path=str(folder / expanded) if local else file,
        columns=plain,
        features=read_features(section, where, plain),
        labels=read_labels(section),
        counts=read_counts(section),
        deduplicate=bool(deduplicate),
        skipped=skipped,
        repeats=repeats,
        **read_file_settings(section, where),
    )
    check_header(spec, where)
    return spec


def _sampling(content: Any) -> dict[str, Any]:
    section = _section(content, "sampling")
    section = {
        **section,
        "strategy": _one_of(section, "strategy", ("popularity", "uniform")),
        "period": _one_of(section, "period", ("auto", *PERIODS)),
        "seed": section.get("seed", 0),
    }
    number = section["negatives_per_positive"]
    if type(number) is not int or not 1 <= number <= MOST_NEGATIVES:
        raise InputError(
            "sampling.negatives_per_positive must be an integer from 1 to "
            f"{MOST_NEGATIVES}. Received: {number!r}. Correct it."
        )
    if type(section["seed"]) is not int or section["seed"] < 0:
        raise InputError(
            "sampling.seed must be an integer >= 0. Received: "
            f"{section['seed']!r}. Correct it."
        )
    refuse_huge("sampling", section)
    return section


def _one_of(section: Mapping[str, Any], key: str, allowed: tuple[str, ...]):
    value = section.get(key, allowed[0])
    if value not in allowed:
        raise InputError(
            f"{key} must be one of {', '.join(allowed)}. Received: {value!r}. "
            "Write one of these."
        )
    return value


def _check_rates(config: TableConfig) -> None:
    """Rates and counts are of real impressions, in the order of time."""
    names = [
        f.name
        for f in config.features
        if KINDS[f.kind].counted and not counts_events(f)
    ]
    reason = ""
    if config.sampling is not None:
        reason = "`sampling`, which decides how often an ad is shown"
    elif config.impressions.columns["timestamp"].constant is not None:
        reason = "one timestamp for all impressions"
    if names and reason:
        raise InputError(
            "rates and counts need impressions that were really shown, in the "
            f"order of time. Received: {', '.join(names)} with {reason}. "
            "Remove them."
        )


def _check_histories(config: TableConfig) -> None:
    """Histories that come as lists of ads have no features of events."""
    if (
        config.events is not None
        and config.events.features
        and "history" in config.impressions.columns
    ):
        raise InputError(
            "events must have no features where impressions name 'history', as "
            "histories then are lists of ads alone. Received: "
            f"{', '.join(f.name for f in config.events.features)}. Remove "
            "events.features or impressions.history."
        )
