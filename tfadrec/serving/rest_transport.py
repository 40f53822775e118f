"""How a client asks by REST, with the standard library."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import numpy as np
from tensorflow.core.framework import types_pb2

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError, TfadrecError

#: Statuses that say that the request was wrong.
_WRONG = (400, 404, 405, 413)

#: Signature -> `inputs` and `outputs` -> name -> type and shape.
Signatures = dict[str, dict[str, dict[str, tuple[tf.DType, list[int | None]]]]]


class RestTransport:
    """Asks one model by REST.

    Args:
      address: begins with `http://` or `https://`.
      model: see `Client`, as for the rest.
    """

    def __init__(
        self,
        address: str,
        model: str,
        *,
        version: int | None,
        label: str | None,
        timeout: float,
        token: str | None,
    ) -> None:
        base = f"{address.rstrip('/')}/v1/models/{_quoted(model)}"
        if version is not None:
            base += f"/versions/{version}"
        elif label is not None:
            base += f"/labels/{_quoted(label)}"
        self._base, self._timeout = base, timeout
        self._headers = {"Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def predict(
        self,
        signature: str,
        inputs: dict[str, np.ndarray],
        specs: dict[str, Any],
    ) -> dict[str, np.ndarray]:
        """Outputs of a signature, whose `specs` are those of `signatures`."""
        body = {
            "signature_name": signature,
            "inputs": {
                name: _to_json(values.tolist())
                for name, values in inputs.items()
            },
        }
        answer = self._ask(":predict", json.dumps(body).encode())
        outputs, named = answer["outputs"], specs["outputs"]
        if len(named) == 1:  # then the server leaves out its name
            outputs = dict.fromkeys(named, outputs)
        return {
            name: _from_json(values, named[name][0])
            for name, values in outputs.items()
        }

    def signatures(self) -> Signatures:
        """Those that can be asked."""
        found = self._ask("/metadata")["metadata"]["signature_def"]
        return {
            name: {
                side: {
                    key: _spec(info)
                    for key, info in definition.get(side, {}).items()
                }
                for side in ("inputs", "outputs")
            }
            for name, definition in found["signature_def"].items()
            if definition.get("method_name") == "tensorflow/serving/predict"
        }

    def status(self) -> dict[int, str]:
        """Version -> state."""
        found = self._ask("")["model_version_status"]
        return {int(one["version"]): one["state"] for one in found}

    def _ask(self, place: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(
            self._base + place, body, self._headers
        )
        try:
            with urllib.request.urlopen(
                request, timeout=self._timeout
            ) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                line = _line(error.read())
            raise refusal(
                str(error.code), line, is_wrong=error.code in _WRONG
            ) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise no_answer(self._base, str(reason)) from error


def refusal(code: str, line: str, *, is_wrong: bool) -> TfadrecError:
    """What is raised for an error that a server answers with."""
    kind = InputError if is_wrong else TfadrecError
    return kind(f"the server answered {code}: {line}")


def no_answer(address: str, reason: str) -> TfadrecError:
    """What is raised where no server answers."""
    return TfadrecError(
        f"a server must answer at {address}. Received: {reason}. Start one, "
        "for example with `tfadrec serve`."
    )


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _line(raw: bytes) -> str:
    """The server's error; others than it answer with what they like."""
    try:
        return " ".join(str(json.loads(raw)["error"]).split())
    except (ValueError, KeyError, TypeError):
        text = " ".join(raw[:200].decode("utf-8", "replace").split())
        return text or "no reason given"


def _spec(info: dict[str, Any]) -> tuple[tf.DType, list[int | None]]:
    sizes = [
        int(dim.get("size", 0)) for dim in info["tensor_shape"].get("dim", ())
    ]
    dtype = tf.as_dtype(types_pb2.DataType.Value(info["dtype"]))
    return dtype, [None if size < 0 else size for size in sizes]


def _to_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_json(part) for part in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"b64": base64.b64encode(value).decode()}
    return value


def _from_json(values: Any, dtype: tf.DType) -> np.ndarray:
    if dtype != tf.string:
        return np.array(values, dtype.as_numpy_dtype)
    return np.array(_bytes(values), object)


def _bytes(value: Any) -> Any:
    if isinstance(value, list):
        return [_bytes(part) for part in value]
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return value.encode()
