"""The files of a dataset folder, each checked against the manifest."""

import io
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from tfadrec.core import manifest
from tfadrec.core.errors import InputError
from tfadrec.core.manifest import Manifest, facts_of_stream
from tfadrec.core.nearest import nearest
from tfadrec.core.schema import SCHEMA_FILE, Schema
from tfadrec.data.features import KINDS
from tfadrec.data.files import open_filesystem, require_files


class DatasetFiles:
    """Reads the files of a dataset folder, on any filesystem.

    Every file that the manifest lists must be there in its size. A file that is
    read must have its SHA-256: what was hashed is what is parsed, but for files
    that are mapped, which are hashed before. A folder of version 0.1.0 has no
    manifest, and nothing is checked there.

    Args:
      path: the folder.

    Raises:
      InputError: where the folder is no dataset, or a file is missing or has
        another size.
    """

    def __init__(self, path: str | pathlib.Path) -> None:
        self._path = path
        self._filesystem, self._folder = open_filesystem(path)
        if not self._info(SCHEMA_FILE).is_file:
            raise InputError(
                f"a dataset is a folder with a schema.json. Received: {path}. "
                f"Write one with `tfadrec prepare`.{self._beside()}"
            )
        self._manifest = None
        if self._info(manifest.NAME).is_file:
            text = self._bytes(manifest.NAME)
            self._manifest = Manifest.from_json(
                text.to_pybytes(), f"{path}/{manifest.NAME}"
            )
            for name, (size, _) in self._manifest.files.items():
                if self._info(name).size != size:
                    raise self._changed(name)

    def read(self, name: str) -> pa.Buffer:
        """The content of a file.

        Raises:
          InputError: where it is not what was written.
          OSError: where it cannot be read.
        """
        content = self._bytes(name)
        if self._manifest is not None and not self._manifest.describes(
            name, memoryview(content)
        ):
            raise self._changed(name)
        return content

    @property
    def listed(self) -> tuple[str, ...]:
        """The files of the manifest; none where there is none."""
        return () if self._manifest is None else tuple(self._manifest.files)

    def check(self, name: str) -> None:
        """Compares a listed file with its SHA-256, block by block.

        Raises:
          InputError: where it is not what was written.
          OSError: where it cannot be read.
        """
        assert self._manifest is not None
        require_files(self._filesystem, self._info(name), name)
        path = f"{self._folder}/{name}"
        with self._filesystem.open_input_stream(path) as stream:
            if facts_of_stream(stream) not in self._manifest.facts_of(name):
                raise self._changed(name)

    def array(self, name: str) -> np.ndarray:
        """An array of a listed `.npy` file, mapped into memory where it can be.

        The file is compared first, without holding it in memory. What is
        written into the array stays in this process.

        Raises:
          InputError: where it is not what was written, or is no array.
        """
        try:
            if isinstance(self._filesystem, pyarrow.fs.LocalFileSystem):
                self.check(name)
                path = f"{self._folder}/{name}"
                found = np.asarray(np.lib.format.open_memmap(path, mode="c"))
            else:
                found = np.load(io.BytesIO(self.read(name)))
            if not found.ndim:
                raise ValueError("no rows")
            return found
        except InputError:
            raise
        except Exception as error:  # NumPy's reader raises anything.
            raise self._unreadable(name, error) from error

    def schema(self) -> Schema:
        """The schema, whose features are of kinds that are known.

        Raises:
          InputError: where it cannot be read, or has a feature of another kind.
        """
        schema = Schema.from_json(self.read(SCHEMA_FILE).to_pybytes())
        for feature in schema.features:
            if feature.kind not in KINDS:
                raise InputError(
                    f"a feature is of one of the kinds {', '.join(KINDS)}. "
                    f"Received: {feature.kind!r} for {feature.name!r} in "
                    f"{self._path}, as of another version. Install that, or "
                    "write the dataset again with `tfadrec prepare`."
                )
        return schema

    def table(self, name: str) -> pa.Table:
        """A table, which without a manifest may be a folder of parts.

        Raises:
          InputError: where it is not what was written, or cannot be read.
        """
        file = f"{name}.parquet"
        try:
            if self._manifest is not None:
                return pq.read_table(pa.BufferReader(self.read(file)))
            path = f"{self._folder}/{file}"
            require_files(self._filesystem, self._info(file), path)
            return pq.read_table(path, filesystem=self._filesystem)
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(file, error) from error

    def batches(
        self, name: str, rows: int, columns: Sequence[str] | None = None
    ) -> Iterator[pa.Table]:
        """The rows of a table in their order, so many at a time, at least once.

        The file is compared first, without holding it in memory.

        Args:
          name: of the table.
          rows: of a batch at most.
          columns: those that are read; None for all.

        Raises:
          InputError: where it is not what was written, or cannot be read.
        """
        file = f"{name}.parquet"
        path = f"{self._folder}/{file}"
        try:
            if self._manifest is not None:
                self.check(file)
            require_files(self._filesystem, self._info(file), path)
            parts = pq.ParquetDataset(path, filesystem=self._filesystem)
            schema = parts.schema
            if columns is not None:
                schema = pa.schema([schema.field(n) for n in columns])
            yield schema.empty_table()
            for part in parts.files:
                with self._filesystem.open_input_file(part) as stream:
                    for batch in pq.ParquetFile(stream).iter_batches(
                        rows, columns=columns
                    ):
                        table = pa.Table.from_batches([batch])
                        yield table.select(schema.names).cast(schema)
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            raise self._unreadable(file, error) from error

    def columns(self, name: str) -> pa.Schema:
        """The columns of a table and their types.

        Only the end of its file is read, so it is compared by its size alone.

        Raises:
          InputError: where it cannot be read.
        """
        file = f"{name}.parquet"
        path = f"{self._folder}/{file}"
        require_files(self._filesystem, self._info(file), path)
        try:
            parts = pq.ParquetDataset(path, filesystem=self._filesystem)
            return parts.schema
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(file, error) from error

    def label_types(self) -> dict[str, str]:
        """Each label -> `binary` or `real`, as its column tells.

        Raises:
          InputError: where the impressions cannot be read, or lack a label.
        """
        columns = self.columns("impressions")
        labels = self.schema().labels
        for label in labels:
            if label not in columns.names:
                error = KeyError(f"no column {label}")
                raise self._unreadable("impressions.parquet", error)
        return {
            label: "binary"
            if pa.types.is_integer(columns.field(label).type)
            else "real"
            for label in labels
        }

    def _beside(self) -> str:
        """A sentence about a dataset beside it that was probably meant."""
        folder = pathlib.Path(self._folder)
        beside = folder.parent.iterdir() if folder.parent.is_dir() else ()
        known = [p.name for p in beside if (p / SCHEMA_FILE).is_file()]
        return nearest([folder.name], known)

    def _bytes(self, name: str) -> pa.Buffer:
        path = f"{self._folder}/{name}"
        require_files(self._filesystem, self._info(name), path)
        with self._filesystem.open_input_file(path) as file:
            return file.read_buffer()

    def _info(self, name: str) -> pyarrow.fs.FileInfo:
        return self._filesystem.get_file_info(f"{self._folder}/{name}")

    def _unreadable(self, name: str, error: Exception) -> InputError:
        return InputError(
            "a dataset's files must be readable. Received: "
            f"{name}: {' '.join(str(error).split())}. Write {self._path} "
            "again with `tfadrec prepare`."
        )

    def _changed(self, name: str) -> InputError:
        if self._info(name).type == pyarrow.fs.FileType.NotFound:
            return InputError(
                "a dataset's files must be as they were written. Received: "
                f"{self._path}, where {name} is missing. Write the dataset "
                "again with `tfadrec prepare`, or bring that file back."
            )
        return InputError(
            "a dataset's files must be as they were written. Received: "
            f"{self._path}, where {name} is not. Remove that file, and write "
            "the dataset again with `tfadrec prepare`; or, if you have changed "
            f"it yourself, remove {manifest.NAME}."
        )
