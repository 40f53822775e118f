"""`tfadrec doctor`: what is wrong with a dataset, run, bundle or search."""

import pathlib
from typing import Literal

import click

from tfadrec.cli.command import (
    Command,
    allow_import_option,
    load_tensorflow,
    say,
)
from tfadrec.cli.outcome import Outcome
from tfadrec.core.bundle_folder import version_numbers
from tfadrec.core.errors import InputError
from tfadrec.core.schema import SCHEMA_FILE
from tfadrec.data.dataset_files import DatasetFiles
from tfadrec.runs.before import check_run
from tfadrec.runs.folder import RECORD

#: Something was found that is more than a note.
_FOUND = 3
#: What a search, and a version of a bundle, always have.
_SEARCH, _MODEL = "search.json", "saved_model.pb"
Kind = Literal["dataset", "bundle", "search", "run"]


@click.command(cls=Command)
@click.argument("path", type=click.Path())
@click.option(
    "--data",
    type=click.Path(),
    help="Of a run, its dataset folder  [default: where it was]; of a bundle, "
    "rows of today's log that it is asked.",
)
@allow_import_option
def doctor(
    path: str, data: str | None, allow_import: tuple[str, ...]
) -> Outcome:
    """Look for what is wrong with the dataset, run, bundle or search in PATH.

    Of each finding it says what, where, how much of it, and what to do. The
    exit code is 3 where there is a warning or an error, and 0 where there is
    nothing, or notes alone.

    \b
    Example:
      tfadrec doctor data/ml
      tfadrec doctor runs/a
      tfadrec doctor sweeps/a
      tfadrec doctor saved_models/a --data data/today
    """
    kind = _kind(pathlib.Path(path))
    if kind == "run":
        check_run(path, data, allow_import)
    elif kind != "bundle" and data is not None:
        raise InputError(
            f"--data goes with a run or a bundle. Received: {path}, which is "
            f"a {kind}. Leave it out."
        )
    elif data is not None:
        DatasetFiles(data).schema()
    load_tensorflow()
    from tfadrec import diagnosis
    from tfadrec.data import open_dataset

    if kind == "dataset":
        findings = diagnosis.examine_dataset(open_dataset(path))
    elif kind == "search":
        findings = diagnosis.examine_sweep(path)
    elif kind == "bundle":
        rows = None if data is None else open_dataset(data)
        findings = diagnosis.examine_bundle(path, rows)
    else:
        findings = diagnosis.examine_run_folder(
            path, data=data, allow_import=allow_import
        )
    for finding in findings:
        say(finding.line)
    if not findings:
        say("Nothing was found.")
    serious = [f for f in findings if f.level != "note"]
    return Outcome(
        {
            "kind": kind,
            "findings": [finding.to_dict() for finding in findings],
        },
        _FOUND if serious else 0,
    )


def _kind(path: pathlib.Path) -> Kind:
    """What a folder holds, by what is always in it."""
    if (path / SCHEMA_FILE).is_file():
        return "dataset"
    if (path / _SEARCH).is_file():
        return "search"
    if (path / _MODEL).is_file() or version_numbers(path):
        return "bundle"
    if (path / RECORD).is_file():
        return "run"
    raise InputError(
        "a dataset, a run, a bundle or a search is examined, each a folder. "
        f"Received: {path}, which is none of them. Name the folder that "
        "`tfadrec prepare`, `train`, `export` or `tune` wrote."
    )
