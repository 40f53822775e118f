"""Which ads no version of a bundle is to give any more."""

import json
import pathlib

from tfadrec.core.bundle_folder import MODEL, version_numbers
from tfadrec.core.door import tf
from tfadrec.core.schema import IdType
from tfadrec.core.work_folder import WorkFolder
from tfadrec.serving import loaded_ads
from tfadrec.serving.ad_record import (
    DOWN,
    MOST_BYTES,
    AdRecord,
    Ids,
    as_ids,
    distinct,
)
from tfadrec.serving.version_file import read_version_file


def taken_down(bundle: pathlib.Path, id_type: IdType | None = None) -> Ids:
    """Reads the ads that were taken down, and not added or restored since.

    One file beside the versions tells them, so they stay down whatever versions
    are removed. In a folder without it, as of bundles that were made before, it
    is what the versions' own records say, of which the newest decides.

    Args:
      bundle: the folder of versions; it may have none yet.
      id_type: of the bundle's ads; None where it is not known.

    Raises:
      InputError: where a file is none that was written, or has ids of another
        type.
    """
    told = read_version_file(
        *(bundle, DOWN, lambda ids: as_ids(ids, id_type), MOST_BYTES),
        mend="Write the ids of all ads that are down to that file anew, a list "
        'such as ["a17"]: `ads.json` of each version tells which ones it '
        "leaves out.",
    )
    if told is not None:
        return told
    down: Ids = ()
    for number in version_numbers(bundle):
        record = AdRecord.load(bundle / str(number), id_type)
        back = {*record.added, *record.replaced}
        down = distinct(distinct(down, back) + record.removed, set())
    return down


def write_taken_down(bundle: WorkFolder, ids: Ids) -> None:
    """Writes the ads that are down, unless none ever were.

    Ads come to it before the version that leaves them out: where that fails,
    the next one does. Those that an export restores leave it after the version
    that gives them, so that an export that failed may be called again.

    Args:
      bundle: the folder of versions, which is held.
      ids: of the ads.

    Raises:
      OSError: where the file cannot be written.
    """
    if not ids and not taken_down(bundle.path):
        return
    if (bundle.path / DOWN).exists():
        bundle.adopt(DOWN)
    bundle.write_text(DOWN, json.dumps(list(ids)) + "\n")


def still_given(bundle: pathlib.Path, version: int) -> Ids:
    """Ads that were taken down, and that a version gives all the same.

    It is loaded only where its own record does not name all of them.

    Args:
      bundle: the folder of versions.
      version: one of them.
    """
    folder = bundle / str(version)
    own = AdRecord.load(folder)
    others = distinct(taken_down(bundle), {*own.removed})
    if not others or not (folder / MODEL).is_file():
        return ()
    return loaded_ads.given(tf.saved_model.load(folder), others)
