"""`tfadrec serve`: a preview of a bundle on this machine."""

import logging
import os
import pathlib
import stat
from importlib.util import find_spec
from typing import Any

import click

from tfadrec.cli.command import Command, load_tensorflow
from tfadrec.cli.number import Number
from tfadrec.core.bundle_folder import existing_versions
from tfadrec.core.errors import InputError
from tfadrec.core.free_port import require_free

_TOKEN = "TFADREC_TOKEN"
_TOKEN_BYTES = 4096
_GRPC_PORT = 8500


@click.command(cls=Command)
@click.argument("bundle", type=click.Path())
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at; others than this can be reached from outside.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8501,
    show_default=True,
    help="Port of REST and metrics; 0 for any that is free.",
)
@click.option(
    "--grpc-port",
    type=click.IntRange(0, 65535),
    help="Port of gRPC  [default: 8500 with tfadrec[serving], else none]",
)
@click.option(
    "--token-file",
    type=click.Path(),
    help=f"File with the bearer token; or put it into ${_TOKEN}.",
)
@click.option(
    "--timeout",
    type=Number(0.1, 3600),
    default=30.0,
    show_default=True,
    help="Seconds that a request may take.",
)
@click.option(
    "--max-megabytes",
    type=click.IntRange(1, 1024),
    default=16,
    show_default=True,
    help="Largest body of a request; a quarter of it for gRPC.",
)
@click.option(
    "--total-megabytes",
    type=click.IntRange(1, 65536),
    default=256,
    show_default=True,
    help="Bodies of all requests together.",
)
@click.option(
    "--max-connections",
    type=click.IntRange(1, 65536),
    default=512,
    show_default=True,
    help="Open connections, to REST and to gRPC each.",
)
@click.option(
    "--client-timeout",
    type=Number(0.1, 3600),
    default=10.0,
    show_default=True,
    help="Seconds in which a client has to send headers, and read an answer.",
)
@click.option(
    "--threads",
    type=click.IntRange(1, 256),
    help="Requests, merged or not, answered at a time  [default: one per core]",
)
@click.option(
    "--window",
    type=click.IntRange(min=200),
    default=10_000,
    show_default=True,
    help="Users whose requests are compared with the training rows, together.",
)
def serve(
    bundle: str,
    host: str,
    port: int,
    grpc_port: int | None,
    token_file: str | None,
    timeout: float,
    max_megabytes: int,
    total_megabytes: int,
    max_connections: int,
    client_timeout: float,
    threads: int | None,
    window: int,
) -> dict[str, Any]:
    """Try a bundle where TensorFlow Serving is not installed.

    A preview: it speaks TensorFlow Serving's REST and gRPC, loads a newer
    version when one is exported, and ends on Ctrl-C or SIGTERM.

    \b
    Example:
      tfadrec serve saved_models/a
      curl http://127.0.0.1:8501/v1/models/a
    """
    token = _token(token_file)
    if total_megabytes < max_megabytes:
        raise InputError(
            "--total-megabytes has room for one body of --max-megabytes. "
            f"Received: {total_megabytes} and {max_megabytes}."
        )
    existing_versions(pathlib.Path(bundle))
    ports = {"REST": port}
    if grpc_port is not None or find_spec("tensorflow_serving") is not None:
        ports["gRPC"] = _GRPC_PORT if grpc_port is None else grpc_port
    if port and port == ports.get("gRPC"):
        raise InputError(
            "REST and gRPC have a port each, --port and --grpc-port, by "
            f"default {_GRPC_PORT}. Received: {port} for both. Choose another "
            "for one of them."
        )
    for each in ports.values():
        require_free(host, each)
    click.echo("A preview for trying a bundle, not a server for production.")
    load_tensorflow()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    from tfadrec.serving import preview
    from tfadrec.serving.preview.limits import Limits

    requests = preview.serve(
        bundle,
        host=host,
        port=port,
        grpc_port=grpc_port,
        token=token,
        limits=Limits(
            seconds=timeout,
            body=max_megabytes * 2**20,
            bodies=total_megabytes * 2**20,
            connections=max_connections,
            client_seconds=client_timeout,
        ),
        threads=threads,
        window=window,
    )
    click.echo(f"{requests} requests.")
    return {"requests": requests}


def _token(file: str | None) -> str | None:
    """From a file or the environment: arguments can be read by all users."""
    source = f"${_TOKEN}" if file is None else file
    token, is_open = os.environ.get(_TOKEN), False
    if file is not None:
        token, is_open = _read_token(file)
    if token is not None and not (token.isascii() and token.isprintable()):
        token = ""
    if token == "":
        raise InputError(
            "a token is printable text without a line's end. Received: none "
            f"in {source}."
        )
    if is_open:
        click.echo(
            f"tfadrec: others can read the token in {file}: chmod 600 {file}",
            err=True,
        )
    return token


def _read_token(file: str) -> tuple[str, bool]:
    """A file's token, and whether others can read it."""
    if not pathlib.Path(file).is_file():
        return "", False
    with open(file, "rb") as stream:
        mode = os.fstat(stream.fileno()).st_mode
        content = stream.read(_TOKEN_BYTES + 1)
    if len(content) > _TOKEN_BYTES:
        raise InputError(
            f"a token file has at most {_TOKEN_BYTES} bytes. Received: more in "
            f"{file}. Put nothing but the token into it."
        )
    token = content.decode("utf-8", "replace").strip()
    return token, bool(mode & (stat.S_IRGRP | stat.S_IROTH))
