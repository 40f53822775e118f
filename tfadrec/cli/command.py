"""What every command shares: `--json`, one-line errors, exit codes."""

import contextlib
import gc
import json
import logging
import math
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from tfadrec.cli.outcome import Outcome
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.core.muted import muted
from tfadrec.core.one_line import one_line, visible
from tfadrec.core.read_yaml import yaml_bytes

if TYPE_CHECKING:
    from tfadrec.data.intake.summary import Summary

#: Of a message, which may show what a user's file holds.
_MOST_CHARACTERS = 4000
#: What TensorFlow warns of where nothing is wrong: that several models have a
#: graph each, and that a busy machine takes its time to show progress.
_NO_WARNINGS = (
    "triggered tf.function retracing",
    "is slow compared to the batch time",
)


class Command(click.Command):
    """A command whose function prints for people and returns plain values.

    With `--json` the values become the last line of standard output. An error
    that a user can mend becomes one line on standard error. A function that
    returns an `Outcome` chooses the exit code.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(
            click.Option(
                ["--json", "as_json"],
                is_flag=True,
                help="Print a JSON object as the last line of standard output.",
            )
        )

    def invoke(self, ctx: click.Context) -> None:
        """Runs the command and ends the process with its exit code."""
        as_json = ctx.params.pop("as_json")
        result: dict[str, Any]
        try:
            found = super().invoke(ctx)
            outcome = found if isinstance(found, Outcome) else Outcome(found)
            result, code = outcome.values, outcome.code
        except (TfadrecError, OSError) as error:
            line = one_line(str(error), _MOST_CHARACTERS)
            click.echo(f"tfadrec: {line}", err=True)
            result = {"error": line}
            code = 2 if isinstance(error, InputError) else 1
        if as_json:
            click.echo(json.dumps(plain(result), allow_nan=False))
        sys.exit(code)


def say(text: str) -> None:
    """Prints what may quote a user's files, of which a terminal obeys none."""
    click.echo(visible(text))


def say_summary(summary: "Summary") -> None:
    """Prints what became of the rows of a log."""
    say("\n".join(summary.lines()))


def plain(value: Any) -> Any:
    """The value with None for nan, which JSON does not have.

    Args:
      value: of dicts, lists, texts and numbers.
    """
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def read_yaml_file(what: str, file: str) -> bytes:
    """The bytes of a YAML file that a command was given.

    Raises:
      InputError: where there is no such file.
    """
    try:
        return yaml_bytes(file)
    except (OSError, ValueError) as error:
        raise InputError(
            f"a {what} is a YAML file. Received: {file}, which is none. "
            "Look into examples/."
        ) from error


def allow_import_option(command):
    """The option `--allow-import`, and where its modules are looked for."""

    def found(ctx, param, modules: tuple[str, ...]) -> tuple[str, ...]:
        # As `python -m` has it, and the installed command does not.
        if modules and os.getcwd() not in sys.path and "" not in sys.path:
            sys.path.insert(0, os.getcwd())
        return modules

    return click.option(
        "--allow-import",
        multiple=True,
        metavar="MODULE",
        callback=found,
        help="A module of yours whose classes may be used, as module:Class in "
        "the settings; its code runs. May be repeated.",
    )(command)


def moved_data_option(command):
    """The option `--data` of commands that read a run."""
    return click.option(
        "--data",
        type=click.Path(),
        help="The run's dataset folder  [default: where it was].",
    )(command)


def load_tensorflow() -> None:
    """Imports TensorFlow, whose own lines would stand among the command's.

    Unless TF_CPP_MIN_LOG_LEVEL asks for them, its C++ core writes none: what
    fails is raised, and what it calls an error besides is none, such as that it
    cannot put the nodes of a loop in an order. What it tells about devices it
    writes before any logging can be set up.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with muted(), _staying():
        import tensorflow

        tensorflow.config.list_physical_devices()
    logging.getLogger("tensorflow").addFilter(_tells)


def _tells(record: logging.LogRecord) -> bool:
    """Whether TensorFlow warns of something."""
    return not any(part in record.getMessage() for part in _NO_WARNINGS)


@contextlib.contextmanager
def _staying() -> Iterator[None]:
    """Has the garbage collector pass over what is made inside, for good.

    An import makes a million objects that stay. To go through them, while they
    are made and ever after, takes a fifth of the import's time and more.
    """
    if "tensorflow" in sys.modules:  # nothing of it is made now
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
