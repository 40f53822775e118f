"""Tables in the form in which logs are read."""

import pathlib

from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.workspace import Workspace


def spilled(table):
    """A table in memory, for which no file is made."""
    workspace = Workspace(pathlib.Path("/nowhere/out"), "dataset")
    return SpilledTable.of(table, workspace)
