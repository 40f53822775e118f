"""`tfadrec doctor`: what is wrong with a dataset or a run."""

import pathlib

import click

from tfadrec.cli.command import (
    Command,
    allow_import_option,
    load_tensorflow,
    moved_data_option,
)
from tfadrec.cli.outcome import Outcome
from tfadrec.core.schema import SCHEMA_FILE
from tfadrec.runs.before import check_run

#: Something was found that is more than a note.
_FOUND = 3


@click.command(cls=Command)
@click.argument("path", type=click.Path())
@moved_data_option
@allow_import_option
def doctor(
    path: str, data: str | None, allow_import: tuple[str, ...]
) -> Outcome:
    """Look for what is wrong with the dataset or the run in PATH.

    Of each finding it says what, where, how much of it, and what to do. The
    exit code is 3 where there is a warning or an error, and 0 where there is
    nothing, or notes alone.

    \b
    Example:
      tfadrec doctor data/ml
      tfadrec doctor runs/a
    """
    is_dataset = pathlib.Path(path, SCHEMA_FILE).is_file()
    if not is_dataset:
        check_run(path, data, allow_import)
    load_tensorflow()
    from tfadrec import diagnosis, training
    from tfadrec.data import open_dataset

    if is_dataset:
        findings = diagnosis.examine_dataset(open_dataset(path))
    else:
        run = training.load_run(path, data=data, allow_import=allow_import)
        findings = diagnosis.examine_run(run)
    for finding in findings:
        click.echo(finding.line)
    if not findings:
        click.echo("Nothing was found.")
    serious = [f for f in findings if f.level != "note"]
    return Outcome(
        {
            "kind": "dataset" if is_dataset else "run",
            "findings": [finding.to_dict() for finding in findings],
        },
        _FOUND if serious else 0,
    )
