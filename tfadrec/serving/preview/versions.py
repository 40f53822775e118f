"""Which versions of a bundle are loaded, and under which labels."""

import os
import pathlib
import threading
import time
import weakref
from typing import Any

from tfadrec.core.bundle_folder import existing_versions, version_numbers
from tfadrec.core.errors import InputError
from tfadrec.core.memory import give_back, trim
from tfadrec.serving.deployment import read_labels
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.log import LOG, say
from tfadrec.serving.preview.request_error import (
    RequestError,
    quote,
    short_line,
)
from tfadrec.serving.preview.servable import Servable
from tfadrec.serving.preview.warm_up import warm_up


class Versions:
    """The newest version in a folder, and those that have a label.

    A version is found once it has answered its warm-up requests.

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
        self._labels: dict[str, int] = {}
        self._stop = threading.Event()
        # Those that are loaded now, or next.
        self._coming = {existing_versions(self.path)[-1]}

    def load(self) -> None:
        """Loads the versions that are there, the newest first.

        Each is found as soon as it is ready, while others are still loaded.

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

        While the newest version does not load, the newest that did stays. A
        request that is being answered keeps its version until it is done; the
        next call then gives its memory back. A version that fails to load is
        tried again when its files have changed: it may have been half copied.

        Returns:
          Version that has failed to load now -> why.
        """
        there = version_numbers(self.path)
        labels = {
            label: number
            for label, number in read_labels(self.path).items()
            if number in there
        }
        wanted = {max(there), *labels.values()} if there else set()
        if not self._loaded:
            self._labels = labels
        failed = self._load_all(wanted - set(self._loaded))
        self._labels = labels
        self._failed = {n: f for n, f in self._failed.items() if n in there}
        usable = set(self._loaded) & set(there)
        if usable:
            usable &= {max(usable), *labels.values()}
            self._leaving += [
                weakref.ref(each)
                for number, each in self._loaded.items()
                if number not in usable
            ]
            self._loaded = {n: self._loaded[n] for n in sorted(usable)}
        self._let_go()
        return failed

    def _let_go(self) -> None:
        """Gives back the memory of versions that nobody uses any more."""
        used = [each for each in self._leaving if each() is not None]
        if len(used) < len(self._leaving):
            give_back()
        self._leaving = used

    def _load_all(self, numbers: set[int]) -> dict[int, str]:
        """Loads versions, the newest first; why some of them have failed."""
        changed = {n: _changed(self.path / str(n)) for n in numbers}
        self._coming = {
            n
            for n, when in changed.items()
            if self._failed.get(n, (0, ""))[0] != when
        }
        failed = {}
        for number in sorted(self._coming, reverse=True):
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
        loaded = ", ".join(map(str, sorted(self._loaded))) or "none"
        return RequestError(
            "NOT_FOUND", f"loaded versions are {loaded}. Received: {number}."
        )


def _changed(folder: pathlib.Path) -> int:
    """When a file of a version has changed last, nanoseconds."""
    return max(p.lstat().st_mtime_ns for p in (folder, *folder.rglob("*")))


def _report(failed: dict[int, str]) -> None:
    for number, reason in failed.items():
        LOG.error("Version %d does not load: %s", number, reason)
