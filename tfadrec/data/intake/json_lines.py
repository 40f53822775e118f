"""Reading JSON Lines: one object a line."""

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tfadrec.core.errors import InputError
from tfadrec.data.intake.file_checks import (
    empty_file,
    not_text,
    require_columns,
)
from tfadrec.data.intake.raw_rows import RawRows

#: The ends of the names of such files.
SUFFIXES = frozenset((".jsonl", ".ndjson", ".json"))
_LINE_END = re.compile(r"\r\n|\r|\n")
_INT64 = range(-(2**63), 2**63)
_NO_OBJECT = "no JSON object"


def parse_json_lines(
    text: str,
    unit: str,
    columns: Sequence[str],
    *,
    name: str,
    mark: str = "",
    encoding: str = "utf-8",
) -> RawRows:
    """Reads the rows of a JSON Lines file that is in memory.

    A key that a line does not have is missing there. A line that is no object
    is refused. Blank lines are no rows, but they count as lines.

    Args:
      text: the file.
      unit: what one row is, in the plural.
      columns: the keys wanted, all where there are none.
      name: what to call the file in messages.
      mark: what stands in the text for bytes that are broken, if anything.
      encoding: of the file, for the reason of such rows.

    Returns:
      The rows: columns of texts, numbers, Boolean values, lists or maps,
      where all values of a key are alike, else of texts.

    Raises:
      InputError: where the file is empty, is one JSON array or one object of
        columns, or no line has a key that is wanted.
    """
    objects: list[dict[str, Any]] = []
    lines: list[int] = []
    broken: list[tuple[int, str, str]] = []
    for number, line in enumerate(_LINE_END.split(text), 1):
        if not line.strip():
            continue
        if mark and mark in line:
            shown = line.replace(mark, "\ufffd")
            broken.append((number, not_text(encoding), shown))
            continue
        found = _object(line)
        if found is None:
            if not objects and not broken and line.lstrip().startswith("["):
                raise InputError(
                    f"a JSON file of {unit} must hold one object a line. "
                    f"Received: {name}, which begins an array. Write each of "
                    "its objects on a line of its own."
                )
            broken.append((number, _NO_OBJECT, line))
        else:
            objects.append(found)
            lines.append(number)
    if not objects and not broken:
        raise empty_file(name, unit)
    keys = list(dict.fromkeys(key for found in objects for key in found))
    if objects:
        require_columns(name, keys, columns)
    wanted = list(dict.fromkeys(columns)) or keys
    if len(objects) == 1 < len(wanted) and all(
        isinstance(objects[0].get(key), dict | list) for key in wanted
    ):
        raise InputError(
            f"a JSON file of {unit} must hold one object a line. Received: "
            f"{name}, which is one object of columns. Write it by rows; in "
            'pandas with to_json(…, orient="records", lines=True).'
        )
    table = pa.table(
        {key: _column([row.get(key) for row in objects]) for key in wanted}
    )
    return RawRows(name, unit, table, np.array(lines, np.int64), broken)


def _object(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
        if "\\u" in line:
            # JSON can write half of a character, which is no text.
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _column(values: list[Any]) -> pa.Array:
    """Values as Arrow has them where they are alike, else as texts."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds <= {str}:
        return pa.array(values, pa.string())
    if kinds == {int} and all(v is None or v in _INT64 for v in values):
        return pa.array(values, pa.int64())
    if kinds <= {int, float} and float in kinds and not _large(values):
        return pa.array(
            [None if v is None else float(v) for v in values], pa.float64()
        )
    if kinds == {list} and all(map(_is_plain, values)):
        return _lists(values)
    if kinds == {dict} and all(map(_is_weights, values)):
        pairs = [None if v is None else list(v.items()) for v in values]
        return pa.array(pairs, pa.map_(pa.string(), pa.float64()))
    return pa.array([_text(value) for value in values], pa.string())


def _large(values: list[Any]) -> bool:
    """Whether an integer would lose digits as a float."""
    return any(type(v) is int and abs(v) > 2**53 for v in values)


def _is_plain(value: list[Any] | None) -> bool:
    return value is None or not any(
        isinstance(entry, list | dict) for entry in value
    )


def _is_weights(value: dict[str, Any] | None) -> bool:
    return value is None or all(
        type(entry) in (int, float) and abs(entry) < 2**53
        for entry in value.values()
    )


def _lists(values: list[list[Any] | None]) -> pa.Array:
    flat = [entry for value in values for entry in value or ()]
    kinds = {type(entry) for entry in flat if entry is not None}
    if kinds <= {int, float} and float in kinds and not _large(flat):
        floats = [
            v and [None if e is None else float(e) for e in v] for v in values
        ]
        return pa.array(floats, pa.list_(pa.float64()))
    texts = [v and [_text(entry) for entry in v] for v in values]
    return pa.array(texts, pa.list_(pa.string()))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
