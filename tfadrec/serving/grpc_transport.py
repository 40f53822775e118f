"""How a client asks by gRPC, with the protos of tensorflow-serving-api."""

from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfadrec.core.door import tf
from tfadrec.serving.rest_transport import Signatures, no_answer, refusal

_WRONG = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
)
_SILENT = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class GrpcTransport:
    """Asks one model by gRPC, over one channel.

    Args:
      address: host and port.
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
        self._address, self._timeout = address, timeout
        self._spec: dict[str, Any] = {"name": model}
        if version is not None:
            self._spec["version"] = {"value": version}
        elif label is not None:
            self._spec["version_label"] = label
        self._headers = [("authorization", f"Bearer {token}")] if token else []
        channel = grpc.insecure_channel(
            address, options=[("grpc.max_receive_message_length", -1)]
        )
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(
            channel
        )
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)

    def predict(
        self,
        signature: str,
        inputs: dict[str, np.ndarray],
        specs: dict[str, Any],
    ) -> dict[str, np.ndarray]:
        """Outputs of a signature, whose `specs` are those of `signatures`."""
        request = predict_pb2.PredictRequest(model_spec=self._spec)
        request.model_spec.signature_name = signature
        for name, values in inputs.items():
            dtype = specs["inputs"][name][0]
            proto = tf.make_tensor_proto(values.tolist(), dtype, values.shape)
            request.inputs[name].CopyFrom(proto)
        answer = self._ask(self._predictions.Predict, request)
        return {k: tf.make_ndarray(v) for k, v in answer.outputs.items()}

    def signatures(self) -> Signatures:
        """Those that can be asked."""
        answer = self._ask(
            self._predictions.GetModelMetadata,
            get_model_metadata_pb2.GetModelMetadataRequest(
                model_spec=self._spec, metadata_field=["signature_def"]
            ),
        )
        found = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(found)
        return {
            name: {
                side: {key: _spec(info) for key, info in named.items()}
                for side, named in (
                    ("inputs", definition.inputs),
                    ("outputs", definition.outputs),
                )
            }
            for name, definition in found.signature_def.items()
            if definition.method_name == "tensorflow/serving/predict"
        }

    def status(self) -> dict[int, str]:
        """Version -> state."""
        request = get_model_status_pb2.GetModelStatusRequest(
            model_spec=self._spec
        )
        answer = self._ask(self._models.GetModelStatus, request)
        states = get_model_status_pb2.ModelVersionStatus.State
        return {
            one.version: states.Name(one.state)
            for one in answer.model_version_status
        }

    def _ask(self, method: Any, request: Any) -> Any:
        try:
            return method(
                request, timeout=self._timeout, metadata=self._headers
            )
        except grpc.RpcError as error:
            code, line = error.code(), error.details()
            if code in _SILENT:
                raise no_answer(self._address, line) from error
            raise refusal(code.name, line, is_wrong=code in _WRONG) from error


def _spec(info: Any) -> tuple[tf.DType, list[int | None]]:
    sizes = [dim.size for dim in info.tensor_shape.dim]
    return tf.as_dtype(info.dtype), [None if n < 0 else n for n in sizes]
