"""What a writer that was killed leaves beside what it was writing."""

import pathlib
import shutil

from tfadrec.core.scratch_folder import scratch_folder


def leave(target: pathlib.Path, kind: str) -> pathlib.Path:
    """Leaves the scratch folder of a call that is gone.

    Args:
      target: what it wrote, in a folder that is there.
      kind: what that is.
    """
    with scratch_folder(target, kind) as scratch:
        (scratch / "fresh").mkdir()
        kept = shutil.copytree(scratch, scratch.with_name("kept"))
    kept.rename(scratch)
    return scratch
