"""TensorFlow Serving's gRPC interface."""

import asyncio
import time
from typing import Any

import grpc
import numpy as np
from google.protobuf.any_pb2 import Any as AnyMessage
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.serving.preview.answerer import Answerer
from tfadrec.serving.preview.check_inputs import (
    check_names,
    check_size,
    refuse,
)
from tfadrec.serving.preview.log import LOG
from tfadrec.serving.preview.request_error import (
    INTERNAL,
    RequestError,
    forget_frames,
)

_DEFAULT = "serving_default"
_AGE_SECONDS = 60.0


def make_server(answerer: Answerer, address: str) -> tuple[Any, int]:
    """The server, which has to be started, and the port that it has.

    Args:
      answerer: of the model.
      address: host and port.

    Raises:
      InputError: where the port is taken.
    """
    limits = answerer.limits
    late = int(1000 * limits.client_seconds)
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", limits.message),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_allowed_incoming_connections", limits.connections),
            ("grpc.server_handshake_timeout_ms", late),
            ("grpc.keepalive_time_ms", late),
            ("grpc.keepalive_timeout_ms", late),
            # Clients connect again by themselves. One that sends half of a
            # message, or does not read, has its place for no longer.
            ("grpc.max_connection_age_ms", int(1000 * _AGE_SECONDS)),
            ("grpc.max_connection_age_grace_ms", int(1000 * limits.seconds)),
            ("grpc.so_reuseport", 0),
        ],
        maximum_concurrent_rpcs=limits.calls,
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Predictions(answerer), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        _Models(answerer), server
    )
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        # Behind it stands how gRPC would say more.
        cause = str(error).partition(";")[0]
        raise InputError(
            f"{address} must be free. Received: {cause}. Choose another port."
        ) from error
    return server, port


class _Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer

    async def Predict(self, request, context):  # noqa: N802
        begun = time.monotonic()
        code = "INTERNAL"
        try:
            _let_in(self._answerer, context)
            answer = await self._predict(request, begun)
            code = "OK"
        except RequestError as error:
            code = error.code
            forget_frames(error)
            await _abort(context, error)
        except asyncio.CancelledError:  # the client has left
            code = "CANCELLED"
            raise
        except Exception:
            LOG.exception("A request failed.")
            await _abort(context, RequestError("INTERNAL", INTERNAL))
        finally:
            seconds = time.monotonic() - begun
            self._answerer.metrics.add("GRPC", code, seconds)
        return answer

    async def _predict(self, request, begun):
        answerer = self._answerer
        servable = answerer.versions.find(*_asked(request.model_spec))
        name = request.model_spec.signature_name or _DEFAULT

        def job(end: float):
            outputs = answerer.predict(
                servable,
                name,
                lambda specs: _arrays(request.inputs, specs, answerer.limits),
                end,
            )
            wanted = set(request.output_filter) or set(outputs)
            unknown = wanted - set(outputs)
            if unknown:
                refuse(
                    f"outputs are {', '.join(sorted(outputs))}",
                    ", ".join(sorted(unknown)),
                )
            answer = predict_pb2.PredictResponse()
            answer.model_spec.name = answerer.versions.name
            answer.model_spec.version.value = servable.version
            answer.model_spec.signature_name = name
            for key in wanted:
                answer.outputs[key].CopyFrom(tf.make_tensor_proto(outputs[key]))
            return answer

        return await answerer.work(job, begun)

    async def GetModelMetadata(self, request, context):  # noqa: N802
        try:
            _let_in(self._answerer, context)
            servable = self._answerer.versions.find(*_asked(request.model_spec))
            if list(request.metadata_field) != ["signature_def"]:
                refuse(
                    "`metadata_field` is signature_def",
                    ", ".join(request.metadata_field) or "none",
                )
        except RequestError as error:
            await _abort(context, error)
        found = get_model_metadata_pb2.SignatureDefMap()
        for name, definition in servable.definitions.items():
            found.signature_def[name].CopyFrom(definition)
        packed = AnyMessage()
        packed.Pack(found)
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        answer.model_spec.name = self._answerer.versions.name
        answer.model_spec.version.value = servable.version
        answer.metadata["signature_def"].CopyFrom(packed)
        return answer


class _Models(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer

    async def GetModelStatus(self, request, context):  # noqa: N802
        versions = self._answerer.versions
        try:
            _let_in(self._answerer, context)
            named = versions.named(*_asked(request.model_spec))
            found = versions.status(named)
        except RequestError as error:
            await _abort(context, error)
        answer = get_model_status_pb2.GetModelStatusResponse()
        states = get_model_status_pb2.ModelVersionStatus.State
        for status in found:
            added = answer.model_version_status.add()
            added.version = int(status["version"])
            added.state = states.Value(status["state"])
            code = grpc.StatusCode[status["status"]["error_code"]].value[0]
            added.status.error_code = code
            added.status.error_message = status["status"]["error_message"]
        return answer


def _let_in(answerer: Answerer, context) -> None:
    given = dict(context.invocation_metadata() or ()).get("authorization")
    answerer.let_in(given if given is None else str(given))


def _asked(spec) -> tuple[str, int | None, str | None]:
    """Name, version and label of a request."""
    choice = spec.WhichOneof("version_choice")
    return (
        spec.name,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
    )


async def _abort(context, error: RequestError) -> None:
    await context.abort(grpc.StatusCode[error.code], str(error))


def _arrays(protos, specs, limits) -> dict[str, np.ndarray]:
    """The arrays of a request, which may claim any shape."""
    check_names(protos, specs)
    found = {}
    for name, proto in protos.items():
        if proto.dtype != specs[name].dtype:
            wanted = tf.as_dtype(specs[name].dtype).name
            refuse(f"`{name}` must be {wanted}", f"type {proto.dtype}")
        shape = tuple(dim.size for dim in proto.tensor_shape.dim)
        if proto.tensor_shape.unknown_rank or min(shape, default=0) < 0:
            refuse(f"`{name}` must have a shape", f"{list(shape)}")
        check_size(name, shape, limits)
        try:
            found[name] = _array(proto)
        except (TypeError, ValueError) as error:
            refuse(
                f"`{name}` must have as many values as its shape", str(error)
            )
    return found


def _array(proto) -> np.ndarray:
    """The values, the last of which stands for those that are left out."""
    found = tf.make_ndarray(proto)
    if found.dtype == object and not proto.string_val:
        found[...] = b""  # where TensorFlow has text of Python
    return found
