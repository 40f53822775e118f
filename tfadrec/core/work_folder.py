"""A folder that one writer fills file by file, over hours and many calls."""

import contextlib
import errno
import fcntl
import fnmatch
import os
import pathlib
from collections.abc import Callable, Collection, Iterator, Mapping

from tfadrec.core.errors import InputError
from tfadrec.core.manifest import NAME, Manifest, entries, facts_of_file
from tfadrec.core.owned_folder import local_path
from tfadrec.core.scratch_folder import (
    FRESH,
    clear_leftovers,
    is_scratch,
    scratch_folder,
)


class WorkFolder:
    """The folder of a writer that goes on where an earlier call was ended.

    Like an `OwnedFolder` it has a `manifest.json` of the files that the writer
    wrote, and anything else in it is an error. It is not replaced as a whole:
    each file takes its place in one step, and is the old or the new one at
    every moment. The manifest says so too: before files take their places it is
    written with both their old and their new sums.

    One process at a time holds the folder (`flock` on the folder itself, which
    ends with the process).

    Args:
      out: the folder, as the user named it.
      kind: what it is, such as `run`.
      others: patterns, as of `fnmatch`, of paths in the folder that other
        writers write to, or people. What is there is left alone, unless this
        writer wrote it and nobody has changed it.
      older: the files of a folder without a manifest that a version which wrote
        none has written; none where the folder is not of that version.
      mends: name of a file -> a sentence, what to do where it is damaged. The
        entry `""` is for all other files.

    Raises:
      InputError: where the path is no name of a local folder.

    Example:
      folder = WorkFolder(out, "run")
      with folder.held():
          with folder.writing() as fresh:
              (fresh / "state.json").write_text("{}")
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        kind: str,
        *,
        others: Collection[str] = (),
        older: Callable[[pathlib.Path], Collection[str]] | None = None,
        mends: Mapping[str, str] | None = None,
    ) -> None:
        self.out = str(out)
        self.kind = kind
        self.path = local_path(out, f"a {kind}", "folder")
        self._others = tuple(others)
        self._older = older
        self._mends = mends or {}
        self._files: dict[str, tuple[int, str]] = {}

    @property
    def files(self) -> Collection[str]:
        """The files of the writer, as of the last `check` or `held`."""
        return self._files.keys()

    def check(self) -> None:
        """Looks what is in the way, before long work.

        Raises:
          InputError: where another process holds the folder, something is there
            that this writer did not write, or a file is not as it was written.
        """
        if os.path.lexists(self.path):
            with self._locked():
                self._settle()
        elif not next(filter(os.path.lexists, self.path.parents)).is_dir():
            raise self._no_folder()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Makes the folder where there is none, and keeps others out of it.

        A folder that it has made, and that is empty in the end, is removed.

        Raises:
          InputError: see `check`.
          OSError: where the folder cannot be made.
        """
        is_new = not os.path.lexists(self.path)
        with self._locked():
            try:
                self._settle()
                yield
            finally:
                if is_new:
                    with contextlib.suppress(OSError):
                        self.path.rmdir()

    @contextlib.contextmanager
    def writing(self) -> Iterator[pathlib.Path]:
        """An empty folder, whose files then take their places in this one.

        They do so one after another, in the order of their names. Where the
        body raises, or is interrupted, nothing has changed. The folder is held.

        Raises:
          InputError: where something of others has come to such a place.
          OSError: where the folder cannot be written.
        """
        with scratch_folder(self.path / NAME, self.kind) as scratch:
            fresh = scratch / FRESH
            fresh.mkdir()
            yield fresh
            coming = Manifest.of(fresh, self.kind).files
            for name in coming:
                if os.path.lexists(self.path / name) and not self.is_own(name):
                    raise self._refusal(f"which also holds {name}")
            self._write_manifest(scratch, coming)
            for name, facts in coming.items():
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(fresh / name, self.path / name)
                self._files[name] = facts
            self._write_manifest(scratch)

    def write_text(self, name: str, text: str) -> None:
        """Writes one file; see `writing`."""
        with self.writing() as fresh:
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_text(text, encoding="utf-8")

    def is_own(self, name: str) -> bool:
        """Whether a file is one that the writer has written."""
        return name in self._files

    def adopt(self, name: str) -> None:
        """Takes a file for one of the writer's, to be replaced. It is held."""
        self._files[name] = facts_of_file(self.path / name)

    def remove(self, names: Collection[str]) -> None:
        """Removes those of some files that are the writer's. It is held."""
        own = [name for name in names if self.is_own(name)]
        if not own:
            return
        for name in own:
            (self.path / name).unlink(missing_ok=True)
            del self._files[name]
        with scratch_folder(self.path / NAME, self.kind) as scratch:
            self._write_manifest(scratch)

    def clear(self) -> None:
        """Removes all files of the writer, and the manifest."""
        for name in self._files:
            (self.path / name).unlink(missing_ok=True)
        self._files.clear()
        for place, _, _ in os.walk(self.path, topdown=False):
            if pathlib.Path(place) != self.path:
                with contextlib.suppress(OSError):
                    os.rmdir(place)
        # Last, as it tells whose the folders are.
        (self.path / NAME).unlink(missing_ok=True)

    def damaged(self, name: str) -> InputError:
        """What to say of a file that is not as it was written."""
        mend = self._mends.get(name, self._mends.get("", "Remove it."))
        return InputError(
            f"a {self.kind}'s files must be as they were written. Received: "
            f"{self.out}, where {name} is not. {mend}"
        )

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        lock = self._lock()
        try:
            yield
        finally:
            os.close(lock)

    def _lock(self) -> int:
        """A descriptor that holds the folder, which is made."""
        while True:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except (FileExistsError, NotADirectoryError) as error:
                if os.path.isdir(self.path):
                    continue
                raise self._no_folder() from error
            try:
                lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            except (FileNotFoundError, NotADirectoryError):
                continue  # another call has just removed it
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                    os.close(lock)
                    raise InputError(
                        f"a {self.kind} is written by one process at a time. "
                        f"Received: {self.out}, which another one is writing "
                        "to. Wait for it, or name another folder."
                    ) from error
                # A filesystem without locks.
            # Another call may have removed the folder before it was locked.
            if os.path.exists(self.path) and os.path.samestat(
                os.fstat(lock), os.stat(self.path)
            ):
                return lock
            os.close(lock)

    def _settle(self) -> None:
        """Reads what is there, and refuses what is not of the writer."""
        clear_leftovers(self.path / NAME, self.kind)
        manifest = Manifest.in_folder(self.path)
        if manifest is not None and manifest.kind != self.kind:
            raise self._refusal(f"which is a {manifest.kind}")
        known: Collection[str] = ()
        if manifest is not None:
            known = {*manifest.files, *manifest.coming}
        elif self._older:
            known = set(self._older(self.path))
        files = {}
        for name, is_file in entries(self.path):
            if name == NAME or self._is_emptied(name, known):
                continue
            is_others = self._is_of_others(name)
            if not is_file or name not in known:
                if not is_others:
                    raise self._refusal(f"which also holds {name}")
                continue
            facts = facts_of_file(self.path / name)
            if manifest is None or facts in manifest.facts_of(name):
                files[name] = facts
            elif not is_others:
                raise self.damaged(name)
        self._files = files

    def _is_emptied(self, name: str, known: Collection[str]) -> bool:
        """Whether that is an empty folder in which files of the writer were."""
        path = self.path / name
        return (
            path.is_dir()
            and not path.is_symlink()
            and any(file.startswith(f"{name}/") for file in known)
        )

    def _is_of_others(self, name: str) -> bool:
        return is_scratch(name.partition("/")[0]) or any(
            fnmatch.fnmatchcase(name, pattern) for pattern in self._others
        )

    def _write_manifest(
        self,
        scratch: pathlib.Path,
        coming: Mapping[str, tuple[int, str]] | None = None,
    ) -> None:
        Manifest(self.kind, self._files, coming or {}).write(scratch)
        os.replace(scratch / NAME, self.path / NAME)

    def _no_folder(self) -> InputError:
        return InputError(
            f"a {self.kind} is written to a folder. Received: {self.out}, "
            "which is a file or leads through one. Name another one."
        )

    def _refusal(self, what: str) -> InputError:
        return InputError(
            f"a {self.kind} is written to a folder of its own. Received: "
            f"{self.out}, {what}. Move that away, or name another folder."
        )
