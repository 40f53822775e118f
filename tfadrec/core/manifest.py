"""The list of the files that a writer has put into a folder."""

import dataclasses
import hashlib
import json
import os
import pathlib
import stat
from collections.abc import Mapping

from tfadrec.core.errors import InputError

#: What the list is called; it does not list itself.
NAME = "manifest.json"
_MOST_BYTES = 1 << 26
_BLOCK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The files that one writer has put into a folder.

    Args:
      kind: what the folder is, such as `dataset`.
      files: the path inside the folder, with `/` between its parts, -> the
        number of its bytes and their SHA-256 in hexadecimal.
    """

    kind: str
    files: Mapping[str, tuple[int, str]]

    @classmethod
    def of(cls, folder: pathlib.Path, kind: str) -> "Manifest":
        """The list of all files that are in a folder now."""
        names, _ = entries(folder)
        return cls(kind, {name: _facts(folder / name) for name in names})

    @classmethod
    def in_folder(cls, folder: pathlib.Path) -> "Manifest | None":
        """The manifest of a local folder, or None where there is none.

        Raises:
          InputError: where there is a file of that name that is none.
        """
        file = folder / NAME
        try:
            facts = file.lstat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MOST_BYTES:
            raise _no_manifest(str(file))
        return cls.from_json(file.read_bytes(), str(file))

    @classmethod
    def from_json(cls, text: str | bytes, name: str) -> "Manifest":
        """Reads what `to_json` wrote.

        Args:
          text: the JSON text, UTF-8 where it is bytes.
          name: what to call the file in messages.

        Raises:
          InputError: where it is no manifest.
        """
        try:
            found = json.loads(text)
            files = {
                path: (facts["bytes"], facts["sha256"])
                for path, facts in found["files"].items()
            }
            right = isinstance(found["tfadrec"], str) and all(
                _is_inside(path)
                and type(size) is int
                and size >= 0
                and isinstance(digest, str)
                for path, (size, digest) in files.items()
            )
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            raise _no_manifest(name) from error
        if not right:
            raise _no_manifest(name)
        return cls(found["tfadrec"], files)

    def to_json(self) -> str:
        """The manifest as text, the same for the same files."""
        files = {
            path: {"bytes": size, "sha256": digest}
            for path, (size, digest) in sorted(self.files.items())
        }
        return json.dumps({"tfadrec": self.kind, "files": files}, indent=1)

    def write(self, folder: pathlib.Path) -> None:
        """Writes the list into its folder."""
        (folder / NAME).write_text(self.to_json() + "\n", encoding="utf-8")

    def describes(self, name: str, content: bytes | memoryview) -> bool:
        """Whether `content` is what was written into a file."""
        return self.files.get(name) == (
            len(content),
            hashlib.sha256(content).hexdigest(),
        )

    def first_changed(self, folder: pathlib.Path) -> str | None:
        """The first file of a local folder that is not as it was written.

        A listed file that is not there is not a changed one.
        """
        for name, facts in sorted(self.files.items()):
            file = folder / name
            if not file.is_file():
                continue
            if file.stat().st_size != facts[0] or _facts(file) != facts:
                return name
        return None


def entries(folder: pathlib.Path) -> tuple[set[str], set[str]]:
    """The regular files below a folder, and whatever else is there.

    Links are not followed: they are among what else is there, and so are pipes
    and empty folders.

    Returns:
      Two sets of paths inside the folder, with `/` between their parts.
    """
    files: set[str] = set()
    others: set[str] = set()

    def look(place: str) -> None:
        with os.scandir(place) as found:
            for entry in found:
                path = pathlib.Path(entry.path).relative_to(folder).as_posix()
                if entry.is_file(follow_symlinks=False):
                    files.add(path)
                elif entry.is_dir(follow_symlinks=False):
                    before = len(files) + len(others)
                    look(entry.path)
                    if before == len(files) + len(others):
                        others.add(path)
                else:
                    others.add(path)

    look(str(folder))
    return files, others


def _facts(file: pathlib.Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _is_inside(path: str) -> bool:
    """Whether a path of a manifest stays in its folder."""
    pure = pathlib.PurePosixPath(path)
    return (
        bool(path)
        and "\0" not in path
        and not pure.is_absolute()
        and ".." not in pure.parts
        and pure.as_posix() == path
        and path != "."
    )


def _no_manifest(name: str) -> InputError:
    return InputError(
        f"a {NAME} must list the files that tfadrec wrote. Received: {name}, "
        "which does not. Move it away, or name another folder."
    )
