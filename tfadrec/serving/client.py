"""A client of TensorFlow Serving, and of the preview."""

from typing import Any

import numpy as np

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.serving.input_tensor import input_tensor
from tfadrec.serving.merging import mergeable
from tfadrec.serving.request_reader import Specs
from tfadrec.serving.requests import Request
from tfadrec.serving.rest_transport import RestTransport

#: Answers with a column for each event of a history.
_OF_EVENTS = ("events", "mask")


class Client:
    """Asks one model of a server, by REST or by gRPC.

    It is safe to use in several threads. It asks for the types of a signature's
    inputs once: after an export with other inputs, make another one. Its
    requests may be merged with others: see `mergeable`.

    Args:
      address: `http://host:port` or `https://...` for REST, `grpc://host:port`
        for gRPC, which needs tensorflow-serving-api (`tfadrec[serving]`).
      model: its name, which is that of the bundle's folder.
      version: a version's number; by default the newest that is loaded, which
        no gate has let through.
      label: in place of a version, as `models.config` has it: `stable` follows
        `tfadrec promote` and `tfadrec rollback`.
      timeout: seconds that a call may take.
      token: a bearer token, where the server wants one.

    Raises:
      InputError: where an argument is wrong, or gRPC is not installed.

    Example:
      >>> at = "http://127.0.0.1:8501"
      >>> client = Client(at, "a", label="stable")  # doctest: +SKIP
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
        self._specs: dict[str, Specs] = {}

    def predict(self, signature: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Asks a signature.

        Args:
          signature: its name.
          **inputs: arrays or plain values, as for a signature of `open_bundle`.

        Returns:
          Output name -> array, with a column for each ad or event that was
          asked for.

        Raises:
          InputError: where the request is wrong, with the input's name or the
            server's line.
          TfadrecError: where the server does not answer, or failed.
        """
        if signature not in self._signatures:
            found = self._server.signatures()
            self._specs = {
                name: _specs(sides["inputs"]) for name, sides in found.items()
            }
            self._signatures = found
        if signature not in self._signatures:
            known = ", ".join(sorted(self._signatures))
            raise InputError(
                f"signatures are {known}. Received: {signature!r}."
            )
        own = self._specs[signature]
        unknown = sorted(set(inputs) - set(own))
        if unknown:
            raise InputError(
                f"inputs of {signature} are {', '.join(sorted(own))}. "
                f"Received: {', '.join(unknown)}."
            )
        request = {
            name: input_tensor(name, value, own[name]).numpy()
            for name, value in inputs.items()
        }
        answer = self._server.predict(
            signature,
            mergeable(request, signature, self._specs),
            self._signatures[signature],
        )
        return {
            name: values[:, : _columns(name, request)]
            if values.ndim > 1
            else values
            for name, values in answer.items()
        }

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


def _specs(named: dict[str, tuple[tf.DType, list[int | None]]]) -> Specs:
    return {
        name: tf.TensorSpec(shape, dtype, name)
        for name, (dtype, shape) in named.items()
    }


def _columns(name: str, request: Request) -> int | None:
    """How many columns of an output were asked for; None for all there are.

    A server that merges requests answers with as many as the widest one asks.
    """
    if name in _OF_EVENTS and "history_ads" in request:
        return request["history_ads"].shape[1]
    if "k" in request:
        return max(0, int(request["k"].max(initial=0)))
    ads = request.get("candidate_ads")
    return None if ads is None or ads.ndim < 2 else ads.shape[1]


def _grpc_transport():
    try:
        from tfadrec.serving.grpc_transport import GrpcTransport
    except ImportError as error:
        raise InputError(
            "gRPC needs tensorflow-serving-api: pip install "
            f"'tfadrec[serving]'. Received: {error}."
        ) from error
    return GrpcTransport
