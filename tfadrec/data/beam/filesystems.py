"""Beam's filesystems, for whoever opens files by a URI."""

from typing import Any

import fsspec
from apache_beam.io.filesystem import FileSystem
from apache_beam.io.filesystems import FileSystems


def register() -> None:
    """Lets fsspec open URIs that only Beam knows in this environment."""
    for kind in FileSystem.get_all_subclasses():
        scheme = kind.scheme()
        if scheme is not None and not _is_known(scheme):
            fsspec.register_implementation(scheme, _OfBeam, clobber=True)


def _is_known(scheme: str) -> bool:
    try:
        fsspec.get_filesystem_class(scheme)
    except (ImportError, ValueError):
        return False
    return True


class _OfBeam(fsspec.AbstractFileSystem):
    """Files to read, by whole URIs."""

    cachable = False

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return path

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> list[Any]:
        """All files below a folder, however deep."""
        folder = path.rstrip("/")
        found = [_file(f) for f in _match(f"{folder}/**")]
        return found if detail else [f["name"] for f in found]

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        """A file, or a folder with files in it."""
        # Some filesystems have folders, which they would show as files.
        if self.ls(path):
            return {"name": path, "size": 0, "type": "directory"}
        for file in _match(path.rstrip("/")):
            return _file(file)
        raise FileNotFoundError(path)

    def _open(self, path: str, mode: str = "rb", **kwargs: Any) -> Any:
        # Whoever reads a file knows best whether it is packed.
        return FileSystems.open(path, compression_type="uncompressed")


def _match(pattern: str) -> list[Any]:
    (found,) = FileSystems.match([pattern])
    return found.metadata_list


def _file(file: Any) -> dict[str, Any]:
    return {"name": file.path, "size": file.size_in_bytes, "type": "file"}
