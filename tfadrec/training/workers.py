"""Processes, on one machine or on many, that train one model together."""

import contextlib
import functools
import hashlib
import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.core.manifest import Manifest
from tfadrec.core.scratch_folder import clear_leftovers, scratch_folder
from tfadrec.runs.folder import MODEL
from tfadrec.runs.task import Task
from tfadrec.training import servers

#: What takes the steps of epochs, as `keras.Model.fit` does.
Learn = Callable[..., Any]
#: How often, and after how many seconds, files are copied again that changed
#: while they were copied.
_TRIES, _PAUSE = 10, 0.5


class Workers:
    """The processes that take each step of a training together.

    Each takes its share of every batch, and all have equal weights after every
    step. The first of them, the chief, writes the folder of the run; another
    one works in a copy of its own, which goes away in the end. So what is done
    in that folder does not depend on who does it.

    Args:
      task: which of them this process is.
      strategy: of `tf.distribute`, which has joined them. One alone may have
        any.
    """

    def __init__(self, task: Task, strategy: tf.distribute.Strategy) -> None:
        self._task = task
        self._strategy = strategy

    @classmethod
    def of_strategy(cls, strategy: tf.distribute.Strategy) -> "Workers":
        """Those that a strategy has joined.

        Args:
          strategy: one that is no `MultiWorkerMirroredStrategy` is that of one
            process alone.
        """
        if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            return cls(Task(), strategy)
        at = strategy.cluster_resolver
        jobs = at.cluster_spec().as_dict()
        sizes = {job: len(addresses) for job, addresses in jobs.items()}
        return cls(Task.of_cluster(sizes, at.task_type, at.task_id), strategy)

    @property
    def is_first(self) -> bool:
        """Whether this process writes what is kept."""
        return self._task.is_first

    @property
    def are_several(self) -> bool:
        """Whether there is another process."""
        return self._task.count > 1

    @property
    def task(self) -> Task:
        """Which of them this process is."""
        return self._task

    @property
    def learn(self) -> Learn:
        """What takes the steps of a training."""
        if not self._task.servers:
            return learn_here
        return functools.partial(servers.learn_with_servers, self._strategy)

    def scope(self) -> contextlib.AbstractContextManager:
        """In which models are made and trained."""
        if not self.are_several:  # then they are in that of the caller
            return contextlib.nullcontext()
        return self._strategy.scope()

    @contextlib.contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """The chief does what is in the block, and then all others."""
        if not self.is_first:
            self._sum(0)
        yield
        if self.is_first:
            self._sum(0)

    def require_same(self, done: int) -> None:
        """Refuses workers of which one knows other epochs than the others.

        Args:
          done: number of epochs that were saved.

        Raises:
          InputError: where they differ, as without a shared folder.
        """
        if self._sum(done) != self._task.count * done:
            raise InputError(
                "workers go on from the same epoch, which they read in the "
                f"folder of the run. Received: worker {self._task.index} with "
                f"{done} epochs, and others. Name a folder that all of them "
                "see."
            )

    def _sum(self, number: int) -> int:
        """The sum of all workers' numbers, for which it waits."""
        if not self.are_several:
            return number

        @tf.function
        def total(value: tf.Tensor) -> tf.Tensor:
            return self._strategy.reduce(
                tf.distribute.ReduceOp.SUM,
                self._strategy.run(lambda: value),
                axis=None,
            )

        replicas = self._strategy.num_replicas_in_sync // self._task.count
        return int(total(tf.constant(number))) // replicas


def learn_here(model: keras.Model, batches: Any, **settings: Any) -> None:
    """Trains a model in this process, and in those that step with it.

    Args:
      model: compiled.
      batches: for it to learn from.
      **settings: as of `keras.Model.fit`.
    """
    model.fit(batches, verbose=0, **settings)


@functools.cache
def joined(task: Task) -> Workers:
    """Waits for all workers, before TensorFlow has run anything here.

    Joined workers stay joined, so it may be called again.

    Args:
      task: which of them this process is.

    Raises:
      InputError: where TensorFlow has run something.
    """
    if task.servers:
        return Workers(task, servers.connected())
    if task.count == 1:
        return Workers(task, tf.distribute.get_strategy())
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise InputError(
            "workers are joined before TensorFlow has run anything. Received: "
            "a process in which it has. Call `training.train` first of all, or "
            "unset TF_CONFIG."
        ) from error
    return Workers(task, strategy)


@contextlib.contextmanager
def place_of(
    task: Task, out: str | pathlib.Path
) -> Iterator[str | pathlib.Path]:
    """The folder that a process trains in.

    Args:
      task: the process.
      out: the folder of the run.

    Yields:
      That folder for the first process, and a copy of what was saved in it for
      another one.

    Raises:
      InputError: where the files are not as the run's manifest has them.
    """
    if task.is_first:
        yield out
        return
    name = f"{os.getuid()}\0{os.path.abspath(out)}\0{task.index}"
    own = pathlib.Path(
        tempfile.gettempdir(),
        f"tfadrec-worker-{hashlib.sha256(name.encode()).hexdigest()[:16]}",
    )
    clear_leftovers(own, "worker")  # of one that was killed
    with scratch_folder(own, "worker") as scratch:
        yield _copied(pathlib.Path(out), scratch)


def _copied(run: pathlib.Path, scratch: pathlib.Path) -> pathlib.Path:
    """A copy of what a training goes on from, with its manifest."""
    for number in range(_TRIES):
        copy = scratch / f"{number}"
        manifest = Manifest.in_folder(run)
        if manifest is None:  # nothing was saved yet
            return copy
        files = {k: v for k, v in manifest.files.items() if k != MODEL}
        copy.mkdir()
        with contextlib.suppress(FileNotFoundError):  # the chief removed it
            for name in files:
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(run / name, copy / name)
            found = Manifest.of(copy, manifest.kind)
            if found.files == files:
                found.write(copy)
                return copy
        time.sleep(_PAUSE)
    raise InputError(
        "a worker goes on from the files of the run. Received: "
        f"{run}, where they are not as its manifest has them. Remove the "
        "folder and train again."
    )
