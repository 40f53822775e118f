"""Which versions of a bundle are loaded, and under which labels."""

import os
import pathlib
import threading
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
      InputError: where there is no version, or none can be loaded.
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
        existing_versions(self.path)
        failed = self.refresh()
        if not self._loaded:
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
        tried = {n: self._load(n) for n in sorted(wanted - set(self._loaded))}
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
        return {n: reason for n, reason in tried.items() if reason}

    def _let_go(self) -> None:
        """Gives back the memory of versions that nobody uses any more."""
        used = [each for each in self._leaving if each() is not None]
        if len(used) < len(self._leaving):
            give_back()
        self._leaving = used

    def _load(self, number: int) -> str:
        """Loads a version; the reason if that fails, "" otherwise."""
        folder = self.path / str(number)
        changed = max(
            p.lstat().st_mtime_ns for p in (folder, *folder.rglob("*"))
        )
        if self._failed.get(number, (0, ""))[0] == changed:
            return ""
        try:
            fresh = Servable(folder)
            self._warm_up(fresh)
        except Exception as error:  # files can hold anything
            reason = short_line(str(error)) or type(error).__name__
            self._failed = {**self._failed, number: (changed, reason)}
            return reason
        self._failed = {n: f for n, f in self._failed.items() if n != number}
        self._loaded = {**self._loaded, number: fresh}
        return ""

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
                before = set(self._loaded)
                try:
                    _report(self.refresh())
                except Exception:  # somebody moves folders about
                    LOG.exception("The versions cannot be looked at.")
                for number in sorted(set(self._loaded) - before):
                    say(f"Version {number} is loaded.")
                trim()

        thread = threading.Thread(target=look, daemon=True, name="versions")
        thread.start()
        return thread

    def stop(self) -> None:
        """Ends `watch`."""
        self._stop.set()

    def find(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> Servable:
        """The version that a request names; the newest where it names none.

        Raises:
          RequestError: where there is no such.
        """
        loaded = self._loaded
        if name != self.name:
            raise RequestError(
                "NOT_FOUND",
                f"the model is called {self.name}. Received: {quote(name)}.",
            )
        if label is not None:
            version = self._labels.get(label)
            if version is None:
                raise RequestError(
                    "NOT_FOUND",
                    f"labels are {', '.join(sorted(self._labels)) or 'none'}. "
                    f"Received: {quote(label)}.",
                )
        if version is None:
            return loaded[max(loaded)]
        if version not in loaded:
            raise RequestError(
                "NOT_FOUND",
                f"loaded versions are {', '.join(map(str, sorted(loaded)))}. "
                f"Received: {version}.",
            )
        return loaded[version]

    def status(self, only: int | None = None) -> list[dict[str, Any]]:
        """`ModelVersionStatus` of each version, newest first, in plain values.

        Args:
          only: a version that `find` gave, or all of them.
        """
        found = {n: ("AVAILABLE", "OK", "") for n in self._loaded} | {
            n: ("END", "UNKNOWN", reason)
            for n, (_, reason) in self._failed.items()
        }
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


def _report(failed: dict[int, str]) -> None:
    for number, reason in failed.items():
        LOG.error("Version %d does not load: %s", number, reason)
