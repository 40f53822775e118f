"""The options of a pipeline, as they are written on a command line."""

import contextlib
import io
import logging
import types
from collections.abc import Sequence
from typing import Any

from tfadrec.core.errors import InputError

#: Runners that hand on options which Beam itself does not know.
_OTHERS_OPTIONS = ("PortableRunner", "FlinkRunner", "SparkRunner")


def read_options(arguments: Sequence[str]) -> Any:
    """Reads what is to be handed to Beam.

    Args:
      arguments: options as Beam has them, `--name=value` or `--name`.

    Returns:
      Beam's `PipelineOptions`.

    Raises:
      InputError: where Apache Beam is not installed, or does not know an
        option or its value.
    """
    beam = _module()
    for argument in arguments:
        if not argument.startswith("--"):
            raise _refusal(argument, "which is no --name=value")
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            options = beam.PipelineOptions(list(arguments))
            given = options.get_all_options(retain_unknown_options=True)
    except SystemExit as error:
        reason = told.getvalue().strip().rpartition("error: ")[2]
        raise _refusal(" ".join(arguments), reason) from error
    known = beam.PipelineOptions([]).get_all_options()
    unknown = [name for name in given if name not in known]
    if unknown and given["runner"] not in _OTHERS_OPTIONS:
        raise _refusal(f"--{unknown[0]}", "which Beam does not know")
    worker = options.view_as(beam.WorkerOptions)
    if worker.default_sdk_harness_log_level is None:
        # Workers else tell of each of their connections.
        worker.default_sdk_harness_log_level = "WARNING"
    return options


def _module() -> types.ModuleType:
    """Beam's module of options, imported without what it tells on the way."""
    silent = logging.NullHandler()
    logging.root.addHandler(silent)
    try:
        from apache_beam.options import pipeline_options
    except ImportError as error:
        raise InputError(
            "`--runner beam` needs Apache Beam. Received: an environment "
            f"without it ({error}). Install it with `pip install "
            "'tfadrec[beam]'`."
        ) from error
    finally:
        logging.root.removeHandler(silent)
    return pipeline_options


def _refusal(received: str, why: str) -> InputError:
    return InputError(
        "what stands after `--` must be options of Apache Beam. Received: "
        f"{received}, {why}. Correct it."
    )
