"""What stands beside the versions of a bundle: settings for a server."""

import importlib.resources
import os
import pathlib
import re
import string
from collections.abc import Mapping
from typing import Any

from tfadrec.core.errors import InputError

#: Written once, for a team to change.
_KEPT = (
    "batching.config",
    "monitoring.config",
    "docker-compose.yml",
    "kubernetes.yaml",
)
_TEMPLATES = importlib.resources.files("tfadrec.serving") / "templates"


def check_name(name: str) -> None:
    """Refuses what cannot be the name of a model in a path of a server.

    Raises:
      InputError: for such a name.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise InputError(
            "a model is called as its folder is, in letters, digits, dots, "
            f"dashes and underscores. Received: {name!r}. Choose another "
            "folder."
        )


def write_deployment(
    path: pathlib.Path, version: int, signatures: Mapping[str, Any]
) -> None:
    """Writes `models.config`, README, and what is not there yet.

    The version gets the label canary. The label stable stays where it is; the
    first version gets both.

    Args:
      path: the folder of versions; the model is called as it is.
      version: the version that was just exported.
      signatures: name -> concrete function.
    """
    name = path.absolute().name
    file = path / "models.config"
    stable = version
    if file.is_file():
        found = re.search(r'"stable"\s+value:\s*(\d+)', file.read_text("utf-8"))
        if found and (path / found[1]).is_dir():
            stable = int(found[1])
    values = {
        "name": name,
        # As names in Kubernetes have to be.
        "label": re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"),
        "stable": stable,
        "canary": version,
        "versions": "\n".join(
            f"        versions: {number}"
            for number in sorted({stable, version})
        ),
        "signatures": "\n\n".join(
            _describe(name, signature) for name, signature in signatures.items()
        ),
    }
    for kept in _KEPT:
        if not (path / kept).exists():
            _write(path / kept, values)
    _write(path / "README.md", values)
    _write(file, values)


def _write(file: pathlib.Path, values: Mapping[str, Any]) -> None:
    template = (_TEMPLATES / file.name).read_text("utf-8")
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(string.Template(template).substitute(values), "utf-8")
    os.replace(fresh, file)


def _describe(name: str, signature: Any) -> str:
    lines = [
        f"### `{name}`",
        "",
        "| | name | type | shape |",
        "|---|---|---|---|",
    ]
    specs = {
        "input": signature.structured_input_signature[1],
        "output": signature.structured_outputs,
    }
    for side, named in specs.items():
        for key, spec in sorted(named.items()):
            sizes = ", ".join("?" if n is None else str(n) for n in spec.shape)
            lines.append(
                f"| {side} | `{key}` | {spec.dtype.name} | [{sizes}] |"
            )
    return "\n".join(lines)
