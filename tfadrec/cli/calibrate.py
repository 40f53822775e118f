"""`tfadrec calibrate`: a run's logits become right probabilities."""

import itertools
import pathlib
from typing import Any

import click

from tfadrec.cli.command import (
    Command,
    allow_import_option,
    load_tensorflow,
    moved_data_option,
    say,
)
from tfadrec.cli.outcome import Outcome
from tfadrec.runs.before import check_run, check_run_field
from tfadrec.runs.folder import CALIBRATION, run_folder

#: It does harm on rows that it has not learned from.
_HARM = 3


@click.command(cls=Command)
@click.argument("run", type=click.Path())
@click.option(
    "--method",
    type=click.Choice(["platt", "temperature", "beta", "isotonic"]),
    default="platt",
    show_default=True,
    help="The curve for all rows.",
)
@click.option(
    "--field",
    help="A category each of whose values gets a shift, such as campaign.",
)
@click.option(
    "--on",
    type=click.Choice(["valid", "test"]),
    default="valid",
    show_default=True,
    help="The rows to learn from.",
)
@click.option("--remove", is_flag=True, help="Take the calibration away.")
@moved_data_option
@allow_import_option
def calibrate(
    run: str,
    method: Any,
    field: str | None,
    on: str,
    remove: bool,
    data: str | None,
    allow_import: tuple[str, ...],
) -> Outcome:
    """Learn how RUN's logits have to be bent, and keep that in its folder.

    The ranker stays as it is. `evaluate`, `recommend` and `export` read
    RUN/calibration.json; a bundle answers with raw and calibrated
    probabilities. The measures that are shown are those of the other rows: of
    test where it learns from validation rows. Below them it says what the
    calibration is worth on users that it has not learned from, fifth by fifth,
    and with --field what the field is worth beside the curve alone. Where that
    is surely a loss, nothing is written, and the exit code is 3.

    \b
    Example:
      tfadrec calibrate runs/a
      tfadrec calibrate runs/a --method isotonic --field campaign
    """
    record = check_run(run, data, allow_import)
    check_run_field(record, data, field)
    load_tensorflow()
    if remove:
        from tfadrec.calibration import Calibration

        folder = run_folder(run)
        with folder.held():
            Calibration.remove(folder)
        say(f"{run} has no calibration.")
        return Outcome({"run": run, "calibration": None})
    from tfadrec import evaluation, training

    loaded = training.load_run(run, data=data, allow_import=allow_import)
    gains = _held_out(loaded, method, field, on)
    told = {"held_out": [gain.to_dict() for gain in gains]}
    if any(gain.verdict == "worse" for gain in gains):
        return _left_out(run, gains, told)
    found = training.calibrate(loaded, run, method=method, field=field, on=on)
    measured_on = "test" if on == "valid" and len(loaded.test) else "valid"
    rows = loaded.test if measured_on == "test" else loaded.valid
    both = {
        "raw": evaluation.evaluate(loaded.ranker, rows),
        "calibrated": evaluation.evaluate(
            loaded.ranker, rows, calibration=found.calibration
        ),
    }
    say(f"{measured_on} rows\n\n{evaluation.probabilities_text(both)}\n")
    for gain in gains:
        say(_line(gain))
    file = pathlib.Path(run, CALIBRATION)
    say(f"Calibration: {file}\nNext: tfadrec export {run}")
    return Outcome(
        {
            "run": run,
            "calibration": str(file),
            "rows": measured_on,
            **told,
            **{name: e.to_dict()["metrics"] for name, e in both.items()},
        }
    )


def _left_out(run: str, gains: list[Any], told: dict[str, Any]) -> Outcome:
    """Says that nothing was written, and why."""
    for gain in gains:
        say(_line(gain))
    file = pathlib.Path(run, CALIBRATION)
    kept = f"{run} has no calibration."
    if file.exists():
        kept = f"{file} stays as it was; --remove takes it away."
    say(
        f"Nothing was written: {kept} In Python `training.calibrate` writes "
        "it all the same."
    )
    kept_file = str(file) if file.exists() else None
    return Outcome({"run": run, "calibration": kept_file, **told}, _HARM)


def _held_out(run: Any, method: Any, field: str | None, on: str) -> list[Any]:
    """What the curve changes of the raw log loss, and the field of the curve's.

    Each fifth of the users is calibrated by what the others tell.
    """
    from tfadrec import evaluation, training
    from tfadrec.calibration import cross_fitted

    rows, raw = training.calibration_rows(run, on)
    steps = {"raw": raw, method: cross_fitted(raw, rows, method=method)}
    if field is not None:
        steps[f"{method} by {field}"] = cross_fitted(
            raw, rows, method=method, field=field
        )
    found = {n: [evaluation.measure(z, rows)] for n, z in steps.items()}
    names = list(found)
    gains = []
    for before, after in itertools.pairwise(names):
        gains += evaluation.differences(
            {before: found[before], after: found[after]},
            rows,
            metrics=["log_loss"],
            parts=["all"],
        )
    return gains


def _line(gain: Any) -> str:
    """What a step is worth, in a sentence."""
    advice = ""
    if gain.difference >= 0:
        advice = (
            " It does harm."
            if gain.verdict == "worse"
            else " It is not known to help."
        )
        advice += " Leave it out, or give it more rows."
    return (
        f"Held out, {gain.task}: log loss {gain.reference_value:.4f} "
        f"({gain.reference}), {gain.value:.4f} ({gain.model}); "
        f"{gain.interval}.{advice}"
    )
