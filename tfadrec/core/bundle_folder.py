"""The folder of a bundle's versions: its name, and what may be in it."""

import os
import pathlib
import re

from tfadrec.core.errors import InputError
from tfadrec.core.manifest import Manifest, first_damaged
from tfadrec.core.owned_folder import OwnedFolder
from tfadrec.core.scratch_folder import clear_leftovers_in
from tfadrec.core.work_folder import WorkFolder

#: What every export writes beside the versions.
MODELS = "models.config"
#: What a server reads of a version.
MODEL = "saved_model.pb"
#: The kind of the folder of a version.
VERSION = "bundle version"


def bundle_folder(path: str | os.PathLike[str]) -> WorkFolder:
    """The folder of a bundle's versions, which is a team's as well.

    A team may change every file beside the versions, so nothing in it is in the
    way; see `deployment` for what an export writes there.
    """
    return WorkFolder(path, "bundle", others=("*",), older=_files_of_version_1)


def version_folder(path: pathlib.Path, version: int) -> OwnedFolder:
    """The folder of one version, which nobody changes.

    What killed exports have left in `path` is removed.
    """
    clear_leftovers_in(path, VERSION)
    return OwnedFolder(path / str(version), VERSION)


def require_whole(version: pathlib.Path) -> None:
    """Refuses a version whose files are not as they were exported.

    Without a manifest, as in a bundle of version 0.1.0, none is compared.

    Raises:
      InputError: with the name of the first such file, or where there is no
        SavedModel.
    """
    manifest = Manifest.in_folder(version)
    damaged = manifest and first_damaged(version, sorted(manifest.files))
    if damaged:
        raise InputError(
            "a bundle's files must be as they were exported. Received: "
            f"{version}, where {damaged} is not. Export the run again, and "
            "remove that version."
        )
    if not (version / MODEL).is_file():
        raise InputError(
            f"a bundle's version is a SavedModel. Received: {version}, where "
            f"{MODEL} is no file. Export the run again, and remove that "
            "version."
        )


def _files_of_version_1(path: pathlib.Path) -> set[str]:
    """What version 0.1.0, which had no manifests, wrote at every export."""
    is_bundle = (path / MODELS).is_file() and version_numbers(path)
    return {"README.md", "request.json"} if is_bundle else set()


def newest_version(path: str | os.PathLike[str]) -> pathlib.Path:
    """The folder of a bundle's version, whatever its files are.

    Args:
      path: see `version_path`.

    Raises:
      InputError: where there is no bundle.
    """
    path = pathlib.Path(path)
    if (path / MODEL).is_file():
        return path
    return path / str(existing_versions(path)[-1])


def version_path(path: str | os.PathLike[str]) -> pathlib.Path:
    """The folder of a bundle's version, whose files are as they were exported.

    Args:
      path: a version's folder, or the folder of versions, of which the newest
        is taken.

    Raises:
      InputError: where there is no bundle, or a file is not as it was exported.
    """
    version = newest_version(path)
    require_whole(version)
    return version


def check_bundle_folder(path: pathlib.Path) -> None:
    """Refuses what a bundle's versions cannot be written to.

    Raises:
      InputError: for a name that no path of a server can have, a file, or a
        folder that something else is in.
    """
    name = path.absolute().name
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise InputError(
            "a model is called as its folder is, in letters, digits, dots, "
            f"dashes and underscores. Received: {name!r}. Choose another "
            "folder."
        )
    if path.exists() and not path.is_dir():
        raise InputError(
            f"a bundle is written to a folder. Received: {path}, which is a "
            "file. Name another one."
        )
    # What is hidden a killed export has left.
    shown = path.glob("[!.]*") if path.is_dir() else ()
    there = sorted(each.name for each in shown)
    if there and MODELS not in there and not version_numbers(path):
        raise InputError(
            "a bundle is written to a folder of its own. Received: "
            f"{path}, which holds {', '.join(there[:3])} and no version. Name "
            "another folder with --out."
        )


def version_numbers(path: pathlib.Path) -> list[int]:
    """The numbers of the version folders there, as a server reads them."""
    there = path.iterdir() if path.is_dir() else ()
    found = ((version_number(each.name), each) for each in there)
    return sorted(n for n, each in found if n is not None and each.is_dir())


def existing_versions(path: pathlib.Path) -> list[int]:
    """The same of a folder that has to have one.

    Raises:
      InputError: where there is none, or the folder is a version itself.
    """
    if (path / MODEL).is_file():
        raise InputError(
            "a bundle is the folder of its versions. Received: "
            f"{path}, a version. Name {path.parent}."
        )
    found = version_numbers(path)
    if not found:
        is_run = (path / "model.keras").is_file()
        raise InputError(
            "a bundle is a folder of numbered versions. Received: "
            f"{path}{', a run' if is_run else ''}. Write one with `tfadrec "
            f"export{f' {path} --out …' if is_run else ''}`."
        )
    return found


def version_number(text: str) -> int | None:
    """The number of a version, or None for what a server takes for none.

    It has at most 64 bits.
    """
    if not re.fullmatch(r"[0-9]{1,19}", text):
        return None
    return int(text) if int(text) < 2**63 else None
