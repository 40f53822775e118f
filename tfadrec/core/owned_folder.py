"""A folder that belongs to one writer, and is replaced as a whole."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Callable, Collection, Iterator

from tfadrec.core.errors import InputError
from tfadrec.core.exchange import exchange
from tfadrec.core.manifest import NAME, Manifest, entries
from tfadrec.core.scratch_folder import (
    FRESH,
    OLD,
    clear_leftovers,
    scratch_folder,
    write_names,
)


class OwnedFolder:
    """The folder that a writer writes to, in which nothing else is.

    A writer owns the files that it wrote, as the folder's `manifest.json` lists
    them, as long as nobody has changed them. Anything else in the folder is an
    error, so nothing of the user's is ever removed.

    What is written takes its place at once: at every moment the folder is the
    old one, whole, or the new one. Where the system cannot exchange two folders
    (see `exchange`) the old one is moved away first; a process that is killed
    between the two steps leaves it in a hidden folder beside, and the next call
    of the writer moves it back.

    A symbolic link is followed, and stays a link.

    Args:
      out: the folder, as the user named it.
      kind: what it is, such as `dataset`.
      older: the files of a folder without a manifest that a version which wrote
        none has written; none where the folder is not of that version.

    Raises:
      InputError: where the path is no name of a local folder.

    Example:
      folder = OwnedFolder(out, "dataset")
      folder.check()  # before the work
      with folder.replacing() as fresh:
          (fresh / "a.txt").write_text("all that the folder is to hold")
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        kind: str,
        *,
        older: Callable[[pathlib.Path], Collection[str]] | None = None,
    ) -> None:
        self.out = str(out)
        self.kind = kind
        self.path = local_path(out, f"a {kind}", "folder")
        self._older = older

    def check(self) -> None:
        """Clears what killed calls have left, and looks what is in the way.

        Raises:
          InputError: where something is there that this writer did not write.
        """
        clear_leftovers(self.path, self.kind)
        self._owned()

    @property
    def is_made(self) -> bool:
        """Whether an earlier call has made it, which may have been killed then.

        What that has left beside the folder is cleared away; what the folder
        holds is not looked at.
        """
        clear_leftovers(self.path, self.kind)
        return self.path.exists()

    @contextlib.contextmanager
    def replacing(self) -> Iterator[pathlib.Path]:
        """An empty folder to write to, which then becomes this one.

        Where the body raises, or is interrupted, nothing has changed.

        Raises:
          InputError: where something is there that this writer did not write.
          OSError: where the folder cannot be written.
        """
        self.check()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(self.path, self.kind) as scratch:
            fresh = scratch / FRESH
            fresh.mkdir()
            yield fresh
            manifest = Manifest.of(fresh, self.kind)
            manifest.write(fresh)
            self._take_place(scratch, {*manifest.files, NAME})

    def remove(self) -> None:
        """Removes the folder, where there is one, whole at once.

        Raises:
          InputError: where something is there that this writer did not write.
        """
        clear_leftovers(self.path, self.kind)
        owned = self._owned()
        if self.path.exists():
            with scratch_folder(self.path, self.kind) as scratch:
                write_names(scratch, owned)
                os.rename(self.path, scratch / FRESH)

    def _owned(self) -> set[str]:
        """The files of the folder, all of which this writer wrote."""
        if not os.path.lexists(self.path):
            return set()
        if not self.path.is_dir():
            raise self._refusal("which is something else")
        manifest = Manifest.in_folder(self.path)
        if manifest is not None:
            if manifest.kind != self.kind:
                raise self._refusal(f"which is a {manifest.kind}")
            known = {*manifest.files, NAME}
        else:
            known = set(self._older(self.path)) if self._older else set()
        files = set()
        # It ends at the first stranger, as this may be a whole disk.
        for name, is_file in entries(self.path):
            if not is_file or name not in known:
                raise self._refusal(
                    f"which also holds {name}"
                    if known
                    else f"which holds {name}, and no {NAME} that tells where "
                    "it comes from"
                )
            files.add(name)
        changed = manifest and manifest.first_changed(self.path)
        if changed:
            raise self._refusal(
                f"where {changed} was changed after it was written"
            )
        return files

    def _take_place(self, scratch: pathlib.Path, made: set[str]) -> None:
        owned = self._owned()
        fresh = scratch / FRESH
        if not owned:
            # Renaming a folder replaces an empty one, and no other one.
            os.rename(fresh, self.path)
            return
        shutil.copymode(self.path, fresh)
        write_names(scratch, owned | made)
        if not exchange(fresh, self.path):
            self._move_and_take_place(scratch)
            return
        for name, _ in entries(fresh):
            if name not in owned:
                # It came between the last look and the exchange.
                exchange(fresh, self.path)
                raise self._refusal(f"which also holds {name}")

    def _move_and_take_place(self, scratch: pathlib.Path) -> None:
        # If the second step fails, `scratch_folder` moves the folder back.
        os.rename(self.path, scratch / OLD)
        os.rename(scratch / FRESH, self.path)

    def _refusal(self, what: str) -> InputError:
        return InputError(
            f"a {self.kind} only takes the place of a {self.kind}. Received: "
            f"{self.out}, {what}. Move that away, or name another folder."
        )


def local_path(
    out: str | os.PathLike[str], thing: str, what: str
) -> pathlib.Path:
    """The absolute path that `out` names, with links followed.

    Args:
      out: a path as the user wrote it, which may begin with `~`.
      thing: what is written there, with its article.
      what: `folder` or `file`.

    Raises:
      InputError: where it names nothing, a URI, an unknown user's home, or goes
        in a circle of links.
    """
    text = os.fspath(out)
    if not text or "\0" in text:
        raise InputError(
            f"{thing} is written to a {what} that has a name. Received: "
            f"{text!r}. Name a {what}."
        )
    if "://" in text:
        raise InputError(
            f"{thing} is written to a local {what}. Received: {text}. Write "
            f"it locally, then copy the {what}."
        )
    try:
        path = os.path.realpath(pathlib.Path(text).expanduser())
    except RuntimeError as error:
        raise InputError(
            f"{thing} is written to a {what} that can be found. Received: "
            f"{text}, which begins with the home of an unknown user. Write the "
            "path in full."
        ) from error
    if os.path.islink(path):
        raise InputError(
            f"{thing} is written to a {what} that can be found. Received: "
            f"{text}, a link that leads back to itself. Mend the link."
        )
    return pathlib.Path(path)
