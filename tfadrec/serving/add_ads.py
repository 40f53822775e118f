"""New ads for a bundle that is exported already."""

import pathlib
import shutil

import numpy as np

from tfadrec.core.bundle_folder import (
    bundle_folder,
    existing_versions,
    version_folder,
    version_path,
)
from tfadrec.core.disk_errors import as_os_errors
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.manifest import Manifest
from tfadrec.core.schema import TEXT_COLUMNS, Schema
from tfadrec.core.takes import takes
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.features import decode
from tfadrec.serving.ad_adder import IDS
from tfadrec.serving.deployment import check_deployment, label_canary
from tfadrec.serving.write_model import write_model

#: What tells of the export alone.
_OF_EXPORT = ("parity.json", "native.json")


@takes(catalogue="catalogue")
def add_ads(
    bundle: str | pathlib.Path, catalogue: Catalogue, schema: Schema
) -> tuple[pathlib.Path, int]:
    """Writes a version with more ads, of the newest one of a bundle.

    The run is not read, and nothing is built or learned anew: the bundle
    encodes the ads itself, as `score_new_ads` does, and puts them behind the
    others. Ads that it has stay as they are.

    Args:
      bundle: the folder of versions.
      catalogue: the ads, made with the schema.
      schema: of the dataset of the run.

    Returns:
      The new version's folder, which is the canary, and how many ads were
      added.

    Raises:
      InputError: where there is no bundle, a file is not as it was exported, or
        the bundle takes no ads, or another process is writing to it.
    """
    folder = bundle_folder(bundle)
    existing_versions(folder.path)  # or to hold it would make it
    with folder.held():
        check_deployment(folder.path)
        number = 1 + existing_versions(folder.path)[-1]
        count = _write_version(folder.path, number, catalogue, schema)
        label_canary(folder, number)
    return folder.path / str(number), count


def _write_version(
    path: pathlib.Path, number: int, catalogue: Catalogue, schema: Schema
) -> int:
    """Writes the version of a number, of the one before; how many ads join."""
    old = version_path(path / str(number - 1))
    loaded = tf.saved_model.load(old)
    manifest = Manifest.in_folder(old)
    if manifest is None or not hasattr(loaded, "add_ads"):
        raise InputError(
            "ads are added to a bundle that knows ads by more than their ids, "
            "and has no --retriever. Received: "
            f"{old}. Export it with --catalogue, or with --anchors."
        )
    signatures = dict(loaded.signatures)
    count = _add(loaded, catalogue, schema)
    with version_folder(path, number).replacing() as fresh:
        write_model(loaded, fresh, signatures)
        with as_os_errors():
            for name in sorted(manifest.files):
                if not (fresh / name).exists() and name not in _OF_EXPORT:
                    (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(old / name, fresh / name)
    return count


def _add(loaded, catalogue: Catalogue, schema: Schema) -> int:
    """Adds those of the ads that a loaded bundle does not have."""
    (function,) = loaded.add_ads.concrete_functions
    specs = function.structured_input_signature[1]
    known = loaded.known_rows(_tensor(catalogue.ad_ids, specs[IDS])).numpy()
    more = catalogue.take(np.flatnonzero(known == 0))
    columns = decode(dict(more.columns), schema.of("ad"))
    columns[IDS] = more.ad_ids
    tags = (", ".join(filter(str.strip, ad)) for ad in more.tags)
    copy = (more.titles, more.descriptions, tags)
    columns |= {
        name: np.array(list(texts), object)
        for name, texts in zip(TEXT_COLUMNS, copy, strict=True)
    }
    missing = sorted(set(specs) - set(columns))
    if missing:
        raise InputError(
            "new ads need the columns that the bundle reads. Received: no "
            f"{', '.join(missing)}. Give them in the file."
        )
    if len(more.ad_ids):
        loaded.add_ads(
            **{name: _tensor(columns[name], specs[name]) for name in specs}
        )
    return len(more.ad_ids)


def _tensor(values: np.ndarray, spec: tf.TensorSpec) -> tf.Tensor:
    if values.dtype.kind in "OU":
        values = values.tolist()
    return tf.constant(values, spec.dtype)
