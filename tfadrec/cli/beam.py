"""The option `--runner beam`, and what is handed to Beam after `--`."""

import contextlib
from collections.abc import Iterator, Sequence

import click

from tfadrec.core.errors import InputError
from tfadrec.data.beam.beam_runner import BeamRunner


def beam_options(command):
    """Gives a command `--runner`, and arguments after `--`."""
    command = click.argument(
        "beam_arguments",
        nargs=-1,
        type=click.UNPROCESSED,
        metavar="[-- BEAM OPTIONS]",
    )(command)
    return click.option(
        "--runner",
        type=click.Choice(["local", "beam"]),
        default="local",
        show_default=True,
        help="This process, or a pipeline of Apache Beam (extra `beam`).",
    )(command)


@contextlib.contextmanager
def beam_runner(
    runner: str, arguments: Sequence[str]
) -> Iterator[BeamRunner | None]:
    """What runs pipelines; None where the work is done in this process.

    Raises:
      InputError: where there are options and no Beam, or wrong ones.
    """
    if runner == "beam":
        with BeamRunner(arguments) as found:
            yield found
        return
    if arguments:
        raise InputError(
            "options after `--` are handed to Apache Beam. Received: "
            f"{arguments[0]} without `--runner beam`. Add that, or remove it."
        )
    yield None
