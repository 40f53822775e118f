"""Whether what a dataset has can be asked for in a request."""

import re

from tfadrec.core.errors import InputError
from tfadrec.core.names import RESERVED
from tfadrec.core.schema import Schema
from tfadrec.serving.readers import READERS, readers_of

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def check_servable(schema: Schema) -> None:
    """Refuses a feature that a bundle could not read from requests.

    It is called before a training: an export comes too late to hear of it.

    Args:
      schema: of the dataset.

    Raises:
      InputError: for a kind that no reader is for, or an input's name that
        TensorFlow cannot have or that a request has already.
    """
    seen = {name.lower() for name in RESERVED}
    for feature in schema.features:
        try:
            readers = readers_of([feature])
        except KeyError as error:
            raise InputError(
                "a feature must be of a kind that requests can have, of "
                f"{', '.join(READERS)}. Received: {feature.kind!r} for "
                f"{feature.name!r}. Leave it out, or name another kind."
            ) from error
        for name in (n for reader in readers for n in reader.specs([])):
            if not _NAME.fullmatch(name) or name.lower() in seen:
                raise InputError(
                    "a feature's input must have a name of its own, in "
                    "letters, digits and underscores. Received: "
                    f"{name!r} for {feature.name!r}. Write the dataset again "
                    "with `tfadrec prepare`."
                )
            seen.add(name.lower())
