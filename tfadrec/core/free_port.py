"""Whether a server can listen at an address, before it does anything else."""

import socket

from tfadrec.core.errors import InputError


def require_free(host: str, port: int) -> None:
    """Refuses an address at which somebody listens already.

    Args:
      host: a name or an address of this machine.
      port: 0 is any that is free.

    Raises:
      InputError: where nobody can listen there.
    """
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as sock:
                # As servers do, whose old connections may not have ended.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind(address)
    except OSError as error:
        raise taken(host, port, error) from error


def taken(host: str, port: int, error: OSError) -> InputError:
    """What is said of an address at which a server cannot listen."""
    return InputError(
        f"{host}:{port} must be free. Received: {error.strerror}. "
        "Choose another address or port."
    )
