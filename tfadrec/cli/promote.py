"""`tfadrec promote`: a bundle's canary becomes its stable version."""

import math
import pathlib
from typing import Any

import click

from tfadrec.cli.command import (
    Command,
    load_tensorflow,
    read_yaml_file,
    say,
)
from tfadrec.core.config import read_settings
from tfadrec.core.errors import TfadrecError
from tfadrec.core.moment_text import moment_text
from tfadrec.data.dataset_files import DatasetFiles


@click.command(cls=Command)
@click.argument("bundle", type=click.Path())
@click.option(
    "--data",
    required=True,
    type=click.Path(),
    help="Dataset folder of impressions and of what their users did before, "
    "such as RUN/data of an updated run. Impressions that are not newer than "
    "all that the versions have learned are left out.",
)
@click.option(
    "--gates",
    type=click.Path(),
    help="YAML file with the limits; the defaults where it is left out.",
)
@click.option(
    "--rows",
    default=20_000,
    show_default=True,
    help="How many impressions are scored at most, the newest.",
)
def promote(
    bundle: str, data: str, gates: str | None, rows: int
) -> dict[str, Any]:
    """Make the canary of BUNDLE its stable version, where it keeps all gates.

    Both versions score the same impressions, newer ones than they have learned
    or were chosen or calibrated by, with the histories that the dataset has: a
    day's dataset lacks what users did before it, and the joined one of the next
    day's update, RUN/data, has it. A YAML file of gates has lines
    such as `auc: 0.001` (how much lower it may be), `log_loss: 0.001` (how much
    higher), `calibration: 0.1` (how far from 1) and `latency: 1.2` (times the
    stable version's); null takes one away. A gate is kept where its whole 95 %
    interval lies within the limit. Where one is not kept, or rows or calls do
    not tell, the labels stay, and the exit code is 1.

    \b
    Example:
      tfadrec update runs/tuesday --data data/wednesday --out runs/wednesday
      tfadrec promote saved_models/a --data runs/wednesday/data
    """
    settings = {}
    if gates is not None:
        settings = read_settings(read_yaml_file("file of gates", gates))
    files = DatasetFiles(data)
    load_tensorflow()
    from tfadrec import serving
    from tfadrec.data import open_dataset
    from tfadrec.evaluation import rows_facts, rows_line

    limits = serving.Gates.of(settings)
    files.schema()
    found = serving.promote(
        pathlib.Path(bundle), open_dataset(data), limits, rows=rows
    )
    outcomes, facts = found.outcomes, rows_facts(found.rows)
    say(f"Judged by {rows_line('newest', facts)}.")
    if found.until is not None:
        say(
            f"Left out are {found.learned:,} that are not newer than "
            f"{moment_text(found.until)} (UTC), until when they have learned."
        )
    for version in found.untold:
        say(
            f"Version {version} does not tell which rows it has learned: some "
            "may be among these. Versions exported from now on do."
        )
    for note in found.notes:
        say(f"Note: {note}")
    for outcome in outcomes:
        click.echo(_line(outcome))
    lost, open_ = (
        [o["gate"] for o in outcomes if o["state"] == state]
        for state in ("lost", "open")
    )
    if lost:
        raise TfadrecError(
            f"the canary of {bundle} does not keep {', '.join(lost)}; the "
            "labels stay as they are."
        )
    if open_:
        raise TfadrecError(
            f"it is open whether the canary of {bundle} keeps "
            f"{', '.join(open_)}; the labels stay as they are. "
            f"{_mend(open_, found.rounds)}"
        )
    click.echo(f"The canary of {bundle} is stable now.")
    return {
        "bundle": bundle,
        "gates": outcomes,
        "rows": facts,
        "learned_rows": found.learned,
        "learned_until": found.until,
    }


def _mend(gates: list[str], rounds: int) -> str:
    """Why gates are open, and what to do."""
    from tfadrec.serving.latencies import LEAST_ROUNDS

    told = []
    if "latency" in gates and rounds < LEAST_ROUNDS:
        told.append(
            f"Of latency {rounds} rounds of calls tell no interval, and in a "
            "minute there were no more: call it on a faster machine, or take "
            "the gate away."
        )
        gates = [gate for gate in gates if gate != "latency"]
    if gates:
        mend = "Name more rows"
        if gates == ["latency"]:
            mend = "Call it again where nothing else runs"
        told.append(
            f"The interval of {', '.join(gates)} reaches over the limit. "
            f"{mend}, or raise the limit."
        )
    return " ".join(told)


def _line(outcome: dict[str, Any]) -> str:
    """A gate, the interval of what it looks at, and its state."""
    is_ratio = outcome["gate"] in ("calibration", "latency")
    what, sign = ("ratio", "") if is_ratio else ("difference", "+")
    low, high = outcome["low"], outcome["high"]
    interval = f"  {what} {low:{sign}.4f} to {high:{sign}.4f}"
    if math.isnan(low):
        interval = "  no interval"
    state = {"held": "kept", "lost": "NOT KEPT", "open": "OPEN"}
    return (
        f"{outcome['gate']:<12} stable {outcome['stable']:.4f}  canary "
        f"{outcome['canary']:.4f}  limit {outcome['limit']:.4f}{interval}  "
        f"{state[outcome['state']]}"
    )
