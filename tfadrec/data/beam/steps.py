"""The steps of a pipeline. A worker imports this file, and so Beam."""

import functools
import uuid
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems

from tfadrec.core.errors import TfadrecError
from tfadrec.data.beam.filesystems import register
from tfadrec.data.beam.shared_files import read_values, write_values
from tfadrec.data.beam.work import Work

#: The files of what is to be done, and of where what was found lies.
WORKS, INDEX = "works", "index"
#: A work, and a piece of it, by their numbers.
_Key = tuple[int, int]


def add_steps(pipeline: beam.Pipeline, folder: str, count: int) -> None:
    """Lets a pipeline do works, and leave what it finds in files.

    A piece that is done twice, as one is after a fault, has two files; the
    index names that of the attempt which counts.

    Args:
      pipeline: has no steps yet.
      folder: holds the file `WORKS`, and is given all that is found.
      count: of the works.
    """
    (
        pipeline
        | "Works" >> beam.Create(range(count))
        | "Cut" >> beam.ParDo(_Cut(folder))
        # So that pieces of one work are not bound to one worker.
        | "Share out" >> beam.Reshuffle()
        | "Do" >> beam.ParDo(_Do(folder))
        | "All" >> beam.combiners.ToList()
        | "Index" >> beam.ParDo(_Index(folder))
    )


class _Step(beam.DoFn):
    """Knows the works, which a worker reads once."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._works: list[Work] = []

    def setup(self) -> None:
        self._works = _works_in(self._folder)


@functools.lru_cache(maxsize=1)
def _works_in(folder: str) -> list[Work]:
    register()
    return list(read_values(FileSystems.join(folder, WORKS)))


class _Cut(_Step):
    """The pieces of a work."""

    def process(self, number: int) -> Iterator[tuple[_Key, Any]]:
        for piece_number, piece in enumerate(self._works[number].pieces()):
            yield (number, piece_number), piece


class _Do(_Step):
    """Does a piece, and tells the file of what it found."""

    def process(self, keyed: tuple[_Key, Any]) -> Iterator[tuple[_Key, str]]:
        key, piece = keyed
        name = f"{key[0]}-{key[1]}-{uuid.uuid4().hex}"
        path = FileSystems.join(self._folder, name)
        write_values(path, _found(self._works[key[0]], piece))
        yield key, path


def _found(work: Work, piece: Any) -> Iterator[Any]:
    """What is found, and the error where the user has to mend something."""
    try:
        yield from work.do(piece)
    except TfadrecError as error:
        yield error


class _Index(beam.DoFn):
    """Writes which files there are."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def process(self, found: list[tuple[_Key, str]]) -> None:
        write_values(FileSystems.join(self._folder, INDEX), [sorted(found)])
