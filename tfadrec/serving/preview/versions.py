"""Which versions of a bundle are loaded, and under which labels."""

import os
import pathlib
import sys
import threading
from typing import Any

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.serving.deployment import read_labels
from tfadrec.serving.preview.request_error import RequestError, quote
from tfadrec.serving.preview.servable import Servable


class Versions:
    """The newest version in a folder, and those that have a label.

    Args:
      path: the folder of a model's versions; the model is called as it is.

    Raises:
      InputError: where there is no version.
      TfadrecError: where none can be loaded.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = pathlib.Path(path)
        self.name = self.path.absolute().name
        self._loaded: dict[int, Servable] = {}
        self._failed: dict[int, str] = {}
        self._labels: dict[str, int] = {}
        self._stop = threading.Event()
        if not self._there():
            raise InputError(
                "a bundle is a folder of numbered versions. Received: "
                f"{path}. Write one with `tfadrec export`."
            )
        self.refresh()
        if not self._loaded:
            number, reason = max(self._failed.items())
            raise TfadrecError(
                "a version must be a SavedModel that loads. Received: "
                f"{self.path / str(number)}: {reason}"
            )

    def refresh(self) -> None:
        """Loads what has come, and lets go of what no longer counts.

        A request that is being answered keeps its version until it is done. A
        version that fails to load is reported and not tried again.
        """
        there = self._there()
        labels = {
            label: number
            for label, number in read_labels(self.path).items()
            if number in there
        }
        wanted = {max(there), *labels.values()} if there else set()
        for number in sorted(wanted - set(self._loaded) - set(self._failed)):
            try:
                fresh = Servable(self.path / str(number))
            except (OSError, ValueError, RuntimeError, tf.errors.OpError) as e:
                self._failed[number] = " ".join(str(e).split())
                print(
                    f"Version {number} does not load: {self._failed[number]}",
                    file=sys.stderr,
                    flush=True,
                )
            else:
                self._loaded = {**self._loaded, number: fresh}
        self._labels = labels
        usable = wanted & set(self._loaded)
        if usable:
            self._loaded = {n: self._loaded[n] for n in sorted(usable)}

    def watch(self, seconds: float) -> threading.Thread:
        """Refreshes as often as that, in a thread, until `stop`."""

        def look() -> None:
            while not self._stop.wait(seconds):
                before = set(self._loaded)
                self.refresh()
                for number in sorted(set(self._loaded) - before):
                    print(f"Version {number} is loaded.", flush=True)

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
            n: ("END", "UNKNOWN", reason) for n, reason in self._failed.items()
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

    def _there(self) -> set[int]:
        if not self.path.is_dir():
            return set()
        return {
            int(p.name)
            for p in self.path.iterdir()
            if p.name.isdecimal() and p.is_dir()
        }
