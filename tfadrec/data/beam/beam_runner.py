"""Running work in a pipeline of Apache Beam."""

import logging
import pathlib
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.core.one_line import one_line
from tfadrec.data.beam.options import read_options
from tfadrec.data.beam.work import Work

_LOG = logging.getLogger(__name__)
_MOST_CHARACTERS = 400
#: Runners whose workers see the files of this machine.
_LOCAL = (None, "DirectRunner", "FnApiRunner", "PrismRunner")


class BeamRunner:
    """Does work in pieces on the workers of a pipeline.

    What workers find lies in files until it is asked for: in `--temp_location`
    where that is given, else on this machine.

    Args:
      arguments: options for Beam, `--name=value`; `--runner=DirectRunner` is
        the default, which works in this process, or in several with
        `--direct_running_mode=multi_processing`.

    Raises:
      InputError: where Apache Beam is not installed or refuses the options, or
        workers would have no folder in common with this machine.

    Example:
      with BeamRunner(["--runner=FlinkRunner", ...]) as runner:
          (found,) = runner.run([work], scratch)
          for result in found:
              ...
    """

    def __init__(self, arguments: Sequence[str] = ()) -> None:
        self._options = read_options(arguments)
        known = self._options.get_all_options()
        self._name, self._place = known["runner"], known["temp_location"]
        self._shared: list[str] = []
        self._pipeline()
        self._know_files()
        if self._name not in _LOCAL and not self._place:
            raise InputError(
                "workers on other machines hand over what they find in a "
                f"folder that they and this one see. Received: {self._name} "
                "without --temp_location. Add it."
            )

    def __enter__(self) -> "BeamRunner":
        return self

    def __exit__(self, *error: object) -> None:
        from apache_beam.io.filesystems import FileSystems

        for folder in self._shared:
            # All that is in it; only some filesystems then have a folder yet.
            FileSystems.delete([f"{folder}/"])
            if FileSystems.exists(folder):
                FileSystems.delete([folder])

    def run(
        self, works: Sequence[Work], scratch: pathlib.Path
    ) -> list[Iterator[Any]]:
        """Does all works in one pipeline.

        Args:
          works: what is to be done.
          scratch: the path of a new local folder, which the caller removes.

        Returns:
          For each work what was found in its pieces, in order. Where a piece
          ended with an error, that is raised in its place.

        Raises:
          TfadrecError: where the pipeline fails.
        """
        from tfadrec.data.beam.shared_files import read_values, write_values
        from tfadrec.data.beam.steps import INDEX, WORKS, add_steps

        folder = self._folder(scratch)
        write_values(f"{folder}/{WORKS}", works)
        pipeline = self._pipeline()
        add_steps(pipeline, folder, len(works))
        _LOG.info("Working in a pipeline of %s", self._name or "DirectRunner")
        try:
            state = pipeline.run().wait_until_finish()
        except Exception as error:
            raise _failed(str(error)) from error
        if state != "DONE":
            raise _failed(f"the state {state}")
        (index,) = read_values(f"{folder}/{INDEX}")
        paths: list[list[str]] = [[] for _ in works]
        for (number, _), path in index:
            paths[number].append(path)
        return [_found(of_work) for of_work in paths]

    def _know_files(self) -> None:
        """Makes the files that Beam can open known to this process."""
        from apache_beam.io.filesystems import FileSystems

        from tfadrec.data.beam.filesystems import register

        FileSystems.set_options(self._options)
        register()

    def _pipeline(self) -> Any:
        import apache_beam

        runner = None
        try:
            if self._name in (None, "DirectRunner"):
                runner = _runner_of_this_machine(self._options)
            return apache_beam.Pipeline(runner, options=self._options)
        except (ValueError, ImportError) as error:
            raise InputError(
                "options must be those of a runner that Apache Beam has. "
                f"Received: {one_line(str(error), _MOST_CHARACTERS)} Correct "
                "what stands after `--`."
            ) from error

    def _folder(self, scratch: pathlib.Path) -> str:
        """A new folder that the workers see."""
        from apache_beam.io.filesystems import FileSystems

        folder = str(scratch.absolute())
        if self._place:
            name = f"tfadrec-{uuid.uuid4().hex}"
            folder = FileSystems.join(self._place, name)
        FileSystems.mkdirs(folder)
        if self._place:
            self._shared.append(folder)
        return folder


def _runner_of_this_machine(options: Any) -> Any:
    """What Beam calls `DirectRunner`, as far as it is written in Python.

    By that name Beam looks for a program in another language first, which it
    downloads.
    """
    from apache_beam.portability.api import beam_provision_api_pb2 as messages
    from apache_beam.runners.portability.fn_api_runner import fn_runner
    from apache_beam.runners.portability.portable_runner import JobServiceHandle

    encoded = JobServiceHandle.encode_pipeline_options(
        options.get_all_options()
    )
    facts = fn_runner.ExtendedProvisionInfo(
        messages.ProvisionInfo(pipeline_options=encoded)
    )
    return fn_runner.FnApiRunner(provision_info=facts)


def _found(paths: list[str]) -> Iterator[Any]:
    """What lies in files, each of which is removed when it was read."""
    from apache_beam.io.filesystems import FileSystems

    from tfadrec.data.beam.shared_files import read_values

    for path in paths:
        for value in read_values(path):
            if isinstance(value, TfadrecError):
                raise value
            yield value
        FileSystems.delete([path])


def _failed(why: str) -> TfadrecError:
    # The error of a worker is the last line of a long account.
    last = why.strip().splitlines()[-1] if why.strip() else "no reason"
    return TfadrecError(
        "a pipeline of Apache Beam must end. Received: "
        f"{one_line(last, _MOST_CHARACTERS)}. Look into the runner's log."
    )
