"""Where the logs of a dataset are written."""

import dataclasses
import pathlib

import pyarrow as pa

from tfadrec.core.schema import Schema
from tfadrec.data.encoded.column_writer import ColumnWriter
from tfadrec.data.intake.workspace import Workspace


@dataclasses.dataclass(frozen=True)
class Place:
    """Where logs are written, and what they refer to.

    Args:
      folder: the dataset's.
      schema: the feature spec.
      ad_ids: of the catalogue.
      writer: of the arrays.
      workspace: where files are made on the way.
    """

    folder: pathlib.Path
    schema: Schema
    ad_ids: pa.Array
    writer: ColumnWriter
    workspace: Workspace
