"""The options of a pipeline, as they are written on a command line."""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

from tfadrec.core.errors import InputError

#: Runners whose workers see the files of this machine.
LOCAL = ("DirectRunner", "FnApiRunner", "PrismRunner")
#: Those that hand on options that Beam itself does not know.
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
    options_of, worker_class = _option_classes()
    for argument in arguments:
        if not argument.startswith("--"):
            raise _refusal(argument, "which is no --name=value")
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            options = options_of(list(arguments))
            known = options.get_all_options()
            given = options.get_all_options(retain_unknown_options=True)
    except SystemExit as error:
        reason = told.getvalue().strip().rpartition("error: ")[2]
        raise _refusal(" ".join(arguments), reason) from error
    if known["default_sdk_harness_log_level"] is None:
        # Workers else tell of each of their connections.
        worker = options.view_as(worker_class)
        worker.default_sdk_harness_log_level = "WARNING"
    unknown = [name for name in given if name not in known]
    if unknown and known["runner"] not in _OTHERS_OPTIONS:
        raise _refusal(f"--{unknown[0]}", "which Beam does not know")
    if not is_local(options) and not known["temp_location"]:
        raise _refusal(
            f"--runner={known['runner']} alone",
            "whose workers hand over what they found through a folder that "
            "they and this machine see: add --temp_location",
        )
    return options


def is_local(options: Any) -> bool:
    """Whether the workers of a pipeline see the files of this machine."""
    return (options.get_all_options()["runner"] or LOCAL[0]) in LOCAL


def _option_classes() -> tuple[Any, Any]:
    try:
        from apache_beam.options import pipeline_options
    except ImportError as error:
        raise InputError(
            "`--runner beam` needs Apache Beam. Received: an environment "
            f"without it ({error}). Install it with `pip install "
            "'tfadrec[beam]'`."
        ) from error
    return pipeline_options.PipelineOptions, pipeline_options.WorkerOptions


def _refusal(received: str, why: str) -> InputError:
    return InputError(
        "what stands after `--` must be options of Apache Beam. Received: "
        f"{received}, {why}. Correct it."
    )
