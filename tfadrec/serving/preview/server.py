"""The process of the preview, from its start to a clean end."""

import asyncio
import functools
import os
import pathlib
import re
import signal

from aiohttp import web

from tfadrec.core.errors import InputError
from tfadrec.serving.preview import rest
from tfadrec.serving.preview.answerer import Answerer
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.versions import Versions

_METRICS = "/monitoring/prometheus/metrics"
_POLL_SECONDS = 1.0


def serve(
    path: str | os.PathLike[str],
    *,
    host: str = "127.0.0.1",
    port: int = 8501,
    grpc_port: int | None = None,
    token: str | None = None,
    limits: Limits = Limits(),  # noqa: B008 (it is frozen)
    threads: int | None = None,
) -> int:
    """Answers requests until SIGTERM or SIGINT.

    Args:
      path: the folder of a model's versions.
      host: the address to listen at.
      port: of REST; 0 lets the system choose.
      grpc_port: of gRPC; 8500 by default, where tensorflow-serving-api is
        installed, and no gRPC where it is not.
      token: that callers have to send; none by default.
      limits: of a request.
      threads: how many requests are worked on at a time; as many as there are
        cores by default.

    Returns:
      The number of requests.

    Raises:
      InputError: where there is no bundle, a port is taken, or gRPC was asked
        for and is not installed.
    """
    versions = Versions(path)
    answerer = Answerer(
        versions, limits, threads or len(os.sched_getaffinity(0)), token
    )
    rpc = _load_rpc(asked_for=grpc_port is not None)
    run = functools.partial(_run, answerer, host, port)
    asyncio.run(run(rpc, 8500 if grpc_port is None else grpc_port))
    return answerer.metrics.count


def _load_rpc(*, asked_for: bool):
    try:
        from tfadrec.serving.preview import rpc
    except ImportError as error:
        need = (
            "gRPC needs tensorflow-serving-api: pip install 'tfadrec[serving]'"
        )
        if asked_for:
            raise InputError(f"{need}. Received: {error}.") from error
        print(f"No gRPC: {need}.", flush=True)
        return None
    return rpc


async def _run(answerer, host, port, rpc, grpc_port) -> None:
    versions, limits = answerer.versions, answerer.limits
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(
        rest.make_app(answerer, _metrics_path(versions.path)),
        access_log=None,
        shutdown_timeout=limits.seconds,
    )
    await runner.setup()
    served = None
    watcher = None
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise InputError(
                f"{host}:{port} must be free. Received: {error.strerror}. "
                "Choose another address or port."
            ) from error
        bound = runner.addresses[0]
        shown = f"[{host}]" if ":" in host else host
        lines = [
            "A preview for trying a bundle, not a server for production.",
            f"REST: http://{shown}:{bound[1]}/v1/models/{versions.name}",
        ]
        if rpc is not None:
            served, grpc_port = rpc.make_server(
                answerer, f"{shown}:{grpc_port}"
            )
            await served.start()
            lines.append(f"gRPC: {shown}:{grpc_port}")
        print("\n".join(lines), flush=True)
        watcher = versions.watch(_POLL_SECONDS)
        await stop.wait()
        print("Stopping.", flush=True)
    finally:
        if served is not None:
            await served.stop(limits.seconds)
        await runner.cleanup()
        versions.stop()
        if watcher is not None:
            watcher.join()
        answerer.close()


def _metrics_path(path: pathlib.Path) -> str:
    """As `monitoring.config` says."""
    file = path / "monitoring.config"
    text = file.read_text("utf-8") if file.is_file() else ""
    found = re.search(r'^\s*path:\s*"(/[^"{}]+)"', text, re.MULTILINE)
    return found[1] if found else _METRICS
