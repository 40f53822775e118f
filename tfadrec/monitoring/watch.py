"""A log of requests, window by window."""

import errno
import os
import pathlib
import stat
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tfadrec.core.errors import InputError
from tfadrec.core.read_json import parse_json
from tfadrec.monitoring.measure_window import fits
from tfadrec.monitoring.measured_window import MeasuredWindow
from tfadrec.monitoring.profile import Profile
from tfadrec.monitoring.request import Request
from tfadrec.monitoring.window import Window

#: Users of a window at least: fewer tell nothing.
LEAST = 200
#: Characters of a line at most; a body that is served has far fewer.
_LONGEST = 1 << 26
#: What a line raises that is of another kind.
_UNFIT = (LookupError, OverflowError, RecursionError, TypeError, ValueError)


class Watch:
    """Measures a log of requests, window by window.

    One line is one call: the body that a client sends to REST, as `inputs` or
    `instances`, and beside it `id`, `time` (seconds, or ISO 8601) and `scores`
    (those that were answered, a list per user), all three where they are known.
    Calls without a `user_id` are passed over.

    A line of labels has the `id` of a request and `labels`, 0 and 1 (or null
    where one is not known yet) of its scores in their order; a later line of
    the same request tells what is known since.

    Args:
      profile: of the bundle.
      requests: the log, JSON Lines in the order of time.
      labels: the labels, JSON Lines in any order.
      window: the users of a window, >= 200. The last window may have fewer, but
        for 200.

    Attributes:
      inputs: the names that requests had, as far as the log was read.
      left: users who asked after the last window, too few for one, once all of
        the log was read.

    Raises:
      InputError: where the window is too small; while windows are read, where a
        file cannot be read, a line is no request or no labels, no line has a
        user, or no label is known of a score of the log.
    """

    def __init__(
        self,
        profile: Profile,
        requests: str | os.PathLike[str],
        labels: str | os.PathLike[str] | None = None,
        *,
        window: int = 10_000,
    ) -> None:
        if window < LEAST:
            raise InputError(
                f"a window has at least {LEAST} users. Received: "
                f"window={window}."
            )
        self._profile, self._size = profile, window
        self._requests, self._labels = requests, labels
        self.inputs: set[str] = set()
        self.left = 0

    def __iter__(self) -> Iterator[MeasuredWindow]:
        """What was measured. Bounds are those of the window's own size."""
        signals, labels = self._profile.signals(), self._read_labels()
        number, fresh = 1, Window(self._profile, signals, labels)
        held: list[MeasuredWindow] = []  # until a label is of the log
        is_labelled = not labels
        for request in read_requests(self._requests):
            self.inputs.update(*request.rows)
            fresh.add(request)
            is_labelled = is_labelled or fits(request, labels)
            if fresh.requests >= self._size:
                held.append(fresh.measured(number))
                number += 1
                fresh = Window(self._profile, signals, labels)
            if is_labelled:
                yield from held
                held = []
        if not is_labelled:
            raise InputError(
                "labels are of the scores of logged requests, one of each. "
                f"Received: {self._labels}, where none of {len(labels):,} has "
                f"the `id` of a request of {self._requests}, as many labels as "
                "it has `scores`, and one of them that is known. Name the log "
                "that the labels are of."
            )
        if fresh.requests >= LEAST:
            held.append(fresh.measured(number))
        else:
            self.left = fresh.requests
        yield from held

    def _read_labels(self) -> dict[str, NDArray[np.float64]]:
        if self._labels is None:
            return {}
        labels = read_labels(self._labels)
        if all(np.isnan(values).all() for values in labels.values()):
            raise InputError(
                "labels are 0 and 1 where they are known. Received: "
                f"{self._labels}, where none is. Leave the labels out until "
                "there are some."
            )
        return labels


def read_requests(path: str | os.PathLike[str]) -> Iterator[Request]:
    """The requests of a log in which a user asks.

    Raises:
      InputError: see `Watch`.
    """
    passed_over, is_asked = 0, False
    for place, line in _lines(path, "requests"):
        try:
            request = Request.parse(line)
        except _UNFIT as error:
            raise InputError(
                "a line of requests is a body of REST, with `inputs` or "
                f"`instances`, in JSON. Received: {place}, which is not "
                f"({error}). Mend the line, or take it out."
            ) from error
        if request is None:
            passed_over += 1
        else:
            is_asked = True
            yield request
    if passed_over and not is_asked:
        raise InputError(
            "a request says in `user_id` who asks. Received: "
            f"{path}, of whose {passed_over:,} lines none does. Log the bodies "
            "of calls that score or recommend."
        )


def read_labels(
    path: str | os.PathLike[str],
) -> dict[str, NDArray[np.float64]]:
    """Request -> labels, nan where one is not known.

    Raises:
      InputError: see `Watch`.
    """
    found: dict[str, NDArray[np.float64]] = {}
    for place, line in _lines(path, "labels"):
        try:
            values = parse_json(line)
            name = str(values["id"])
            fresh = np.ravel(np.array(values["labels"], np.float64))
            if not np.isin(fresh[~np.isnan(fresh)], (0, 1)).all():
                raise ValueError("labels are 0, 1 and null")
            before = found.get(name)
            if before is not None and len(before) == len(fresh):
                fresh = np.where(np.isnan(fresh), before, fresh)
            found[name] = fresh
        except _UNFIT as error:
            raise InputError(
                "a line of labels has the `id` of a request and `labels` of "
                f"0, 1 and null, in JSON. Received: {place}, which has not "
                f"({error}). Mend the line, or take it out."
            ) from error
    return found


def _lines(
    path: str | os.PathLike[str], what: str
) -> Iterator[tuple[str, str]]:
    """Lines that are not blank, with their places."""
    path, number = pathlib.Path(path), 0
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(errno.EINVAL, "a pipe, a device or a folder")
        with path.open(encoding="utf-8", errors="replace") as file:
            while line := file.readline(_LONGEST + 1):
                number += 1
                if len(line) > _LONGEST:
                    raise InputError(
                        f"a line of {what} has at most {_LONGEST:,} "
                        f"characters. Received: line {number} of {path}, "
                        "which has more. Take it out."
                    )
                if line.strip():
                    yield f"line {number} of {path}", line
    except OSError as error:
        raise InputError(
            f"{what} are read from a file. Received: {path}, which cannot be "
            f"read ({error.strerror}). Check the path."
        ) from error
