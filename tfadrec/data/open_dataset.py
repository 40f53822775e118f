"""Reading a dataset folder."""

import dataclasses
import pathlib

from tfadrec.core.schema import Schema
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.dataset import Dataset
from tfadrec.data.dataset_files import DatasetFiles
from tfadrec.data.encoded import column_files
from tfadrec.data.encoded.encode_tables import encode_tables
from tfadrec.data.encoded.encoded import Encoded
from tfadrec.data.origin import Origin


def open_dataset(path: str | pathlib.Path) -> Dataset:
    """Opens a dataset folder.

    What `tfadrec prepare` wrote has arrays of events and impressions in files,
    which are mapped into memory: what is read of them takes memory, as long as
    there is some, and nothing else does. Where there are none, as in a folder
    of version 0.1.0, the arrays are made of the tables, in memory.

    Args:
      path: the folder that `tfadrec prepare` wrote, on any filesystem that
        pyarrow or fsspec reads.

    Raises:
      InputError: where the folder is no dataset, or a file in it is not as it
        was written.
    """
    files = DatasetFiles(path)
    schema = files.schema()
    encoded = column_files.load(files, schema) or _from_tables(files, schema)
    whole = Dataset(
        schema=schema,
        catalogue=Catalogue.from_table(files.table("ads"), schema.of("ad")),
        user_ids=encoded.user_ids,
        users=encoded.users,
        events=encoded.events,
        impressions=encoded.impressions,
        rates=encoded.rates,
    )
    return dataclasses.replace(whole, origin=Origin(str(path), whole))


def _from_tables(files: DatasetFiles, schema: Schema) -> Encoded:
    names = ["ads", "events", "impressions"]
    tables = {name: files.table(name) for name in names}
    if "history" in tables["impressions"].column_names:
        tables["histories"] = files.table("histories")
    if schema.of("user"):
        tables["users"] = files.table("users")
    return encode_tables(schema, tables)
