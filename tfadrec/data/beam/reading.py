"""Logs read and checked on the workers of a pipeline."""

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence

from tfadrec.data.beam.beam_runner import BeamRunner
from tfadrec.data.intake.workspace import Workspace
from tfadrec.data.sources.checked import Checked
from tfadrec.data.sources.log_job import LogJob, Reading


def read_in(runner: BeamRunner) -> Reading:
    """Reads logs in pipelines, as `log_job.read_here` does in this process."""

    def read(
        jobs: Sequence[LogJob], workspace: Workspace
    ) -> list[Iterator[Checked]]:
        return runner.run(list(map(_anywhere, jobs)), workspace.file())

    return read


def _anywhere(job: LogJob) -> LogJob:
    """The job for a process that may have another folder as its own."""
    path = job.spec.path
    if "://" in path:
        return job
    path = str(pathlib.Path(path).expanduser().absolute())
    return dataclasses.replace(
        job, spec=dataclasses.replace(job.spec, path=path)
    )
