"""One line of a log of requests."""

import base64
import binascii
import dataclasses
import datetime
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.read_json import parse_json
from tfadrec.monitoring.signal import Row

#: Of the year 9999.
_LATEST = 253_402_300_800


@dataclasses.dataclass(frozen=True)
class Request:
    """What users asked in one call, and what they were answered.

    Args:
      name: of the request, "" where it has none.
      time: seconds, or None.
      rows: one per user.
      scores: [k], of all rows' ads one after the other, or None.
      score_users: [k], the user of each score.
    """

    name: str
    time: float | None
    rows: Sequence[Row]
    scores: NDArray[np.float64] | None
    score_users: NDArray

    @classmethod
    def parse(cls, line: str) -> "Request | None":
        """Reads a line; None where no user asks in it.

        Raises:
          ValueError: where it is no such line.
        """
        values = parse_json(line)
        if not isinstance(values, Mapping):
            raise ValueError("a line is an object")
        if '"b64"' in line:
            values = _plain(values)
        rows = _rows(values)
        if not rows or any("user_id" not in row for row in rows):
            return None
        scores = values.get("scores")
        name = values.get("id")
        users: list[str] = []
        if scores is not None:
            by_row = scores if len(scores) == len(rows) else [scores]
            of_row = [np.ravel(np.array(each, np.float64)) for each in by_row]
            scores = np.concatenate(of_row)
            if not ((scores >= 0) & (scores <= 1)).all():
                raise ValueError("scores are probabilities, from 0 to 1")
            for row, each in zip(rows, of_row, strict=False):
                users += [str(row["user_id"])] * len(each)
        return cls(
            "" if name is None else str(name),
            seconds(values.get("time")),
            rows,
            scores,
            np.array(users, str),
        )


def seconds(time: Any) -> float | None:
    """A moment in seconds: a number of them, or text as ISO 8601 has it.

    Raises:
      ValueError: for other text.
    """
    if time is None:
        return None
    if isinstance(time, int | float):
        if not math.isfinite(time) or abs(time) > _LATEST:
            raise ValueError("a time is in seconds")
        return float(time)
    found = datetime.datetime.fromisoformat(str(time).replace("Z", "+00:00"))
    if found.tzinfo is None:
        found = found.replace(tzinfo=datetime.timezone.utc)
    return found.timestamp()


def _rows(values: Mapping[str, Any]) -> list[Row]:
    """The rows of a body of the REST interface."""
    if "instances" in values:
        rows = values["instances"]
        if not all(isinstance(row, Mapping) for row in rows):
            raise ValueError("instances are objects")
        return list(rows)
    inputs = values.get("inputs")
    if inputs is None:
        raise ValueError("a request has instances or inputs")
    if not isinstance(inputs, Mapping):
        raise ValueError("inputs are an object")
    columns = {k: v for k, v in inputs.items() if isinstance(v, list)}
    count = len(columns.get("user_id", ()))
    return [
        {name: column[n] for name, column in columns.items()}
        for n in range(count)
    ]


def _plain(value: Any) -> Any:
    """The value with texts for `{"b64": ...}`."""
    if isinstance(value, Mapping):
        if set(value) == {"b64"}:
            try:
                return base64.b64decode(value["b64"]).decode("utf-8", "replace")
            except (binascii.Error, TypeError) as error:
                raise ValueError("b64 is base64") from error
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value
