"""Paths and URIs to Arrow filesystems."""

import pathlib

import pyarrow as pa
import pyarrow.fs

from tfadrec.core.errors import InputError


def open_filesystem(
    path: str | pathlib.Path,
) -> tuple[pyarrow.fs.FileSystem, str]:
    """The filesystem of a path, and the path inside it.

    Args:
      path: a local path, or a URI that pyarrow or fsspec knows.

    Raises:
      InputError: where no installed filesystem knows the URI.
    """
    text = str(path)
    if "://" not in text:
        local = pyarrow.fs.LocalFileSystem()
        return local, str(pathlib.Path(text).expanduser().absolute())
    try:
        return pyarrow.fs.FileSystem.from_uri(text)
    except pa.ArrowInvalid:
        import fsspec

        try:
            filesystem, inner = fsspec.core.url_to_fs(text)
        except (ValueError, ImportError) as error:
            raise InputError(
                f"a URI needs an installed filesystem. Received: {text!r} "
                f"({error}). Use a local path, or install the filesystem."
            ) from error
        handler = pyarrow.fs.FSSpecHandler(filesystem)
        return pyarrow.fs.PyFileSystem(handler), inner
