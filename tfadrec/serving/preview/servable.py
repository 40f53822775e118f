"""One version of a bundle, loaded as TensorFlow Serving loads it."""

import os
import pathlib
import re
from collections.abc import Mapping

import numpy as np

from tfadrec.core.bundle_folder import require_whole
from tfadrec.core.door import tf
from tfadrec.serving.preview.request_error import RequestError

#: Named here, as to come to it the first time imports much.
_load = tf.compat.v1.saved_model.load
_PREDICT = "tensorflow/serving/predict"
_CODES = (
    (tf.errors.InvalidArgumentError, "INVALID_ARGUMENT"),
    (tf.errors.DeadlineExceededError, "DEADLINE_EXCEEDED"),
    (tf.errors.ResourceExhaustedError, "RESOURCE_EXHAUSTED"),
)


#: `tf.debugging` puts the names of nodes, and their values, after a message.
_ASSERTED = re.compile(r"assertion failed: \[(.*?)\](?: \[|$)", re.MULTILINE)
#: What it compared, of which the second is as it must be.
_COMPARED = re.compile(
    r"\[x \([^)]*\) = \] (\[.*?\]) \[y \([^)]*\) = \] (\[.*?\])"
)


def _reason(message: str) -> str:
    """What an op said, and what it compared, without the names of nodes."""
    if asserted := _ASSERTED.search(message):
        compared = _COMPARED.search(message, asserted.end() - 1)
        if compared is None:
            return asserted[1]
        return f"{asserted[1]}, {compared[2]}. Received: {compared[1]}."
    for line in message.split("\n"):
        said = line.removeprefix("Graph execution error:").strip()
        if said and not said.startswith("Detected at node"):
            return f"the graph said: {said}"
    return "the graph failed without a word"


class Servable:
    """A SavedModel in a session of its own.

    Args:
      folder: of the version; its name is the version's number.

    Raises:
      InputError: where a file is not as it was exported.

    Attributes:
      folder: likewise.
      version: its number.
      signatures: name -> `SignatureDef`, of those that can be called.
      definitions: name -> `SignatureDef`, of all.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = pathlib.Path(folder)
        self.version = int(self.folder.name)
        require_whole(self.folder)
        with tf.Graph().as_default() as graph:
            self._session = tf.compat.v1.Session(graph=graph)
            meta = _load(self._session, ["serve"], str(folder))
        self.definitions = dict(meta.signature_def)
        self.signatures = {
            name: definition
            for name, definition in self.definitions.items()
            if definition.method_name == _PREDICT
        }

    def run(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        seconds: float,
    ) -> dict[str, np.ndarray]:
        """Answers a request that `check_inputs` let pass.

        Args:
          signature: one of `signatures`.
          inputs: all of its inputs.
          seconds: how long it may take.

        Returns:
          Output name -> array.

        Raises:
          RequestError: where the graph refuses, is too slow, or comes to NaN.
        """
        definition = self.signatures[signature]
        options = tf.compat.v1.RunOptions(
            timeout_in_ms=max(1, int(1000 * seconds))
        )
        try:
            outputs = self._session.run(
                {k: v.name for k, v in definition.outputs.items()},
                {definition.inputs[k].name: v for k, v in inputs.items()},
                options,
            )
        except tf.errors.OpError as error:
            code = next(
                (code for kind, code in _CODES if isinstance(error, kind)),
                "INTERNAL",
            )
            raise RequestError(code, _reason(error.message)) from error
        except UnicodeDecodeError as error:
            # An op has quoted the bytes of a request that are no text.
            said = error.object.decode("utf-8", "replace")
            raise RequestError("INVALID_ARGUMENT", _reason(said)) from error
        for name, values in outputs.items():
            if values.dtype.kind == "f" and np.isnan(values).any():
                raise RequestError(
                    "INVALID_ARGUMENT",
                    f"an answer must be a number. Received: inputs that make "
                    f"`{name}` NaN. Send numbers of the usual size.",
                )
        return outputs
