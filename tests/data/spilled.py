"""Tables in the form in which logs are read."""

import pathlib

from tfadrec.data.intake.spilled_table import SpilledTable
from tfadrec.data.intake.workspace import Workspace

#: A place in which no file can be made, for logs that stay in memory.
NOWHERE = Workspace(pathlib.Path("/nowhere/out"), "dataset")


def spilled(table):
    """A table in memory, for which no file is made."""
    return SpilledTable.of(table, NOWHERE)
