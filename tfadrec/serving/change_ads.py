"""Ads that join, change in, or leave a bundle that is exported already."""

import dataclasses
import json
import logging
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

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
from tfadrec.core.read_json import read_json
from tfadrec.core.schema import TEXT_COLUMNS, Schema
from tfadrec.core.takes import takes
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.features import decode
from tfadrec.monitoring import Profile
from tfadrec.monitoring.profile import FILE as PROFILE
from tfadrec.serving.ad_changer import IDS
from tfadrec.serving.ad_expiry import EXPIRES
from tfadrec.serving.deployment import check_deployment, label_canary
from tfadrec.serving.parity import COMPARED
from tfadrec.serving.write_model import write_values

_LOG = logging.getLogger(__name__)
#: What tells of the ads of an export.
_OF_EXPORT = "native.json"
#: Of the ids to remove that a bundle may not have: where more are unknown, they
#: are of another bundle.
_MOST_UNKNOWN = 0.1


@dataclasses.dataclass(frozen=True)
class AdChanges:
    """What a new version of a bundle has other than the one before.

    Attributes:
      folder: of the version.
      added: how many ads joined it.
      replaced: how many took the place of ads that were there.
      removed: how many it does not give any more.
      unknown: how many were to be removed and were not there.
    """

    folder: pathlib.Path
    added: int
    replaced: int
    removed: int
    unknown: int


@takes(add="catalogue")
def change_ads(
    bundle: str | pathlib.Path,
    *,
    add: Catalogue | None = None,
    schema: Schema | None = None,
    replace: bool = False,
    remove: Sequence[str | int] = (),
) -> AdChanges:
    """Writes a version with other ads, of the newest one of a bundle.

    The run is not read, and nothing is built or learned anew: the bundle
    encodes ads itself, as `score_new_ads` does, and puts them behind the
    others. First ads are removed, then added, so one that is both is a new one.

    Args:
      bundle: the folder of versions.
      add: ads, made with the schema; where the bundle's ads expire, these have
        `expires`.
      schema: of the dataset of the run; beside `add`.
      replace: whether those of `add` that the bundle has take the place of its
        own; else these stay as they are. An ad that was removed is not there.
      remove: ids of ads that are given no more by `recommend`, `retrieve` and
        `recommend_from`. They are known still, in histories and where a client
        names them to have them scored.

    Returns:
      The new version, which is the canary, and what it has other.

    Raises:
      InputError: where there is no bundle, a file is not as it was exported, or
        the bundle takes no ads, an id is of another type, more than a tenth of
        those to remove are not there, or another process is writing to it.
    """
    folder = bundle_folder(bundle)
    existing_versions(folder.path)  # or to hold it would make it
    with folder.held():
        check_deployment(folder.path)
        number = 1 + existing_versions(folder.path)[-1]
        old = version_path(folder.path / str(number - 1))
        loaded = tf.saved_model.load(old)
        manifest = Manifest.in_folder(old)
        if manifest is None or not hasattr(loaded, "remove_ads"):
            raise InputError(
                "ads are changed in a bundle of this version of tfadrec. "
                f"Received: {old}. Export it again."
            )
        removed, unknown = _remove(loaded, remove)
        added = replaced = 0
        if add is not None:
            assert schema is not None
            added, replaced = _put(loaded, add, schema, replace=replace)
        with version_folder(folder.path, number).replacing() as fresh:
            write_values(loaded, old, fresh)
            if added and PROFILE in manifest.files:
                assert add is not None
                # So that requests for them are not taken for odd ones.
                known = Profile.load(old).with_ads(add.ad_ids.tolist())
                known.save(fresh)
            _copy_others(old, fresh, manifest)
        label_canary(folder, number)
    return AdChanges(
        *(folder.path / str(number), added, replaced, removed, unknown)
    )


def _copy_others(old, fresh, manifest) -> None:
    """Copies the files of a version that its ads do not change."""
    with as_os_errors():
        if COMPARED in manifest.files:  # the graph is that which was compared
            told = read_json(old / COMPARED)
            told.setdefault("compared_version", int(old.name))
            text = json.dumps(told, indent=2)
            (fresh / COMPARED).write_text(f"{text}\n")
        for name in sorted(manifest.files):
            if not (fresh / name).exists() and name != _OF_EXPORT:
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(old / name, fresh / name)


def _remove(loaded: Any, remove: Sequence[str | int]) -> tuple[int, int]:
    """Removes ads from a loaded bundle: how many, and how many it lacks."""
    distinct = list(dict.fromkeys(remove))
    if not distinct:
        return 0, 0
    ids = _ids(distinct, loaded)
    is_there = loaded.has_ads(**{IDS: ids}).numpy()
    missing = [
        i for i, there in zip(distinct, is_there, strict=True) if not there
    ]
    some = ", ".join(map(str, missing[:3]))
    if len(missing) > _MOST_UNKNOWN * len(distinct):
        raise InputError(
            "ads to remove must be there, but for a tenth of them. Received: "
            f"{len(missing)} of {len(distinct)} that are not, such as {some}. "
            "Take the ids of this bundle's ads."
        )
    if missing:
        _LOG.warning(
            "%d of %d ads to remove are not there, such as %s.",
            *(len(missing), len(distinct), some),
        )
    loaded.remove_ads(**{IDS: tf.boolean_mask(ids, is_there)})
    return int(is_there.sum()), len(missing)


def _ids(ids: Sequence[str | int], loaded: Any) -> tf.Tensor:
    """Ids as the bundle has them."""
    dtype = _specs(loaded.has_ads)[IDS].dtype
    try:
        given = map(str, ids) if dtype == tf.string else map(int, ids)
        return tf.constant(list(given), dtype)
    except (ValueError, OverflowError) as error:
        raise InputError(
            "this bundle's ads have ids that are 64-bit integers. Received: "
            f"{error}."
        ) from error


def _put(
    loaded: Any, catalogue: Catalogue, schema: Schema, *, replace: bool
) -> tuple[int, int]:
    """Puts ads into a loaded bundle: how many joined, and how many changed."""
    if not hasattr(loaded, "put_ads"):
        raise InputError(
            "ads are added to a bundle that knows ads by more than their ids, "
            "whose --retriever, if it has one, does so too and reads no other "
            "vectors of their copy, and whose --rerank reads it in the graph. "
            "Received: one that takes none. Export it with --catalogue, or "
            "with --anchors."
        )
    specs = _specs(loaded.put_ads)
    ids = _tensor(catalogue.ad_ids, specs[IDS])
    is_there = loaded.has_ads(**{IDS: ids}).numpy()
    wanted = catalogue if replace else catalogue.take(np.flatnonzero(~is_there))
    columns = _columns(wanted, schema)
    missing = sorted(set(specs) - set(columns))
    if missing:
        raise InputError(
            "new ads need the columns that the bundle reads. Received: no "
            f"{', '.join(missing)}. Give them in the file"
            f"{', and name theirs by --expires' * (EXPIRES in missing)}."
        )
    if EXPIRES in columns and EXPIRES not in specs:
        raise InputError(
            "ads expire in a bundle that was exported with --expires. "
            "Received: times for one that was not. Leave --expires out, or "
            "export again with it."
        )
    if len(wanted):
        loaded.put_ads(
            **{name: _tensor(columns[name], specs[name]) for name in specs}
        )
    replaced = int(is_there.sum()) if replace else 0
    return int((~is_there).sum()), replaced


def _columns(ads: Catalogue, schema: Schema) -> dict[str, np.ndarray]:
    """What is known of ads, as requests have it."""
    columns = decode(dict(ads.columns), schema.of("ad"))
    columns[IDS] = ads.ad_ids
    tags = (", ".join(filter(str.strip, ad)) for ad in ads.tags)
    copy = (ads.titles, ads.descriptions, tags)
    columns |= {
        name: np.array(list(texts), object)
        for name, texts in zip(TEXT_COLUMNS, copy, strict=True)
    }
    if ads.expires is not None:
        columns[EXPIRES] = ads.expires
    return columns


def _specs(function: Any) -> dict[str, tf.TensorSpec]:
    """The inputs of a function of a loaded bundle."""
    (concrete,) = function.concrete_functions
    return concrete.structured_input_signature[1]


def _tensor(values: np.ndarray, spec: tf.TensorSpec) -> tf.Tensor:
    if values.dtype.kind in "OU":
        values = values.tolist()
    return tf.constant(values, spec.dtype)
