"""What stands beside the versions of a bundle: settings for a server."""

import hashlib
import importlib.resources
import json
import os
import pathlib
import re
import string
from collections.abc import Mapping
from typing import Any

from tfadrec.core.bundle_folder import version_number, version_numbers
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.serving.requests import Request

#: Written once, for a team to change.
_KEPT = (
    "batching.config",
    "monitoring.config",
    "docker-compose.yml",
    "kubernetes.yaml",
    "client_rest.py",
    "client_grpc.py",
)
#: Of `models.config` that are read.
_MOST_BYTES = 1 << 20
#: Characters of a name in Kubernetes.
_KUBERNETES = 63
_LABEL = r'version_labels\s*\{\s*key:\s*"([^"\\]*)"\s*value:\s*(\d+)'
_TEMPLATES = importlib.resources.files("tfadrec.serving") / "templates"


def existing_versions(path: pathlib.Path) -> list[int]:
    """The same of a folder that has to have one.

    Raises:
      InputError: where there is none.
    """
    found = version_numbers(path)
    if not found:
        raise InputError(
            "a bundle is a folder of numbered versions. Received: "
            f"{path}. Write one with `tfadrec export`."
        )
    return found


def read_labels(path: pathlib.Path) -> dict[str, int]:
    """Label -> version, as `models.config` says; empty where there is none."""
    file = path / "models.config"
    if not file.is_file():
        return {}
    with file.open("rb") as stream:
        text = stream.read(_MOST_BYTES).decode("utf-8", "replace")
    pairs = re.findall(_LABEL, text, re.ASCII)
    found = {label: version_number(version) for label, version in pairs}
    return {label: n for label, n in found.items() if n is not None}


def kubernetes_name(model: str) -> str:
    """What a model is called in Kubernetes, in at most 63 characters.

    Small letters, digits and dashes, a letter first (RFC 1035). A name that is
    too long ends in a part of its SHA-256, so that two do not become one.

    Args:
      model: its name.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")
    if not plain[:1].isalpha():
        plain = f"model-{plain}"
    if len(plain) <= _KUBERNETES:
        return plain
    end = hashlib.sha256(model.encode()).hexdigest()[:8]
    return f"{plain[: _KUBERNETES - 9].rstrip('-')}-{end}"


def write_deployment(
    path: pathlib.Path,
    version: int,
    signatures: Mapping[str, Any],
    foreign: Mapping[str, str],
    sample: Request,
) -> None:
    """Writes `models.config`, README, a request, and what is not there yet.

    The version gets the label canary. The label stable stays where it is; the
    first version gets both.

    Args:
      path: the folder of versions; the model is called as it is.
      version: the version that was just exported.
      signatures: name -> concrete function.
      foreign: as from `foreign_ops`.
      sample: inputs of `score_slate`, which the samples of clients send.
    """
    name = path.absolute().name
    there = {
        label: number
        for label, number in read_labels(path).items()
        if (path / str(number)).is_dir()
    }
    labels = {"stable": version, **there, "canary": version}
    values = {
        "name": name,
        "label": _in_yaml(kubernetes_name(name)),
        **labels,
        "foreign_ops": _listed(foreign),
        "tensorflow": tf.__version__,
        "signatures": "\n\n".join(
            _describe(name, signature) for name, signature in signatures.items()
        ),
    }
    for kept in _KEPT:
        if not (path / kept).exists():
            _write(path / kept, values)
    body = {
        "signature_name": "score_slate",
        "inputs": {name: value.tolist() for name, value in sample.items()},
    }
    _replace(path / "request.json", json.dumps(body, indent=1) + "\n")
    _write(path / "README.md", values)
    write_labels(path, labels)


def write_labels(path: pathlib.Path, labels: Mapping[str, int]) -> None:
    """Writes `models.config`, which a server reads again every minute.

    Args:
      path: the folder of versions; the model is called as it is.
      labels: label -> version. These versions are loaded.
    """
    versions = [f"        versions: {n}" for n in sorted({*labels.values()})]
    lines = [
        f'    version_labels {{ key: "{label}" value: {version} }}'
        for label, version in labels.items()
    ]
    values = {
        "name": path.absolute().name,
        "versions": "\n".join(versions),
        "labels": "\n".join(lines),
    }
    _write(path / "models.config", values)


def _in_yaml(text: str) -> str:
    """A text that YAML reads as such, be it `no`, `1_000` or `2020-01-01`."""
    return json.dumps(text)


def _write(file: pathlib.Path, values: Mapping[str, Any]) -> None:
    # A template of a script is no module of this package.
    kind = ".txt" if file.suffix == ".py" else ""
    template = (_TEMPLATES / (file.name + kind)).read_text("utf-8")
    _replace(file, string.Template(template).substitute(values))


def _replace(file: pathlib.Path, text: str) -> None:
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(text, "utf-8")
    os.replace(fresh, file)


def _listed(ops: Mapping[str, str]) -> str:
    if not ops:
        return "none."
    return "".join(f"\n- `{op}`, {servers}" for op, servers in ops.items())


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
