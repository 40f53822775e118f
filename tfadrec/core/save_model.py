"""Saving a model so that equal models are equal files."""

import json
import os
import pathlib
import shutil
import zipfile

from tfadrec.core.door import keras

_METADATA = "metadata.json"
#: The earliest time that a zip archive can tell, and read and write for all.
_TIME = (1980, 1, 1, 0, 0, 0)
_RIGHTS = 0o644 << 16


def save_model(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Writes a `.keras` file that does not tell when it was written.

    Keras puts the time into `metadata.json` and into the archive.

    Args:
      model: built.
      path: the file.
    """
    path = pathlib.Path(path)
    dated = path.with_name("dated.keras")
    model.save(dated)
    with (
        zipfile.ZipFile(dated) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target,
    ):
        for name in sorted(source.namelist()):
            member = zipfile.ZipInfo(name, _TIME)
            member.external_attr = _RIGHTS
            member.file_size = source.getinfo(name).file_size
            with source.open(name) as read, target.open(member, "w") as write:
                if name == _METADATA:
                    told = json.load(read)
                    told.pop("date_saved", None)
                    write.write(json.dumps(told, sort_keys=True).encode())
                else:
                    shutil.copyfileobj(read, write)
    dated.unlink()
