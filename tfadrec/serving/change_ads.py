"""Ads that join, change in, or leave a bundle that is exported already."""

import collections
import dataclasses
import json
import logging
import os
import pathlib
import re
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
from tfadrec.core.schema import NO_AD, TEXT_COLUMNS, IdType, Schema
from tfadrec.core.takes import takes
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.features import decode
from tfadrec.monitoring import Profile
from tfadrec.monitoring.profile import FILE as PROFILE
from tfadrec.serving import loaded_ads
from tfadrec.serving.ad_changer import IDS
from tfadrec.serving.ad_expiry import EXPIRES
from tfadrec.serving.ad_record import FILE as RECORD
from tfadrec.serving.ad_record import AdRecord, Ids, distinct, some
from tfadrec.serving.deployment import (
    check_deployment,
    label_version,
    path_of_label,
    read_labels,
)
from tfadrec.serving.parity import COMPARED
from tfadrec.serving.taken_down import taken_down, write_taken_down
from tfadrec.serving.write_model import write_values

_LOG = logging.getLogger(__name__)
#: What tells of other ads than the new version's.
_OF_OTHERS = ("native.json", RECORD)
#: Of the ids to remove that a bundle may not have: where more are unknown, they
#: are of another bundle.
_MOST_UNKNOWN = 0.1


@dataclasses.dataclass(frozen=True)
class AdChanges:
    """What a new version of a bundle has other than the one before.

    Attributes:
      folder: of the version; of the one before where nothing is other.
      added: how many ads joined it.
      replaced: how many took the place of ads that were there.
      removed: how many it does not give any more.
      unknown: how many were to be removed and were not there.
      left_out: how many an earlier call had removed from another version, and
        this one leaves out as well.
    """

    folder: pathlib.Path
    added: int
    replaced: int
    removed: int
    unknown: int
    left_out: int

    @property
    def is_version(self) -> bool:
        """Whether there is a new version."""
        return any((self.added, self.replaced, self.removed, self.left_out))


@takes(add="catalogue")
def change_ads(
    bundle: str | pathlib.Path,
    *,
    add: Catalogue | None = None,
    schema: Schema | None = None,
    replace: bool = False,
    remove: Sequence[str | int] = (),
    on: str = "canary",
) -> AdChanges:
    """Writes a version of a bundle with other ads than one that is there.

    The run is not read, and nothing is built or learned anew: the bundle
    encodes ads itself, as `score_new_ads` does, and puts them behind the
    others. First ads are removed, then added, so one that is both is a new one.

    What was removed once stays so in all later versions, those of an export
    included, until it is added again; see `taken_down`. Also an id that this
    version does not have, as another one may.

    Where the version would be what the one before is, none is written.

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
      on: the label of the version that the new one is made of. The new one has
        that label then, and `canary` too where the other one had both.

    Returns:
      The new version, and what it has other.

    Raises:
      InputError: where there is no bundle, or no version with that label, a
        file is not as it was exported or written, or the bundle takes no ads,
        an id is of another type, or of several ads to add, more than a tenth
        of those to remove are not there, or another process is writing to it.
    """
    folder = bundle_folder(bundle)
    existing_versions(folder.path)  # or to hold it would make it
    with folder.held():
        check_deployment(folder.path)
        number = 1 + existing_versions(folder.path)[-1]
        old = version_path(labelled_version(folder.path, on))
        loaded = tf.saved_model.load(old)
        manifest = Manifest.in_folder(old)
        if manifest is None or not hasattr(loaded, "remove_ads"):
            raise InputError(
                "ads are changed in a bundle of this version of tfadrec. "
                f"Received: {old}. Export it again."
            )
        id_type = loaded_ads.id_type(loaded)
        before = AdRecord.load(old, id_type)
        down = taken_down(folder.path, id_type)
        leave = loaded_ads.typed(loaded, remove)
        removed, unknown = _remove(loaded, leave, down)
        added: Ids = ()
        replaced: Ids = ()
        if add is not None:
            assert schema is not None
            _check_ids(add, schema, id_type)
            added, replaced = _put(loaded, add, schema, replace=replace)
            coming = {*add.ad_ids.tolist()}
            _tell_of_back(distinct(down, {*down} - coming))
            down = distinct(down + leave, coming)
        else:
            down = distinct(down + leave, set())
        left_out = loaded_ads.remove(loaded, down)
        record = before.changed(down, added, replaced)
        _tell_of_closed(distinct(record.removed, {*down}))
        made = AdChanges(
            folder.path / str(number),
            *(len(added), len(replaced), len(removed), unknown, len(left_out)),
        )
        if not made.is_version:
            write_taken_down(folder, down)
            return dataclasses.replace(made, folder=old)
        with version_folder(folder.path, number).replacing() as fresh:
            write_values(loaded, old, fresh)
            if added and PROFILE in manifest.files:
                assert add is not None
                # So that requests for them are not taken for odd ones.
                known = Profile.load(old).with_ads(add.ad_ids.tolist())
                known.save(fresh)
            _copy_others(old, fresh, manifest)
            record.save(fresh)
            write_taken_down(folder, down)
        labels = {on}
        if read_labels(folder.path).get("canary") == int(old.name):
            labels.add("canary")
        label_version(folder, number, labels)
    return made


def labelled_version(bundle: pathlib.Path, label: str) -> pathlib.Path:
    """The folder of a bundle's version by its label.

    Args:
      bundle: the folder of versions.
      label: one of `models.config`; where that names no canary, this is the
        newest version.

    Raises:
      InputError: where no version has the label, with those that there are, or
        that version is gone.
    """
    labels = {"canary": existing_versions(bundle)[-1], **read_labels(bundle)}
    if label not in labels:
        raise InputError(
            f"a label is one of models.config: {', '.join(sorted(labels))}. "
            f"Received: {label!r}."
        )
    return path_of_label(bundle, label, labels[label])


def _copy_others(old, fresh, manifest) -> None:
    """Copies the files of a version that its ads do not change."""
    with as_os_errors():
        if COMPARED in manifest.files:  # the graph is that which was compared
            told = read_json(old / COMPARED)
            told.setdefault("compared_version", int(old.name))
            text = json.dumps(told, indent=2)
            (fresh / COMPARED).write_text(f"{text}\n")
        for name in sorted(manifest.files):
            if not (fresh / name).exists() and name not in _OF_OTHERS:
                (fresh / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(old / name, fresh / name)


def _check_ids(add: Catalogue, schema: Schema, id_type: IdType) -> None:
    """Refuses ads that a bundle cannot tell apart by their ids."""
    if schema.ad_id_type != id_type:
        raise InputError(
            f"ads are added to a bundle whose ids are theirs, {id_type}. "
            f"Received: ids of type {schema.ad_id_type}. Give the schema of "
            "the dataset of its run."
        )
    counts = collections.Counter(add.ad_ids.tolist())
    nobody = NO_AD[id_type]
    if nobody in counts:
        raise InputError(
            f"ads to add must have ids, and {nobody!r} stands for no ad. "
            "Received: one with that id. Give it another."
        )
    repeated = tuple(i for i, count in counts.items() if count > 1)
    if repeated:
        raise InputError(
            f"ads to add are named once each. Received: {some(repeated)}, more "
            "than once."
        )


def _tell_of_back(ids: Ids) -> None:
    """Tells of ads that were down, and that a version gives again."""
    if ids:
        _LOG.warning(
            "%d of the ads to add were taken down before, and are given again, "
            "such as %s.",
            *(len(ids), some(ids)),
        )


def _tell_of_closed(ids: Ids) -> None:
    """Tells of ads that are not down any more, and that a version lacks."""
    if ids:
        _LOG.warning(
            "%d ads that are not down any more stay out of what is made of a "
            "version that leaves them out, such as %s: --add gives them again.",
            *(len(ids), some(ids)),
        )


def _remove(loaded: Any, ids: Ids, down: Ids = ()) -> tuple[Ids, int]:
    """Removes ads from a loaded bundle: which, and how many it lacks.

    Args:
      loaded: the bundle.
      ids: of its type, each once.
      down: ids of ads that were removed before, which it need not have.
    """
    there = loaded_ads.given(loaded, ids)
    missing = distinct(ids, {*there, *down})
    if len(missing) > _MOST_UNKNOWN * len(ids):
        raise InputError(
            "ads to remove must be there, but for a tenth of them. Received: "
            f"{len(missing)} of {len(ids)} that are not, such as "
            f"{some(missing)}.{_no_file(missing)} Take the ids of this "
            "bundle's ads."
        )
    if missing:
        _LOG.warning(
            "%d of %d ads to remove are not there, such as %s.%s",
            *(len(missing), len(ids), some(missing), _no_file(missing)),
        )
    return loaded_ads.remove(loaded, there), len(missing)


def _no_file(missing: Ids) -> str:
    """A sentence about what looks like a file and is none, if any does."""
    for each in map(str, missing):
        if each.endswith((".txt", ".csv", ".parquet")) or os.sep in each:
            return f" No file {each[:80]} is there either."
    return ""


def _put(
    loaded: Any, catalogue: Catalogue, schema: Schema, *, replace: bool
) -> tuple[Ids, Ids]:
    """Puts ads into a loaded bundle: which joined, and which changed."""
    if not hasattr(loaded, "put_ads"):
        raise InputError(
            "ads are added to a bundle that knows ads by more than their ids, "
            "whose --retriever, if it has one, does so too and reads no other "
            "vectors of their copy, and whose --rerank reads it in the graph. "
            "Received: one that takes none. Export it with --catalogue, or "
            "with --anchors."
        )
    specs = loaded_ads.specs(loaded.put_ads)
    ids = tuple(catalogue.ad_ids.tolist())
    there = loaded_ads.given(loaded, ids)
    new = distinct(ids, {*there})
    wanted = catalogue
    if not replace:
        is_new = np.isin(
            catalogue.ad_ids, np.array(new, catalogue.ad_ids.dtype)
        )
        wanted = catalogue.take(np.flatnonzero(is_new))
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
        try:
            loaded.put_ads(
                **{name: _tensor(columns[name], specs[name]) for name in specs}
            )
        except tf.errors.InvalidArgumentError as error:
            rule = re.search(r"assertion failed: \[(.*)\]", error.message)
            raise InputError(
                f"{rule[1] if rule else 'ads are such as the bundle reads'}. "
                f"Received: others among {len(wanted)} new ads. Mend the file."
            ) from error
    return new, there if replace else ()


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


def _tensor(values: np.ndarray, spec: tf.TensorSpec) -> tf.Tensor:
    if values.dtype.kind in "OU":
        values = values.tolist()
    return tf.constant(values, spec.dtype)
