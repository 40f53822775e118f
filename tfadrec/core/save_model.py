"""Saving a model so that equal models are equal files."""

import contextlib
import json
import os
import pathlib
import shutil
import zipfile
from collections.abc import Iterator

from tfadrec.core.door import keras

_METADATA = "metadata.json"
#: The earliest time that a zip archive can tell, and read and write for all.
_TIME = (1980, 1, 1, 0, 0, 0)
_RIGHTS = 0o644 << 16


def save_model(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Writes a `.keras` file of a model's weights, and how it was compiled.

    Of its optimiser, and of those of models in it, the file has the number of
    steps: the rest is of use to training alone, and is twice as large as the
    weights. Nor does it tell when it was written, which Keras puts into
    `metadata.json` and into the archive.

    Args:
      model: built.
      path: the file.
    """
    path = pathlib.Path(path)
    dated = path.with_name("dated.keras")
    with _without_moments(model):
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


@contextlib.contextmanager
def _without_moments(model: keras.Model) -> Iterator[None]:
    """Has the optimisers of a model, for now, know their steps alone."""
    learned = {
        each: each.optimizer
        for each in (model, *model.submodules)
        if isinstance(each, keras.Model) and each.optimizer is not None
    }
    try:
        for each, optimizer in learned.items():
            fresh = type(optimizer).from_config(optimizer.get_config())
            fresh.iterations.assign(optimizer.iterations)
            each.optimizer = fresh
        yield
    finally:
        for each, optimizer in learned.items():
            each.optimizer = optimizer
