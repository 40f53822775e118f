"""A client of TensorFlow Serving, and of the preview."""

from typing import Any

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.serving.rest_transport import RestTransport


class Client:
    """Asks one model of a server, by REST or by gRPC.

    It is safe to use in several threads. It asks for the types of a signature's
    inputs once: after an export with other inputs, make another one.

    Args:
      address: `http://host:port` or `https://...` for REST, `grpc://host:port`
        for gRPC, which needs tensorflow-serving-api (`tfadrec[serving]`).
      model: its name, which is that of the bundle's folder.
      version: a version's number; the newest by default.
      label: in place of a version, as `models.config` has it.
      timeout: seconds that a call may take.
      token: a bearer token, where the server wants one.

    Raises:
      InputError: where an argument is wrong, or gRPC is not installed.

    Example:
      >>> client = Client("http://127.0.0.1:8501", "a")  # doctest: +SKIP
      >>> client.predict("score_slate", **request)  # doctest: +SKIP
    """

    def __init__(
        self,
        address: str,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float = 10.0,
        token: str | None = None,
    ) -> None:
        scheme, _, host = address.partition("://")
        if scheme not in ("http", "https", "grpc") or not host:
            raise InputError(
                "an address is http://host:port, https://host:port or "
                f"grpc://host:port. Received: {address!r}."
            )
        if version is not None and label is not None:
            raise InputError(
                "a client asks a version or a label. Received: "
                f"version={version}, label={label!r}."
            )
        if not timeout > 0:
            raise InputError(
                f"`timeout` is a number of seconds > 0. Received: {timeout}."
            )
        of_scheme = _grpc_transport() if scheme == "grpc" else RestTransport
        self._server = of_scheme(
            host if scheme == "grpc" else address,
            model,
            version=version,
            label=label,
            timeout=timeout,
            token=token,
        )
        self._signatures: dict[str, Any] = {}

    def predict(self, signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Asks a signature.

        Args:
          signature: its name.
          **inputs: arrays or plain values, as for a signature of `open_bundle`.

        Returns:
          Output name -> array.

        Raises:
          InputError: where the request is wrong, with the server's line.
          TfadrecError: where the server does not answer, or failed.
        """
        if signature not in self._signatures:
            self._signatures = self._server.signatures()
        if signature not in self._signatures:
            known = ", ".join(sorted(self._signatures))
            raise InputError(
                f"signatures are {known}. Received: {signature!r}."
            )
        specs = self._signatures[signature]["inputs"]
        unknown = sorted(set(inputs) - set(specs))
        if unknown:
            raise InputError(
                f"inputs of {signature} are {', '.join(sorted(specs))}. "
                f"Received: {', '.join(unknown)}."
            )
        return self._server.predict(
            signature, inputs, self._signatures[signature]
        )

    def metadata(self) -> dict[str, dict[str, dict[str, tuple[str, list]]]]:
        """What signatures there are.

        Returns:
          Signature -> `inputs` and `outputs` -> name -> its type, and its
          shape, in which None stands for any size.

        Raises:
          TfadrecError: where the server does not answer.
        """
        return {
            name: {
                side: {
                    key: (dtype.name, list(shape))
                    for key, (dtype, shape) in named.items()
                }
                for side, named in sides.items()
            }
            for name, sides in self._server.signatures().items()
        }

    def status(self) -> dict[int, str]:
        """Which versions there are.

        Returns:
          Version -> its state, `AVAILABLE` where it can be asked.

        Raises:
          TfadrecError: where the server does not answer.
        """
        return self._server.status()


def _grpc_transport():
    try:
        from tfadrec.serving.grpc_transport import GrpcTransport
    except ImportError as error:
        raise InputError(
            "gRPC needs tensorflow-serving-api: pip install "
            f"'tfadrec[serving]'. Received: {error}."
        ) from error
    return GrpcTransport
