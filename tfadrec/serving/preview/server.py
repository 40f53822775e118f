"""The process of the preview, from its start to a clean end."""

import asyncio
import dataclasses
import functools
import gc
import os
import pathlib
import re
import resource
import signal
import threading

from aiohttp import web

from tfadrec.core.errors import InputError
from tfadrec.core.free_port import taken
from tfadrec.core.memory import give_back
from tfadrec.serving.preview import rest
from tfadrec.serving.preview.answerer import Answerer
from tfadrec.serving.preview.connections import Connections
from tfadrec.serving.preview.drift import Drift
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.log import LOG, handle_fault, say, set_up_logging
from tfadrec.serving.preview.protocol import Protocol
from tfadrec.serving.preview.versions import Versions

_METRICS = "/monitoring/prometheus/metrics"
_MONITORING_BYTES = 2**16
_POLL_SECONDS = 1.0
#: In which the rest of a body may come that was refused.
_LINGERING_SECONDS = 2.0
#: Files besides connections: TensorFlow's, and connections to be refused, of
#: which the loop takes 128 at a time.
_OTHER_FILES = 256


def serve(
    path: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8501,
    grpc_port: int | None = None,
    token: str | None = None,
    limits: Limits = Limits(),  # noqa: B008 (it is frozen)
    threads: int | None = None,
    window: int = 10_000,
) -> int:
    """Answers requests until SIGTERM or SIGINT.

    Args:
      path: the folder of a model's versions.
      host: the address to listen at.
      port: of REST; 0 lets the system choose.
      grpc_port: of gRPC; 8500 by default, where tensorflow-serving-api is
        installed, and no gRPC where it is not. Both ports are open before a
        version is loaded; until one is, requests are told to come again.
      token: that callers have to send; none by default.
      limits: of a request.
      threads: how many requests are worked on at a time; as many as there are
        cores by default.
      window: the users whose requests are measured together, >= 200: whether
        they are like the rows that the newest version was trained on.

    Returns:
      The number of requests.

    Raises:
      InputError: where there is no bundle or none of its versions loads, a
        port is taken, or gRPC was asked for and is not installed.
    """
    set_up_logging()
    limits = _within_open_files(limits)
    rpc = _load_rpc(asked_for=grpc_port is not None)
    # What is there stays: to look through it again and again, while a body
    # becomes a million objects, would take seconds. Versions come and go.
    gc.collect()
    gc.freeze()
    versions = Versions(path, limits)
    answerer = Answerer(
        versions,
        limits,
        threads or len(os.sched_getaffinity(0)),
        Drift(versions, window),
        token,
    )
    run = functools.partial(_run, answerer, host, port)
    asyncio.run(run(rpc, 8500 if grpc_port is None else grpc_port))
    return answerer.metrics.count


def _within_open_files(limits: Limits) -> Limits:
    """The same with as many connections as the process may have files."""
    wanted = 2 * limits.connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    most = max(1, (wanted - _OTHER_FILES) // 2)
    if most < limits.connections:
        say(f"At most {most} connections, as {hard} files may be open.")
    return dataclasses.replace(limits, connections=most)


def _load_rpc(*, asked_for: bool):
    # Its core logs on its own, and as often as it likes.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        from tfadrec.serving.preview import rpc
    except ImportError as error:
        need = (
            "gRPC needs tensorflow-serving-api: pip install 'tfadrec[serving]'"
        )
        if asked_for:
            raise InputError(f"{need}. Received: {error}.") from error
        say(f"No gRPC: {need}.")
        return None
    return rpc


async def _run(answerer, host, port, rpc, grpc_port) -> None:
    versions, limits = answerer.versions, answerer.limits
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handle_fault)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    connections = Connections(limits)
    runner = web.AppRunner(
        rest.make_app(answerer, connections, _metrics_path(versions.path)),
        shutdown_timeout=_LINGERING_SECONDS,
    )
    await runner.setup()
    late = asyncio.create_task(connections.watch())
    listener = served = None
    threads: list[threading.Thread] = []
    try:
        assert runner.server is not None
        # Of requests it logs nothing, as those lines are below a warning.
        make = functools.partial(
            Protocol,
            runner.server,
            loop=loop,
            lingering_time=_LINGERING_SECONDS,
            auto_decompress=False,
        )
        listener = await _listen(connections.factory(make), host, port)
        bound = listener.sockets[0].getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        lines = [f"REST: http://{shown}:{bound}/v1/models/{versions.name}"]
        if rpc is not None:
            served, grpc_port = rpc.make_server(
                answerer, f"{shown}:{grpc_port}"
            )
            await served.start()
            lines.append(f"gRPC: {shown}:{grpc_port}")
        say("\n".join(lines))
        stopping = asyncio.create_task(stop.wait())
        loading = asyncio.create_task(asyncio.to_thread(_load, versions))
        either = asyncio.FIRST_COMPLETED
        await asyncio.wait([stopping, loading], return_when=either)
        if loading.done():
            await loading
            threads = [
                versions.watch(_POLL_SECONDS),
                answerer.drift.start(),
            ]
        await stopping
        say("Stopping.")
        versions.stop()
        listener.close()
        ends = [connections.drain()]
        if served is not None:
            ends.append(served.stop(limits.seconds))
        await asyncio.gather(*ends, loading)
    finally:
        if listener is not None:
            listener.close()
        if served is not None:
            await served.stop(None)
        await runner.cleanup()
        late.cancel()
        versions.stop()
        answerer.drift.stop()
        for thread in threads:
            thread.join()
        answerer.close()


def _load(versions: Versions) -> None:
    versions.load()
    # It counts what is left, too: Python's collector waits until a quarter as
    # much has come.
    give_back()


async def _listen(make, host: str, port: int) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(make, host, port)
    except OSError as error:
        raise taken(host, port, error) from error


def _metrics_path(path: pathlib.Path) -> str:
    """As `monitoring.config` says, if it can be a path besides the others."""
    file = path / "monitoring.config"
    text = ""
    if file.is_file():
        with file.open("rb") as stream:
            text = stream.read(_MONITORING_BYTES).decode("utf-8", "replace")
    found = re.search(r'^[ \t]*path:[ \t]*"([^"]*)"', text, re.MULTILINE)
    if found is None:
        return _METRICS
    if re.fullmatch(r"/[\w./-]{1,200}", found[1], re.ASCII) and not re.match(
        rf"/v1/|{rest.HEALTH}$", found[1]
    ):
        return found[1]
    LOG.warning(
        "The metrics are at %s: %r is no path for them.", _METRICS, found[1]
    )
    return _METRICS
