"""A version's own requests, answered before anybody else's."""

import time
from collections.abc import Callable

from tfadrec.core.errors import InputError
from tfadrec.native.warm_up_file import requests
from tfadrec.serving.preview.check_inputs import check_names
from tfadrec.serving.preview.request_error import RequestError, quote
from tfadrec.serving.preview.servable import Servable
from tfadrec.serving.warm_up import FILE


def warm_up(
    servable: Servable, seconds: float, is_over: Callable[[], bool]
) -> int:
    """Has a version prepare the graph of each request in its warm-up file.

    The first request of a signature, and of a size, takes longer than others.
    As in TensorFlow Serving, a version without the file is ready as it is, and
    one that does not answer a request of its file is not usable.

    Args:
      servable: the version.
      seconds: after which no request is answered any more.
      is_over: asked before each request, whether to leave out the rest.

    Returns:
      How many requests were left out.

    Raises:
      InputError: where a request is not answered for another reason.
    """
    file = servable.folder / FILE
    if not file.is_file():
        return 0
    end = time.monotonic() + seconds
    left_out = 0
    for number, (signature, inputs) in enumerate(requests(file), 1):
        left = end - time.monotonic()
        if left_out or left <= 0 or is_over():
            left_out += 1
            continue
        try:
            definition = servable.signatures.get(signature)
            if definition is None:
                raise RequestError("NOT_FOUND", "there is no such signature.")
            check_names(inputs, definition.inputs)
            servable.run(signature, inputs, left)
        except RequestError as error:
            if error.code == "DEADLINE_EXCEEDED":
                left_out += 1
                continue
            raise InputError(
                "a version must answer its warm-up requests. Received: "
                f"number {number}, {quote(signature)}: {error}"
            ) from error
    return left_out
