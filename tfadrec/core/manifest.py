"""The list of the files that a writer has put into a folder."""

import concurrent.futures
import dataclasses
import hashlib
import json
import os
import pathlib
import stat
from collections.abc import Collection, Iterator, Mapping
from typing import Any, BinaryIO

from tfadrec.core.errors import InputError
from tfadrec.core.read_json import parse_json

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
      coming: the same of files that were taking their places when the list was
        written: each is there as `files` has it, or as this has it.
    """

    kind: str
    files: Mapping[str, tuple[int, str]]
    coming: Mapping[str, tuple[int, str]] = dataclasses.field(
        default_factory=dict
    )

    @classmethod
    def of(cls, folder: pathlib.Path, kind: str) -> "Manifest":
        """The list of all files that are in a folder now."""
        names = [name for name, is_file in entries(folder) if is_file]
        with concurrent.futures.ThreadPoolExecutor() as threads:
            facts = threads.map(facts_of_file, [folder / n for n in names])
            return cls(kind, dict(zip(names, facts, strict=True)))

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
            found = parse_json(text)
            kind = found["tfadrec"]
            files = _read_facts(found["files"])
            coming = _read_facts(found.get("coming", {}))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _no_manifest(name) from error
        if not isinstance(kind, str):
            raise _no_manifest(name)
        return cls(kind, files, coming)

    def to_json(self) -> str:
        """The manifest as text, the same for the same files."""
        told: dict[str, object] = {
            "tfadrec": self.kind,
            "files": _plain_facts(self.files),
        }
        if self.coming:
            told["coming"] = _plain_facts(self.coming)
        return json.dumps(told, indent=1)

    def write(self, folder: pathlib.Path) -> None:
        """Writes the list into its folder."""
        (folder / NAME).write_text(self.to_json() + "\n", encoding="utf-8")

    def facts_of(self, name: str) -> list[tuple[int, str]]:
        """What a file may be, bytes and SHA-256: one, two or none of them."""
        lists = (self.files, self.coming)
        return [facts[name] for facts in lists if name in facts]

    def holds(self, folder: pathlib.Path, name: str) -> bool:
        """Whether a file is there, as the list has it."""
        known, file = self.facts_of(name), folder / name
        return (
            bool(known)
            and file.is_file()
            and file.stat().st_size in {size for size, _ in known}
            and facts_of_file(file) in known
        )

    def describes(self, name: str, content: bytes | memoryview) -> bool:
        """Whether `content` is what was written into a file."""
        found = (len(content), hashlib.sha256(content).hexdigest())
        return found in self.facts_of(name)

    def first_changed(self, folder: pathlib.Path) -> str | None:
        """The first file of a local folder that is not as it was written.

        A listed file that is not there is not a changed one.
        """
        for name in sorted(self.files):
            if (folder / name).is_file() and not self.holds(folder, name):
                return name
        return None


def first_damaged(folder: pathlib.Path, names: Collection[str]) -> str | None:
    """The first of some files that is not as the folder's manifest has it.

    A writer may be at work there: a file that does not fit counts only where
    the manifest is still the same afterwards.

    Args:
      folder: a local folder. Without a manifest nothing is known of its files.
      names: of files in it. One that is neither there nor listed is not looked
        at; one that is missing though it is listed counts, unless it was only
        coming.

    Raises:
      InputError: where the manifest is none.
    """
    while (manifest := Manifest.in_folder(folder)) is not None:
        damaged = next(
            (
                name
                for name in names
                if (name in manifest.files or os.path.lexists(folder / name))
                and not manifest.holds(folder, name)
            ),
            None,
        )
        if damaged is None or Manifest.in_folder(folder) == manifest:
            return damaged
    return None


def entries(folder: pathlib.Path) -> Iterator[tuple[str, bool]]:
    """All that is below a folder, in the order of the names.

    Links are not followed. Folders are told only where they are empty.

    Yields:
      The path inside the folder, with `/` between its parts, and whether it is
      a regular file.
    """
    waiting = [""]
    while waiting:
        place = waiting.pop()
        with os.scandir(folder / place) as scan:
            found = sorted(scan, key=lambda entry: entry.name)
        if place and not found:
            yield place, False
        inner = []
        for entry in found:
            path = f"{place}/{entry.name}" if place else entry.name
            if entry.is_dir(follow_symlinks=False):
                inner.append(path)
            else:
                yield path, entry.is_file(follow_symlinks=False)
        waiting += reversed(inner)


def facts_of_file(file: pathlib.Path) -> tuple[int, str]:
    """The number of a file's bytes, and their SHA-256 in hexadecimal."""
    with file.open("rb") as stream:
        return facts_of_stream(stream)


def facts_of_stream(stream: BinaryIO) -> tuple[int, str]:
    """The number of bytes that are left, and their SHA-256 in hexadecimal."""
    digest, size = hashlib.sha256(), 0
    while block := stream.read(_BLOCK):
        digest.update(block)
        size += len(block)
    return size, digest.hexdigest()


def _plain_facts(
    files: Mapping[str, tuple[int, str]],
) -> dict[str, dict[str, object]]:
    return {
        path: {"bytes": size, "sha256": digest}
        for path, (size, digest) in sorted(files.items())
    }


def _read_facts(found: Mapping[str, Any]) -> dict[str, tuple[int, str]]:
    """What `_plain_facts` gave, or a ValueError."""
    files = {
        path: (facts["bytes"], facts["sha256"]) for path, facts in found.items()
    }
    for path, (size, digest) in files.items():
        is_right = type(size) is int and size >= 0 and isinstance(digest, str)
        if not (is_right and _is_inside(path)):
            raise ValueError(path)
    return files


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
