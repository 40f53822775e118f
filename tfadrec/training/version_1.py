"""Runs of version 0.1.0, in the form of today.

There an ad had categories, numbers and vectors, and a request had context,
each with code and weights of its own. What was trained there scores the same
here: the configuration is put in today's words, and the weights go to where
today's model has them.
"""

import hashlib
import io
import json
import pathlib
import tempfile
import zipfile
from typing import Any

import h5py
import numpy as np

from tfadrec import models
from tfadrec.core.bounded_variables import bounded_variables
from tfadrec.core.safe_load import load_model, most_numbers
from tfadrec.data.dataset import Dataset
from tfadrec.data.files import open_filesystem

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_TOWER, _FIELDS = "layers/ad_tower", "_fields/category_field"


def is_version_1(path: pathlib.Path) -> bool:
    """Whether a `model.keras` was written by version 0.1.0."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read(_CONFIG))
    try:
        catalogue = config["config"]["ad_tower"]["config"]["catalogue"]
        return "categoricals" in catalogue
    except (LookupError, TypeError):
        return False


def load_ranker(path: pathlib.Path, dataset: Dataset) -> models.AdRanker:
    """Reads a `model.keras` that version 0.1.0 has written.

    Args:
      path: the file.
      dataset: what it was trained with; tells the tensors of the features.
    """
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        held = {name: archive.read(name) for name in names}
    tensors = {f.column: f.tensor for f in dataset.schema.features}
    config = json.loads(held[_CONFIG])
    before = config["config"]
    catalogue = before["ad_tower"]["config"]["catalogue"]
    config["config"] = _today(before, tensors)
    config["compile_config"] = None
    with bounded_variables(most_numbers(held[_WEIGHTS])):
        ranker = models.AdRanker.from_config(config["config"])
        ranker.build()
    with tempfile.TemporaryDirectory() as folder:
        fresh = pathlib.Path(folder, "fresh.keras")
        ranker.save(fresh)
        with zipfile.ZipFile(fresh) as archive:
            weights = archive.read(_WEIGHTS)
        held[_CONFIG] = json.dumps(config).encode()
        held[_WEIGHTS] = _moved(
            held[_WEIGHTS], weights, _sources(catalogue, before["context"])
        )
        with zipfile.ZipFile(fresh, "w") as archive:
            for name, content in held.items():
                archive.writestr(name, content)
        ranker = load_model(fresh)
    ranker.compile()
    return ranker


def fingerprint(dataset: Dataset, path: str) -> str:
    """What version 0.1.0 called the fingerprint of a dataset of its own.

    Args:
      dataset: as it is read today.
      path: its folder.
    """
    catalogue, rows = dataset.catalogue, dataset.impressions
    filesystem, folder = open_filesystem(path)
    with filesystem.open_input_stream(f"{folder}/schema.json") as stream:
        digest = hashlib.sha256(stream.read())
    for texts in (
        catalogue.ad_ids,
        dataset.user_ids,
        catalogue.titles,
        catalogue.descriptions,
        catalogue.tags,
    ):
        digest.update("\n".join(map(str, texts)).encode())
    kinds = {"category": "categorical", "number": "numeric"}
    names = {
        f.tensor: f"{kinds.get(f.kind, f.kind)}:{f.column}"
        for f in catalogue.features
    }
    context = {f.tensor: f.column for f in dataset.schema.of("context")}
    for columns in (
        {names[k]: v for k, v in catalogue.tables().items()},
        {context[k]: v for k, v in rows.columns.items()},
        rows.labels,
    ):
        for name, column in sorted(columns.items()):
            # There a missing number was the mean.
            known = np.nan_to_num(column) if column.ndim == 1 else column
            digest.update(name.encode() + known.tobytes())
    for column in (
        rows.users,
        rows.ads,
        rows.times,
        rows.history_starts,
        rows.history_ends,
        dataset.events.ads,
        dataset.events.types,
    ):
        digest.update(column.tobytes())
    if rows.splits is not None:
        digest.update("\n".join(map(str, rows.splits)).encode())
    return digest.hexdigest()


def _today(config: dict[str, Any], tensors: dict[str, str]) -> dict[str, Any]:
    """The configuration of a ranker in today's words."""
    tower = config["ad_tower"]["config"]
    columns = tower["catalogue"]

    def spec(name, entity, kind, num_codes=1, width=0):
        return {
            "name": tensors.get(name, name),
            "entity": entity,
            "kind": kind,
            "num_codes": num_codes,
            "width": width,
        }

    features = [
        *(
            spec(name, "ad", "category", num_codes=size)
            for name, size in sorted(columns["categoricals"].items())
        ),
        *(spec(name, "ad", "number") for name in sorted(columns["numerics"])),
        *(
            spec(name, "ad", "vector", width=width)
            for name, width in sorted(columns["vectors"].items())
        ),
    ]
    context = [
        spec(name, "context", "number")
        if size is None
        else spec(name, "context", "category", num_codes=size)
        for name, size in sorted(config["context"].items())
    ]
    catalogue = {
        "num_ads": columns["num_ads"],
        "features": features,
        "tokens": columns.get("tokens"),
    }
    category = tower["category"]
    tower = {
        **tower,
        "catalogue": catalogue,
        "category": tensors.get(category, category),
    }
    return {
        **config,
        "ad_tower": {**config["ad_tower"], "config": tower},
        "context": context,
        "losses": {},
    }


def _sources(
    columns: dict[str, Any], context: dict[str, int | None]
) -> dict[str, str]:
    """Where a weight of today's model stood: path -> path."""
    categories = sorted(columns["categoricals"])
    vectors = sorted(columns["vectors"])
    numbers = bool(columns["numerics"])
    sources = {}
    for place in range(len(categories)):
        here = f"{_TOWER}/features/{_numbered(_FIELDS, place)}/vars/0"
        sources[here] = f"{_TOWER}/vars/{place}"
    # The tower's own weights: embeddings there, then tables; here tables only.
    tables = sorted(
        [(name, place) for place, name in enumerate(categories)]
        + [(n, len(categories) + p) for p, n in enumerate(vectors)]
    )
    for place, (_, before) in enumerate(tables):
        here = f"{_TOWER}/vars/{place}"
        sources[here] = f"{_TOWER}/vars/{len(categories) + before}"
    if numbers:
        last = len(categories) + len(tables)
        sources[f"{_TOWER}/vars/{len(tables)}"] = f"{_TOWER}/vars/{last}"
    for place in range(len(vectors) + numbers):
        for part in (0, 1):
            dense = _numbered("_projections/dense", place)
            here = f"{_TOWER}/features/{dense}/vars/{part}"
            sources[here] = f"{_TOWER}/{dense}/vars/{part}"
    for part in (0, 1):
        text = _numbered("_projections/dense", len(vectors) + numbers)
        sources[f"{_TOWER}/_text_projection/vars/{part}"] = (
            f"{_TOWER}/{text}/vars/{part}"
        )
    coded = [name for name in sorted(context) if context[name] is not None]
    for place in range(len(coded)):
        here = f"layers/feature_fields/{_numbered(_FIELDS, place)}/vars/0"
        sources[here] = f"vars/{place}"
    return sources


def _numbered(path: str, place: int) -> str:
    return f"{path}_{place}" if place else path


def _moved(before: bytes, fresh: bytes, sources: dict[str, str]) -> bytes:
    """A file of weights as today's model reads it, with those of before."""
    file = io.BytesIO(fresh)
    with (
        h5py.File(io.BytesIO(before)) as old,
        h5py.File(file, "r+") as new,
    ):
        paths: list[str] = []
        new.visititems(
            lambda path, item: (
                paths.append(path) if isinstance(item, h5py.Dataset) else None
            )
        )
        for path in paths:
            source = sources.get(path, path)
            # What has no source is new: the answer to a missing number.
            if source in old and not path.startswith(("metrics", "optimizer")):
                new[path][...] = old[source][...]
    return file.getvalue()
