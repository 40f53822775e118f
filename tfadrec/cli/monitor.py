"""`tfadrec monitor`: whether requests are what a model was trained on."""

import pathlib

import click

from tfadrec.cli.command import Command, load_tensorflow, say
from tfadrec.cli.outcome import Outcome
from tfadrec.core.errors import InputError
from tfadrec.core.replace_file import replace_text

#: Something is further away than no drift would have it; too few requests.
_ALARM, _OPEN = 3, 4


@click.command(cls=Command)
@click.argument("bundle", type=click.Path())
@click.option(
    "--requests",
    required=True,
    type=click.Path(),
    help="Log of requests, JSON Lines: bodies of REST, with id, time, scores.",
)
@click.option(
    "--labels",
    type=click.Path(),
    help="Log of labels, JSON Lines: id of a request, labels of its scores.",
)
@click.option(
    "--window",
    type=click.IntRange(min=200),
    default=10_000,
    show_default=True,
    help="Users whose requests are measured together.",
)
@click.option(
    "--prometheus",
    type=click.Path(),
    metavar="FILE.prom",
    help="Write the last window there, for node_exporter's textfile collector.",
)
@click.option(
    "--out",
    type=click.Path(),
    metavar="FILE.html",
    help="Write all windows there, as a page of pictures.",
)
def monitor(
    bundle: str,
    requests: str,
    labels: str | None,
    window: int,
    prometheus: str | None,
    out: str | None,
) -> Outcome:
    """Measure whether requests to BUNDLE are like its training rows.

    By window it measures what is missing and unknown, how far each input and
    the answered scores are from what they were (PSI, KS), and predicted over
    observed labels. An alarm is what happens without drift in one of 2,000
    windows at most. The exit code is 3 where there was one, and 4 where fewer
    than 200 users ask in the log.

    \b
    Example:
      tfadrec monitor saved_models/a --requests requests.jsonl
      tfadrec monitor saved_models/a --requests requests.jsonl \\
        --labels labels.jsonl --window 5000 --json
    """
    load_tensorflow()
    from tfadrec import monitoring, serving
    from tfadrec.evaluation.page import check_page, write_page
    from tfadrec.serving.input_names import input_names

    if prometheus is not None:
        _check_prometheus(prometheus)
    if out is not None:
        check_page(out)
    version = serving.version_path(bundle)
    profile = monitoring.Profile.load(version)
    inputs = input_names(version)
    found = []
    log = monitoring.Watch(profile, requests, labels, window=window)
    for measured in log:
        say(measured.line)
        for alarm in measured.alarms:
            say(f"  ALARM {alarm.line}")
        found.append(measured)
    if not found:
        say(
            "Fewer than 200 users ask in the log, which tells nothing. Wait "
            "for more of them."
        )
    elif log.left:
        say(
            f"The last {log.left:,} users were not measured: a window has at "
            "least 200."
        )
    unknown = sorted(log.inputs - inputs)
    if unknown:
        say(
            f"No input is called {', '.join(map(repr, unknown))}. Inputs are "
            f"{', '.join(sorted(inputs))}."
        )
    name = version.absolute().parent.name
    if found and prometheus is not None:
        page = monitoring.prometheus_page(name, found[-1])
        replace_text(prometheus, page)
    if found and out is not None:
        write_page(out, f"Requests to {name}", monitoring.picture(found))
    code = 0 if found else _OPEN
    return Outcome(
        {
            "windows": [measured.to_dict() for measured in found],
            "left": log.left,
            "unknown_inputs": unknown,
        },
        _ALARM if any(measured.alarms for measured in found) else code,
    )


def _check_prometheus(path: str) -> None:
    """Refuses a file that this command has not written.

    Raises:
      InputError: where there is one, no folder to write to, or a name that the
        collector passes over.
    """
    from tfadrec.monitoring.prometheus import BEGINNING

    file = pathlib.Path(path)
    if file.suffix != ".prom":
        raise InputError(
            "node_exporter reads files that end in .prom alone. Received: "
            f"{path}. Name the file FILE.prom."
        )
    text = BEGINNING
    if file.is_file():
        with file.open(encoding="utf-8", errors="replace") as stream:
            text = stream.read(len(BEGINNING))
    is_other = file.exists() and not file.is_file()  # a device, or a folder
    is_elsewhere = not file.absolute().parent.is_dir()
    if is_other or is_elsewhere or text != BEGINNING:
        raise InputError(
            "the metrics take the place of a file of metrics alone, in a "
            f"folder that is there. Received: {path}. Name another file."
        )
