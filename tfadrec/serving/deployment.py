"""What stands beside the versions of a bundle: settings for a server."""

import base64
import hashlib
import importlib.resources
import json
import logging
import pathlib
import re
import string
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from tfadrec.core.bundle_folder import (
    MODELS,
    bundle_folder,
    version_number,
)
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.work_folder import WorkFolder
from tfadrec.serving.requests import Request

_LOG = logging.getLogger(__name__)
#: Written once, for a team to change.
_KEPT = (
    "batching.config",
    "monitoring.config",
    "docker-compose.yml",
    "nginx.conf",
    "kubernetes.yaml",
    "autoscaling.yaml",
    "prometheus-adapter.yaml",
    "alerts.yaml",
    "dashboard.json",
    "client_rest.py",
    "client_grpc.py",
)
#: Of `models.config` that are read.
_MOST_BYTES = 1 << 20
#: The image of TensorFlow Serving, `tensorflow/serving`, of the release of
#: TensorFlow that a bundle is written with.
_SERVER = "2.21.0"
#: Bytes of memory that Kubernetes is asked for: for the server itself, and for
#: each byte of a version, of which stable, canary and previous are loaded. A
#: bundle of 2 MB took 0.6 GB in TensorFlow's C library, those of 808 MB 1.4 to
#: 1.6 GB, and one of 122 MB with a language model 1.6 GB (an EPYC, two cores).
_MEMORY, _LOADED = 1 << 30, 3
#: Where the samples ask.
_ADDRESS = "http://127.0.0.1:8501"
#: Characters of a name in Kubernetes.
_KUBERNETES = 63
_LABEL = r'version_labels\s*\{\s*key:\s*"([^"\\]*)"\s*value:\s*(\d+)'
#: Texts and comments of that file, in which braces mean nothing.
_NO_BRACES = re.compile(r'"[^"\n]*"|#.*')
#: What differs between two files `models.config` of the same model: versions,
#: labels, and the comment of version 0.1.0.
_FREE = re.compile(
    r"\s*versions: \d+$|\s*version_labels\s*\{[^}]*\}$|"
    r"# (Which versions|version the label|and `tfadrec).*"
)
_TEMPLATES = importlib.resources.files("tfadrec.serving") / "templates"


def read_labels(path: pathlib.Path) -> dict[str, int]:
    """Label -> version, as `models.config` says; empty where there is none."""
    return _labels_in(_read_models_config(path))


def read_whole_labels(path: pathlib.Path) -> dict[str, int] | None:
    """The same, but None where that file is not there, or not all of it.

    Half of one, as a copy leaves it for a moment, has a brace that is not
    closed.

    Raises:
      OSError: where it cannot be read.
    """
    text = _read_models_config(path)
    bare = _NO_BRACES.sub("", text)
    is_whole = bare.count("{") == bare.count("}") > 0
    return _labels_in(text) if is_whole else None


def path_of_label(path: pathlib.Path, label: str, version: int) -> pathlib.Path:
    """The folder of the version that has a label.

    Raises:
      InputError: where it is not there.
    """
    found = path / str(version)
    if not (found / "saved_model.pb").is_file():
        raise InputError(
            "models.config must name versions that are there. Received: "
            f"{label} {version} in {path}, which is not. Give the label to "
            "another version in that file, or export again."
        )
    return found


def _read_models_config(path: pathlib.Path) -> str:
    file = path / MODELS
    if not file.is_file():
        return ""
    with file.open("rb") as stream:
        return stream.read(_MOST_BYTES).decode("utf-8", "replace")


def _labels_in(text: str) -> dict[str, int]:
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


def check_deployment(path: pathlib.Path) -> None:
    """Refuses a `models.config` in which more than labels was changed.

    It is written anew, with the labels that are in it.

    Raises:
      InputError: with what to do.
    """
    file = path / MODELS
    if not file.exists():
        return
    text = file.read_text("utf-8", "replace") if file.is_file() else ""
    if _fixed(text) != _fixed(_models_config(path.absolute().name, {})):
        raise InputError(
            "models.config is written anew, and only its labels are kept. "
            f"Received: {file}, in which more was changed, or whose folder was "
            "called otherwise, as the model is. Keep what you need under "
            "another name, and remove it."
        )


def _fixed(text: str) -> list[str]:
    """The lines of a `models.config` that are the same in all of them."""
    lines = (line.rstrip() for line in text.splitlines())
    return [line for line in lines if line and not _FREE.fullmatch(line)]


def _plain(values: np.ndarray) -> list[Any]:
    """An array in lists, its numbers as people write them: 0.1, not 0.10…01."""
    if values.dtype == np.float32:
        values = values.astype(str).astype(np.float64)
    return values.tolist()


def _body(signature: str, request: Request) -> str:
    """A request by REST, whose bytes are in base64."""
    body = {
        "signature_name": signature,
        "inputs": {name: _plain(value) for name, value in request.items()},
    }
    text = json.dumps(body, indent=1, default=_in_base64)
    return f"{text}\n"


def _in_base64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}


def write_deployment(
    folder: WorkFolder,
    version: int,
    signatures: Mapping[str, Any],
    foreign: Mapping[str, str],
    samples: Mapping[str, Request],
) -> None:
    """Writes `models.config`, README, requests, and what is not there yet.

    The version gets the label canary. The label stable stays where it is; the
    first version gets both. A README or a request that a team has changed is
    kept, as the other files are.

    Args:
      folder: of versions, which is held; the model is called as it is.
      version: the version that was just exported.
      signatures: name -> concrete function.
      foreign: as from `foreign_ops`.
      samples: signature -> inputs; the samples of clients send those of
        `score_slate`.
    """
    path = folder.path
    name = path.name
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
        "server": _SERVER,
        **_memory(path / str(version)),
        "signatures": "\n\n".join(
            _describe(name, each, signature, has_sample=each in samples)
            for each, signature in signatures.items()
        ),
    }
    texts = {"README.md": _filled("README.md", values)} | {
        f"requests/{signature}.json": _body(signature, request)
        for signature, request in samples.items()
    }
    changed = [n for n in texts if (path / n).exists() and not folder.is_own(n)]
    if changed:
        _LOG.warning(
            "%s: kept as somebody has changed it: %s.", path, ", ".join(changed)
        )
    # Of signatures that the new version does not have.
    gone = {n for n in folder.files if n.startswith("requests/")} - set(texts)
    folder.remove(gone)
    texts |= {kept: _filled(kept, values) for kept in _KEPT}
    with folder.writing() as fresh:
        for name, text in texts.items():
            if not (path / name).exists() or (
                name not in _KEPT and name not in changed
            ):
                (fresh / name).parent.mkdir(exist_ok=True)
                (fresh / name).write_text(text, "utf-8")
    # Last, as a server then loads the version.
    _write_labels(folder, labels)


def label_version(
    folder: WorkFolder, version: int, labels: Collection[str]
) -> None:
    """Gives a version labels in `models.config`; nothing else changes.

    Args:
      folder: of versions, which is held.
      version: one that is there.
      labels: those that it gets. In a file without stable, it gets that too.
    """
    check_deployment(folder.path)
    found = {"stable": version, **read_labels(folder.path)}
    _write_labels(folder, found | dict.fromkeys(sorted(labels), version))


def write_labels(
    path: str | pathlib.Path,
    labels: Mapping[str, int],
    before: Mapping[str, int] | None = None,
) -> None:
    """Writes `models.config`, which a server reads again every minute.

    Args:
      path: the folder of versions; the model is called as it is.
      labels: label -> version. These versions are loaded.
      before: the labels that have to be there still, if any have to.

    Raises:
      InputError: where more than labels was changed in that file, other labels
        are there, or another process is writing to the folder.
    """
    folder = bundle_folder(path)
    with folder.held():
        check_deployment(folder.path)
        if before is not None and read_labels(folder.path) != before:
            raise InputError(
                "labels move from where they were looked at. Received: "
                f"{path}, whose labels another process has moved meanwhile. "
                "Call it again."
            )
        _write_labels(folder, labels)


def _write_labels(folder: WorkFolder, labels: Mapping[str, int]) -> None:
    if (folder.path / MODELS).exists():
        folder.adopt(MODELS)
    folder.write_text(MODELS, _models_config(folder.path.name, labels))


def _models_config(name: str, labels: Mapping[str, int]) -> str:
    versions = [f"        versions: {n}" for n in sorted({*labels.values()})]
    lines = [
        f'    version_labels {{ key: "{label}" value: {version} }}'
        for label, version in labels.items()
    ]
    values = {
        "name": name,
        "versions": "\n".join(versions),
        "labels": "\n".join(lines),
    }
    return _filled(MODELS, values)


def _in_yaml(text: str) -> str:
    """A text that YAML reads as such, be it `no`, `1_000` or `2020-01-01`."""
    return json.dumps(text)


def _filled(name: str, values: Mapping[str, Any]) -> str:
    """The text of a file, of its template."""
    # A template of a script is no module of this package.
    kind = ".txt" if name.endswith(".py") else ""
    template = (_TEMPLATES / (name + kind)).read_text("utf-8")
    return string.Template(template).substitute(values)


def _listed(ops: Mapping[str, str]) -> str:
    if not ops:
        return "none."
    return "".join(f"\n- `{op}`, {servers}" for op, servers in ops.items())


def _memory(folder: pathlib.Path) -> dict[str, str]:
    """What a server of a bundle may take, as Kubernetes writes it."""
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    request = _MEMORY + _LOADED * size
    step = 1 << 28
    amounts = {"memory_request": request, "memory_limit": 2 * request}
    return {"megabytes": f"{size / 1e6:.0f}"} | {
        name: f"{-(-amount // step) * step >> 20}Mi"
        for name, amount in amounts.items()
    }


def _describe(
    model: str, name: str, signature: Any, *, has_sample: bool
) -> str:
    lines = [f"### `{name}`", ""]
    if has_sample:
        lines += [
            f"    curl -d @requests/{name}.json \\",
            f"      {_ADDRESS}/v1/models/{model}/labels/stable:predict",
            "",
        ]
    lines += [
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
