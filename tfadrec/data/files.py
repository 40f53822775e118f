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
      InputError: where the path is empty, begins with an unknown home, is a
        `data:` URI, or no installed filesystem knows the URI.
    """
    text = str(path)
    if not text or "\0" in text or text.startswith("data:"):
        mend = "Write what it holds into a file" if text else "Name one"
        raise InputError(
            "a path must name a file or a folder. Received: "
            f"{text[:100]!r}, which cannot. {mend}."
        )
    if "://" not in text:
        local = pyarrow.fs.LocalFileSystem()
        try:
            return local, str(pathlib.Path(text).expanduser().absolute())
        except RuntimeError as error:
            raise InputError(
                "a path must name a file or a folder. Received: "
                f"{text!r}, which begins with the home of an unknown user. "
                "Write it in full."
            ) from error
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


def require_files(
    filesystem: pyarrow.fs.FileSystem, info: pyarrow.fs.FileInfo, name: str
) -> None:
    """Refuses pipes, devices and sockets, which may never end.

    Args:
      filesystem: where the file or folder is.
      info: what is known of it; a folder is looked through.
      name: what to call it in messages.

    Raises:
      InputError: where there is one.
    """
    found = [info]
    if info.type == pyarrow.fs.FileType.Directory:
        inside = pyarrow.fs.FileSelector(info.path, recursive=True)
        found += filesystem.get_file_info(inside)
    for each in found:
        if each.type == pyarrow.fs.FileType.Unknown:
            raise InputError(
                "what is read must be a regular file. Received: "
                f"{name if each is info else each.path}, a pipe or a device. "
                "Write what it holds into a file."
            )
