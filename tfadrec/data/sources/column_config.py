"""The columns in the YAML file of a table source."""

from typing import Any

from tfadrec.core.errors import InputError
from tfadrec.data.intake.times import check_format, check_zone
from tfadrec.data.sources.file_config import read_share
from tfadrec.data.sources.table_spec import ColumnSpec

#: What may stand beside `column`, by the key that names the column.
_BESIDE = {
    "tags": ("separator",),
    "history": ("separator", "types", "type_separator", "max_rejected"),
    "timestamp": ("format", "timezone"),
}
#: The keys of which one value may hold for all rows.
_CONSTANTS = ("events.event_type",)


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
    beside = _BESIDE.get(where.partition(".")[2], ())
    shapes = [{"column"}]
    if where in _CONSTANTS:
        shapes.append({"constant"})
    given = dict(value) if isinstance(value, dict) else {}
    share = (
        given.pop("max_rejected", None) if "max_rejected" in beside else None
    )
    fits = set(given) in shapes or (
        "column" in given and set(given) <= {"column", *beside}
    )
    if not fits or not all(isinstance(v, str) and v for v in given.values()):
        shown = [[key] for shape in shapes for key in shape]
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
    if {"types", "type_separator"} <= set(given):
        raise InputError(
            f"{where} must name the types of its events once. Received: types "
            "and type_separator. Remove one."
        )
    if share is not None:
        given["max_rejected"] = read_share(share, f"{where}.max_rejected")
    return ColumnSpec(**given)
