"""The columns in the YAML file of a table source."""

import datetime
from typing import Any

import pyarrow as pa

from tfadrec.core.errors import InputError
from tfadrec.data.intake.times import (
    UNITS,
    check_format,
    check_zone,
    read_times,
)
from tfadrec.data.sources.file_config import read_share
from tfadrec.data.sources.known_keys import refuse_unknown_keys
from tfadrec.data.sources.table_spec import ColumnSpec

#: What may stand beside `column`, by the key that names the column.
_BESIDE = {
    "tags": ("separator",),
    "history": ("separator", "types", "type_separator", "max_rejected"),
    "timestamp": ("format", "timezone", "unit"),
    "expires": ("format", "timezone", "unit"),
}
#: The keys of which one value may hold for all rows.
_CONSTANTS = (
    "events.event_type",
    "events.timestamp",
    "impressions.timestamp",
)

_TIMES = (int, datetime.date, datetime.datetime)


def read_column(value: Any, where: str) -> ColumnSpec:
    """Where the values of one column of the dataset come from.

    Args:
      value: the name of a column, or that and settings.
      where: its place, such as `events.timestamp`.

    Raises:
      InputError: where it is neither, or a setting is not what it must be.
    """
    if isinstance(value, str) and value:
        return ColumnSpec(column=value)
    drawn = isinstance(value, dict) and set(value) == {"valid", "test"}
    if drawn and where == "impressions.split":
        return ColumnSpec(shares=_shares(value, where))
    beside = _BESIDE.get(where.partition(".")[2], ())
    shapes = [{"column"}]
    keys = ["column", *beside]
    if where in _CONSTANTS:
        shapes.append({"constant"})
        keys.append("constant")
    if where == "impressions.split":
        keys += ["valid", "test"]
    given = dict(value) if isinstance(value, dict) else {}
    refuse_unknown_keys(given, keys, where)
    if where.endswith("timestamp") and type(given.get("constant")) in _TIMES:
        # YAML reads 2020-01-31 as a date and 1580428800 as a number.
        given["constant"] = str(given["constant"])
    share = (
        given.pop("max_rejected", None) if "max_rejected" in beside else None
    )
    fits = set(given) in shapes or (
        "column" in given and set(given) <= {"column", *beside}
    )
    if not fits or not all(isinstance(v, str) and v for v in given.values()):
        shown = [[key] for shape in shapes for key in shape]
        if where == "impressions.split":
            shown.append(["valid", "test"])
        shown += [["column", key] for key in beside]
        allowed = " or ".join(
            "{" + ", ".join(f"{key}: …" for key in keys) + "}" for keys in shown
        )
        raise InputError(
            f"{where} must be the name of a column, or {allowed}. Received: "
            f"{value!r}. Write one of these."
        )
    if "format" in given:
        check_format(given["format"], f"{where}.format")
    if "timezone" in given:
        check_zone(given["timezone"], f"{where}.timezone")
    if "unit" in given and (given["unit"] not in UNITS or "format" in given):
        raise InputError(
            f"{where}.unit must be {', '.join(UNITS)}, and go without a "
            f"`format`. Received: {given['unit']!r}. Write ms where times are "
            "milliseconds since 1970."
        )
    if where.endswith("timestamp") and "constant" in given:
        _check_time(given["constant"], where)
    if {"types", "type_separator"} <= set(given):
        raise InputError(
            f"{where} must name the types of its events once. Received: types "
            "and type_separator. Remove one."
        )
    if share is not None:
        given["max_rejected"] = read_share(share, f"{where}.max_rejected")
    return ColumnSpec(**given)


def _check_time(constant: str, where: str) -> None:
    """Refuses a time of all rows that is none."""
    column = pa.chunked_array([[constant]])
    if read_times(column, None, None, where).null_count:
        raise InputError(
            f"{where}.constant must be a time. Received: {constant!r}. Write, "
            'for example, "2020-01-31".'
        )


def _shares(value: dict[str, Any], where: str) -> tuple[float, float]:
    shares = (value["valid"], value["test"])
    if not all(
        type(share) in (int, float) and 0 < share < 1 for share in shares
    ) or not (sum(shares) < 1):
        raise InputError(
            f"{where} must have shares above 0 and leave rows to train on. "
            f"Received: valid={shares[0]!r}, test={shares[1]!r}. Write "
            "{valid: 0.1, test: 0.1}."
        )
    return shares
