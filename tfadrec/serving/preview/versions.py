"""Which versions of a bundle are loaded, and under which labels."""

import os
import pathlib
import threading
import time
import weakref
from collections.abc import Collection, Mapping
from typing import Any

from tfadrec.core.bundle_folder import (
    MODELS,
    existing_versions,
    version_numbers,
)
from tfadrec.core.errors import InputError
from tfadrec.core.memory import give_back, trim
from tfadrec.serving.deployment import read_whole_labels
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.log import LOG, say
from tfadrec.serving.preview.request_error import (
    RequestError,
    quote,
    short_line,
)
from tfadrec.serving.preview.servable import Servable
from tfadrec.serving.preview.warm_up import warm_up

#: The label that clients are told to ask for.
STABLE = "stable"


class Versions:
    """The newest version in a folder, and those that have a label.

    A version is found once it has answered its warm-up requests. A label stays
    with the version that it had until the one that it moves to is loaded.

    Args:
      path: the folder of a model's versions; the model is called as it is.
      limits: how long these may take. A version that is slower is found
        without the rest of them.

    Raises:
      InputError: where there is no version.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        limits: Limits = Limits(),  # noqa: B008 (it is frozen)
    ) -> None:
        self.path = pathlib.Path(path)
        self._limits = limits
        self.name = self.path.absolute().name
        self._loaded: dict[int, Servable] = {}
        self._leaving: list[weakref.ref[Servable]] = []
        self._failed: dict[int, tuple[int, str]] = {}  # when, and why
        self._stop = threading.Event()
        there = existing_versions(self.path)
        # As `models.config` has them, and those by which versions are found.
        self._told: dict[str, int] = {}
        self._is_told = True
        self._waiting: dict[str, int] = {}  # which do not load, or are gone
        self._labels = self._read_labels()
        # Those that are loaded now, or next.
        self._coming = _wanted(there, self._labels)

    def load(self) -> None:
        """Loads the versions that are there, that of `STABLE` first.

        Each is found as soon as it is ready, while others are still loaded, the
        newest first.

        Raises:
          InputError: where none can be loaded.
        """
        failed = self.refresh()
        if failed and not self._loaded:
            number, reason = max(failed.items())
            raise InputError(
                "a version must be a SavedModel that loads. Received: "
                f"{self.path / str(number)}: {reason}"
            )
        _report(failed)

    def refresh(self) -> dict[int, str]:
        """Loads what has come, and lets go of what no longer counts.

        While the newest version does not load, the newest that did stays, and
        so does the last one that a label was with. A request that is being
        answered keeps its version until it is done; the next call then gives
        its memory back. A version that fails to load is tried again when its
        files have changed: it may have been half copied.

        Returns:
          Version that has failed to load now -> why.
        """
        there = version_numbers(self.path)
        told = self._read_labels()
        wanted = _wanted(there, told) - set(self._loaded)
        failed = self._load_all(wanted, first=told.get(STABLE))
        usable = set(self._loaded) & set(there) or set(self._loaded)
        self._labels = self._moved(told, usable)
        self._failed = {n: f for n, f in self._failed.items() if n in there}
        if usable:
            usable &= {max(usable), *self._labels.values()}
            self._leaving += [
                weakref.ref(each)
                for number, each in self._loaded.items()
                if number not in usable
            ]
            self._loaded = {n: self._loaded[n] for n in sorted(usable)}
        self._let_go()
        return failed

    def _read_labels(self) -> dict[str, int]:
        """Label -> version, of the last `models.config` that was whole."""
        try:
            found = read_whole_labels(self.path)
        except OSError:
            found = None
        file = self.path / MODELS
        if found is not None:
            self._told = found
        elif self._is_told and (self._told or os.path.lexists(file)):
            LOG.warning("%s cannot be read: labels stay as they were.", file)
        self._is_told = found is not None
        return self._told

    def _moved(self, told: dict[str, int], usable: set[int]) -> dict[str, int]:
        """Label -> version, where each that can has moved to its new one."""
        moved, waiting = {}, {}
        for label, number in told.items():
            before = self._labels.get(label)
            if before is None or before not in usable or number in usable:
                moved[label] = number
                continue
            moved[label], waiting[label] = before, number
            if self._waiting.get(label) != number and not self._stop.is_set():
                LOG.warning(
                    "The label %s stays with version %d until version %d is "
                    "loaded.",
                    *(label, before, number),
                )
        self._waiting = waiting
        return moved

    def _let_go(self) -> None:
        """Gives back the memory of versions that nobody uses any more."""
        used = [each for each in self._leaving if each() is not None]
        if len(used) < len(self._leaving):
            give_back()
        self._leaving = used

    def _load_all(self, numbers: set[int], first: int | None) -> dict[int, str]:
        """Loads versions, `first` and then the newest; why some have failed."""
        changed = {n: _changed(self.path / str(n)) for n in numbers}
        self._coming = {
            n
            for n, when in changed.items()
            if self._failed.get(n, (0, ""))[0] != when
        }
        failed = {}
        for number in sorted(
            self._coming, key=lambda n: (n == first, n), reverse=True
        ):
            if self._stop.is_set():
                break
            begun = time.monotonic()
            try:
                fresh = self._load(number)
            except Exception as error:  # files can hold anything
                failed[number] = short_line(str(error)) or type(error).__name__
                self._failed = {
                    **self._failed,
                    number: (changed[number], failed[number]),
                }
            else:
                self._failed = {
                    n: f for n, f in self._failed.items() if n != number
                }
                self._loaded = {**self._loaded, number: fresh}
                if not self._stop.is_set():
                    took = time.monotonic() - begun
                    say(f"Version {number} is ready, after {took:.1f} s.")
            self._coming = self._coming - {number}
        return failed

    def _load(self, number: int) -> Servable:
        """A version that has answered its warm-up requests."""
        begun = time.monotonic()
        fresh = Servable(self.path / str(number))
        took = time.monotonic() - begun
        say(f"Version {number} is loaded, in {took:.1f} s; it warms up.")
        self._warm_up(fresh)
        return fresh

    def _warm_up(self, fresh: Servable) -> None:
        most = self._limits.warm_up_seconds
        left_out = warm_up(fresh, most, self._stop.is_set)
        if left_out and not self._stop.is_set():
            LOG.warning(
                "Version %d is slow to warm up: %d of its requests did not fit "
                "into %g s, and the first of their kind will be slow.",
                fresh.version,
                left_out,
                most,
            )

    def watch(self, seconds: float) -> threading.Thread:
        """Refreshes as often as that, in a thread, until `stop`.

        Memory that answers have left free goes back each time.
        """

        def look() -> None:
            while not self._stop.wait(seconds):
                try:
                    _report(self.refresh())
                except Exception:  # somebody moves folders about
                    LOG.exception("The versions cannot be looked at.")
                trim()

        thread = threading.Thread(target=look, daemon=True, name="versions")
        thread.start()
        return thread

    def stop(self) -> None:
        """Ends `watch`, and `load` before the next version."""
        self._stop.set()

    def named(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> int | None:
        """The number of the version that a request names, if it names one.

        Raises:
          RequestError: where there is no such model or label.
        """
        if name != self.name:
            raise RequestError(
                "NOT_FOUND",
                f"the model is called {self.name}. Received: {quote(name)}.",
            )
        if label is None:
            return version
        labels = self._labels
        if label not in labels:
            raise RequestError(
                "NOT_FOUND",
                f"labels are {', '.join(sorted(labels)) or 'none'}. "
                f"Received: {quote(label)}.",
            )
        return labels[label]

    def find(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> Servable:
        """The version that a request names; the newest where it names none.

        Raises:
          RequestError: where there is no such, or not yet.
        """
        number, loaded = self.named(name, version, label), self._loaded
        if number is None and loaded:
            number = max(loaded)
        if number in loaded:
            return loaded[number]
        if number is None or number in self._coming:
            which = "the first version" if number is None else number
            raise RequestError(
                "UNAVAILABLE",
                "a version answers once it is loaded and warmed up. Received: "
                f"a request for {which}, before that. Try again later.",
            )
        raise self._missing(number)

    def check_ready(self) -> None:
        """Refuses while the version that clients are to ask does not answer.

        That is the one with the label `STABLE`, or the newest where no version
        has it.

        Raises:
          RequestError: with the reason.
        """
        label = STABLE if STABLE in self._labels else None
        try:
            self.find(self.name, label=label)
        except RequestError as error:
            raise RequestError("UNAVAILABLE", str(error)) from error

    def status(self, only: int | None = None) -> list[dict[str, Any]]:
        """`ModelVersionStatus` of each version, newest first, in plain values.

        Args:
          only: a version's number, or all of them.

        Raises:
          RequestError: where there is no such version.
        """
        found = {n: ("LOADING", "OK", "") for n in self._coming}
        found = {
            n: ("END", "UNKNOWN", reason)
            for n, (_, reason) in self._failed.items()
        } | found
        found |= {n: ("AVAILABLE", "OK", "") for n in self._loaded}
        if only is not None and only not in found:
            raise self._missing(only)
        return [
            {
                "version": str(number),
                "state": state,
                "status": {"error_code": code, "error_message": message},
            }
            for number, (state, code, message) in sorted(
                found.items(), reverse=True
            )
            if only in (None, number)
        ]

    def _missing(self, number: int) -> RequestError:
        if number in self._failed:
            _, reason = self._failed[number]
            return RequestError(
                "NOT_FOUND",
                f"a version answers where it loads. Received: {number}, which "
                f"does not: {reason}",
            )
        loaded = ", ".join(map(str, sorted(self._loaded))) or "none"
        return RequestError(
            "NOT_FOUND", f"loaded versions are {loaded}. Received: {number}."
        )


def _wanted(there: Collection[int], labels: Mapping[str, int]) -> set[int]:
    """Of the versions that are there the newest, and those with a label."""
    return {max(there), *labels.values()} & set(there) if there else set()


def _changed(folder: pathlib.Path) -> int:
    """When a file of a version has changed last, nanoseconds."""
    return max(p.lstat().st_mtime_ns for p in (folder, *folder.rglob("*")))


def _report(failed: dict[int, str]) -> None:
    for number, reason in failed.items():
        LOG.error("Version %d does not load: %s", number, reason)
