"""A search over machines: keras-tuner's chief, which notices lost workers."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from concurrent import futures

import grpc

from tfadrec.core.errors import InputError


@contextlib.contextmanager
def roles(chief: str | None, worker: str | None, name: str) -> Iterator[None]:
    """keras-tuner's environment variables of a chief or a worker.

    Args:
      chief: HOST:PORT to listen on, or None.
      worker: HOST:PORT of the chief, or None.
      name: of this process among the workers.

    Raises:
      InputError: where both are given, or one is no HOST:PORT.
    """
    if chief and worker:
        raise InputError(
            "a process is the chief or a worker. Received: both. Start the "
            "chief once and the workers beside it."
        )
    address = chief or worker
    if address is None:
        yield
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise InputError(
            "a chief's address is HOST:PORT, as 10.0.0.1:9000. Received: "
            f"{address!r}."
        )
    set_to = {
        "KERASTUNER_TUNER_ID": "chief" if chief else name,
        "KERASTUNER_ORACLE_IP": host,
        "KERASTUNER_ORACLE_PORT": port,
    }
    before = {key: os.environ.get(key) for key in set_to}
    os.environ.update(set_to)
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key, None)
            if value is not None:
                os.environ[key] = value


def serve(oracle, lost_after: float, watch) -> None:
    """Answers workers until the search is over.

    A worker asks about its trial every few seconds. One that was not heard for
    `lost_after` seconds is taken for lost, and its trial is given to another.

    Args:
      oracle: of `oracles`.
      lost_after: seconds, > 0.
      watch: called about once a second.

    Raises:
      InputError: where the address cannot be listened on.
    """
    from keras_tuner.src import protos
    from keras_tuner.src.distribute import oracle_chief

    address = ":".join(
        os.environ[f"KERASTUNER_ORACLE_{part}"] for part in ("IP", "PORT")
    )
    lock, heard = threading.Lock(), {}
    over = threading.Event()

    class Servicer(oracle_chief.OracleServicer):
        """Notes who was heard when; one call at a time."""

        def CreateTrial(self, request, context):  # noqa: N802
            with lock:
                heard[request.tuner_id] = time.monotonic()
                answer = super().CreateTrial(request, context)
            if self.stop_triggered:
                over.set()
            return answer

        def GetTrial(self, request, context):  # noqa: N802
            with lock:
                for tuner_id, trial in oracle.ongoing_trials.items():
                    if trial.trial_id == request.trial_id:
                        heard[tuner_id] = time.monotonic()
                return super().GetTrial(request, context)

        def UpdateTrial(self, request, context):  # noqa: N802
            with lock:
                return super().UpdateTrial(request, context)

        def EndTrial(self, request, context):  # noqa: N802
            with lock:
                return super().EndTrial(request, context)

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    protos.get_service_grpc().add_OracleServicer_to_server(
        Servicer(oracle), server
    )
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise InputError(
            "a chief needs an address of this machine that is free. Received: "
            f"{address}."
        ) from error
    server.start()
    try:
        while oracle.tuner_ids or not (over.is_set() or oracle.is_over):
            time.sleep(1)
            with lock:
                late = time.monotonic() - lost_after
                for tuner_id in list(oracle.tuner_ids):
                    if heard.get(tuner_id, late) < late:
                        oracle.lose(tuner_id)
                watch()
    finally:
        server.stop(grace=1).wait()
