"""A bundle's version in a session of TensorFlow's C library."""

import ctypes
import pathlib
from collections.abc import Mapping

import numpy as np

from tfadrec.core.errors import InputError
from tfadrec.native import wire
from tfadrec.native.library import Buffer, Output, library
from tfadrec.native.tensors import delete_tensor, to_array, to_tensor

#: Name of an input or output -> name of the tensor in the graph.
_Names = dict[str, str]


class BundleSession:
    """Answers requests by the call that servers use, `TF_SessionRun`.

    Args:
      folder: of a version.

    Attributes:
      signatures: signature -> inputs and outputs, each name -> tensor's name.

    Raises:
      TfadrecError: where it does not load.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        lib = library()
        self._status = lib.TF_NewStatus()
        self._graph = lib.TF_NewGraph()
        options, meta = lib.TF_NewSessionOptions(), lib.TF_NewBuffer()
        tags = (ctypes.c_char_p * 1)(b"serve")
        self._session = lib.TF_LoadSessionFromSavedModel(
            options,
            None,
            str(folder).encode(),
            tags,
            1,
            self._graph,
            meta,
            self._status,
        )
        lib.TF_DeleteSessionOptions(options)
        lib.check(self._status)
        self.signatures = _signatures(meta.contents)
        lib.TF_DeleteBuffer(meta)

    def call(
        self, signature: str, request: Mapping[str, np.ndarray]
    ) -> "_Call":
        """A request that is ready to be sent, as often as one likes.

        Args:
          signature: its name.
          request: all of its inputs by name; texts are bytes.

        Raises:
          InputError: where inputs are missing, or there are others.
        """
        inputs, outputs = self.signatures[signature]
        if set(inputs) != set(request):
            raise InputError(
                f"{signature} takes {', '.join(sorted(inputs))}. Received: "
                f"{', '.join(sorted(request))}."
            )
        feeds = [self._output(inputs[name]) for name in request]
        fetches = [self._output(name) for name in outputs.values()]
        tensors = [to_tensor(values) for values in request.values()]
        return _Call(self._session, feeds, tensors, fetches, list(outputs))

    def close(self) -> None:
        """Frees the session; its calls are of no use afterwards."""
        lib = library()
        lib.TF_CloseSession(self._session, self._status)
        lib.TF_DeleteSession(self._session, self._status)
        lib.TF_DeleteGraph(self._graph)
        lib.TF_DeleteStatus(self._status)

    def _output(self, tensor: str) -> Output:
        name, _, index = tensor.partition(":")
        op = library().TF_GraphOperationByName(self._graph, name.encode())
        return Output(op, int(index or 0))


class _Call:
    """One request; several threads may not run the same at once."""

    def __init__(self, session, feeds, tensors, fetches, names) -> None:
        self._session, self._names = session, names
        self._tensors = tensors
        self._feeds = (Output * len(feeds))(*feeds)
        self._given = (ctypes.c_void_p * len(tensors))(*tensors)
        self._fetches = (Output * len(fetches))(*fetches)
        self._found = (ctypes.c_void_p * len(fetches))()
        self._status = library().TF_NewStatus()

    def run(self) -> None:
        """Asks; the answer is `answer`'s, until the next `run`.

        Raises:
          TfadrecError: where the graph refuses the request.
        """
        lib = library()
        self._forget()
        lib.TF_SessionRun(
            self._session,
            None,
            self._feeds,
            self._given,
            len(self._given),
            self._fetches,
            self._found,
            len(self._found),
            None,
            0,
            None,
            self._status,
        )
        lib.check(self._status)

    def answer(self) -> dict[str, np.ndarray]:
        """What the newest `run` found, by name."""
        pairs = zip(self._names, self._found, strict=True)
        return {name: to_array(tensor) for name, tensor in pairs}

    def close(self) -> None:
        """Frees the tensors."""
        self._forget()
        for tensor in self._tensors:
            delete_tensor(tensor, is_ours=True)
        library().TF_DeleteStatus(self._status)

    def _forget(self):
        for place, tensor in enumerate(self._found):
            if tensor:
                delete_tensor(tensor)
                self._found[place] = None


def _signatures(buffer: Buffer) -> dict[str, tuple[_Names, _Names]]:
    """The signatures of a `MetaGraphDef`, as meta_graph.proto has them."""
    kind = ctypes.c_ubyte * buffer.length
    message = memoryview(kind.from_address(buffer.data)).cast("B")
    found = {}
    for number, value in wire.fields(message):
        if number == 5:
            name, signature = wire.entry(value)
            sides: tuple[_Names, _Names] = ({}, {})
            for side, tensor in wire.fields(signature):
                if side in (1, 2):
                    key, info = wire.entry(tensor)
                    told = dict(wire.fields(info))
                    sides[side - 1][key] = bytes(told[1]).decode()
            found[name] = sides
    # Loading itself adds one without outputs.
    return {k: v for k, v in found.items() if v[1] and v[0]}
