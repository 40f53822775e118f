"""Training with parameter servers: what the chief does, and what others do."""

import contextlib
import itertools
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tfadrec.core.config import RunConfig
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.layers.dynamic_id_embedding import DynamicIdEmbedding
from tfadrec.models import RankingModel
from tfadrec.optimizers import CompositeOptimizer, LazyAdam
from tfadrec.training.text import is_tuned

#: Seconds for which a process waits until another one can be reached, as long
#: as machines of a cluster take to start one after another.
_PATIENCE = 600.0
#: How often, seconds apart, a process is called before it is taken for gone,
#: and how long it may take to answer.
_TRIES, _PAUSE, _ANSWER = 3, 1.0, 10.0
#: Bytes of a table from which on it is worth a request to one more server.
_SHARD_BYTES = 1 << 16
#: Batches in flight for each worker: the next one waits while it is at work.
_IN_FLIGHT = 2
_AGAIN = (
    "Start the cluster again with the same command: it goes on from the last "
    "epoch."
)
#: What is raised where another process has gone.
_GONE = (tf.errors.UnavailableError, tf.errors.AbortedError)


def serve() -> None:
    """Works for the chief until it is gone: a worker, or a parameter server.

    Anybody who reaches the process's address may use it, as of any TensorFlow
    server: it belongs into a network that is trusted.

    Raises:
      TfadrecError: where no chief comes within ten minutes.
    """
    here = _cluster()
    cluster = here.cluster_spec()
    server = tf.distribute.Server(
        cluster, here.task_type, here.task_id, protocol="grpc"
    )
    chief = cluster.task_address("chief", 0)
    _wait_for("chief", chief)
    while _is_there(chief):
        time.sleep(_PAUSE)
    del server


def connected() -> tf.distribute.ParameterServerStrategy:
    """The chief's strategy, once workers and parameter servers are there.

    Raises:
      TfadrecError: where one of them does not come within ten minutes.
    """
    here = _cluster()
    cluster = here.cluster_spec().as_dict()
    for job in ("ps", "worker"):
        for address in cluster[job]:
            _wait_for(job, address)
    parts = tf.distribute.experimental.partitioners.MinSizePartitioner(
        _SHARD_BYTES, len(cluster["ps"])
    )
    return tf.distribute.ParameterServerStrategy(here, parts)


def check_learns(model: RankingModel, config: RunConfig) -> None:
    """Refuses what cannot be learned by several workers, each at its pace.

    Args:
      model: of the settings.
      config: the settings.

    Raises:
      InputError: where it cannot.
    """
    found = None
    if config.text is not None and is_tuned(config.text):
        found = f"text.tuning={config.text['tuning']!r}"
    elif any(isinstance(x, DynamicIdEmbedding) for x in model.submodules):
        found = "a DynamicIdEmbedding, whose rows change hands"
    else:
        optimizer = model.optimizer
        parts = [optimizer]
        if isinstance(optimizer, CompositeOptimizer):
            parts = [*optimizer.groups.values(), optimizer.default]
        for part in parts:
            if not isinstance(part, LazyAdam):
                found = f"the optimizer {type(part).__name__}"
            elif part.accumulate_steps > 1:
                found = f"accumulate_steps={part.accumulate_steps}"
    if found is not None:
        raise InputError(
            "with parameter servers, workers learn at their own pace, with "
            "steps of LazyAdam that add up, and with text as it is. Received: "
            f"{found}. Change it, or leave `ps` out of TF_CONFIG."
        )


def learn_with_servers(
    strategy: tf.distribute.ParameterServerStrategy,
    model: RankingModel,
    batches: tf.data.Dataset,
    *,
    initial_epoch: int,
    epochs: int,
    steps_per_epoch: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """What `model.fit` does, with steps that workers take.

    The weights that learn are those of a twin on the parameter servers, tables
    of them in parts. The model has them at the end of each epoch, with those of
    the optimiser, so that callbacks measure and save it as any model.

    A batch is handed to whichever worker is free, and workers do not wait for
    each other: a step may begin with weights that lack the steps that others
    are at. Where one worker is killed, its batch is given to another one, and
    may so have changed some weights twice.

    Args:
      strategy: of `connected`.
      model: built and compiled.
      batches: as for `fit`, and so are the others.
      initial_epoch: likewise.
      epochs: likewise.
      steps_per_epoch: likewise.
      callbacks: likewise; those of a batch are called when it is handed out.

    Raises:
      TfadrecError: where a parameter server has gone, or all workers have, and
        none comes back within ten minutes.
    """
    told = keras.callbacks.CallbackList(
        callbacks,
        model=model,
        epochs=epochs,
        steps=steps_per_epoch,
        verbose=0,
    )
    hands = _Hands(strategy)
    try:
        with strategy.scope():
            twin = model.twin()
        _send(model, twin)
        step = _step(strategy, twin, batches.element_spec)
        model.stop_training = False
        stream = iter(batches)
        told.on_train_begin()
        for epoch in range(initial_epoch, epochs):
            twin.reset_metrics()
            told.on_epoch_begin(epoch)
            for number, batch in enumerate(
                itertools.islice(stream, steps_per_epoch)
            ):
                told.on_train_batch_begin(number)
                rate = tf.convert_to_tensor(model.optimizer.learning_rate)
                hands.give(step, batch, rate)
                told.on_train_batch_end(number)
            hands.wait()
            _fetch(model, twin)
            logs = {m.name: float(m.result()) for m in twin.metrics}
            told.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        told.on_train_end()
    except _GONE as error:
        raise TfadrecError(
            "a training needs all of its parameter servers. Received: one that "
            f"does not answer any more. {_AGAIN}"
        ) from error
    finally:
        hands.close()


class _Hands:
    """The workers, who take what they are given, a few things ahead."""

    def __init__(self, strategy: tf.distribute.ParameterServerStrategy) -> None:
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(
            strategy
        )
        self._addresses = _cluster().cluster_spec().as_dict()["worker"]
        self._most = _IN_FLIGHT * len(self._addresses)
        self._room = threading.Semaphore(self._most)
        self._given: queue.SimpleQueue = queue.SimpleQueue()
        # Waiting for what was given has no limit: so the caller does not.
        threading.Thread(target=self._make_room, daemon=True).start()

    def give(self, work: Callable[..., Any], *given: Any) -> None:
        """Hands out a call, as soon as there is room for one more."""
        self._take_room()
        self._given.put(self._coordinator.schedule(work, args=given))

    def wait(self) -> None:
        """Waits until all is done."""
        for _ in range(self._most):
            self._take_room()
        self._room.release(self._most)
        self._coordinator.join()

    def close(self) -> None:
        """Ends what waits for the workers."""
        self._given.put(None)

    def _make_room(self) -> None:
        while (one := self._given.get()) is not None:
            with contextlib.suppress(Exception):  # the coordinator raises it
                one.get()
            self._room.release()

    def _take_room(self) -> None:
        """Waits for room, as long as there is a worker or may be one."""
        seen = time.monotonic()
        while not self._room.acquire(timeout=_PAUSE):
            # It raises what has ended the work of all.
            self._coordinator.done()
            if any(_answers(address) for address in self._addresses):
                seen = time.monotonic()
            elif time.monotonic() - seen > _PATIENCE:
                raise TfadrecError(
                    "a training needs a worker. Received: none that answers in "
                    f"{_PATIENCE:.0f} seconds. {_AGAIN}"
                )


def _step(strategy, twin, spec):
    """A worker's step on a batch with a learning rate."""
    falls = not isinstance(
        twin.optimizer._learning_rate,
        keras.optimizers.schedules.LearningRateSchedule,
    )

    @tf.function(input_signature=[spec, tf.TensorSpec([], tf.float32)])
    def step(batch, rate):
        if falls:
            twin.optimizer.learning_rate = rate
        strategy.run(twin.train_step, args=(batch,))

    return step


def _pairs(model, twin) -> Iterable[tuple[tf.Variable, list[tf.Variable]]]:
    """Each variable of a model, and the twin's, which may be in parts."""
    for of in (lambda each: each, lambda each: each.optimizer):
        yield from zip(
            of(model).variables, _whole(of(twin).variables), strict=True
        )


def _whole(variables) -> list[list[tf.Variable]]:
    """Variables, each with all of its parts, where it is in parts."""
    found: dict[int, list[tf.Variable]] = {}
    for variable in variables:
        # Of a table, a model has the parts, and an optimiser the whole.
        if hasattr(variable, "_sharded_container"):
            variable = variable._sharded_container()
        found.setdefault(
            id(variable), list(getattr(variable, "variables", [variable]))
        )
    return list(found.values())


def _send(model, twin) -> None:
    """Gives the twin the model's values."""
    for whole, parts in _pairs(model, twin):
        values = [whole.read_value()]
        if len(parts) > 1:
            values = tf.split(values[0], [part.shape[0] for part in parts])
        for part, value in zip(parts, values, strict=True):
            part.assign(value)


def _fetch(model, twin) -> None:
    """Gives the model the twin's values."""
    for whole, parts in _pairs(model, twin):
        values = [part.read_value() for part in parts]
        whole.assign(values[0] if len(values) == 1 else tf.concat(values, 0))


def _cluster() -> tf.distribute.cluster_resolver.ClusterResolver:
    """What `TF_CONFIG` says."""
    return tf.distribute.cluster_resolver.TFConfigClusterResolver()


def _wait_for(job: str, address: str) -> None:
    """Waits until a process can be reached."""
    begun = time.monotonic()
    while not _answers(address):
        if time.monotonic() - begun > _PATIENCE:
            raise TfadrecError(
                "chief, workers and parameter servers reach each other at the "
                f"addresses of TF_CONFIG. Received: no answer of {job} at "
                f"{address} in {_PATIENCE:.0f} seconds. Start all of them, or "
                "correct the addresses."
            )
        time.sleep(_PAUSE)


def _is_there(address: str) -> bool:
    for number in range(_TRIES):
        if number:
            time.sleep(_PAUSE)
        if _answers(address):
            return True
    return False


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _ANSWER):
            return True
    except OSError:
        return False
