"""Adapters on disk: safetensors that know which model they are for."""

import os
import pathlib
from collections.abc import Mapping, Sequence

import safetensors
import safetensors.numpy

from tfadrec.core.disk_errors import as_os_errors
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.core.model_files import check_weights
from tfadrec.core.replace_file import replacing_file


def by_name(
    variables: Sequence[tf.Variable], scope: str
) -> dict[str, tf.Variable]:
    """The weights of an adapter by the names that they have in its file.

    Args:
      variables: all that decides what the adapter adds.
      scope: that their names start with, with its last slash; the file is for
        encoders of any name.
    """
    return {
        variable.name.removeprefix(scope).partition(":")[0]: variable
        for variable in variables
    }


def save(
    path: str | os.PathLike[str],
    variables: Mapping[str, tf.Variable],
    facts: Mapping[str, str],
) -> None:
    """Writes weights, and what they are for.

    Args:
      path: of the file, which is replaced whole.
      variables: by name.
      facts: what `load` will ask for again.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.numpy() for name, value in variables.items()}
    with replacing_file(path) as fresh, as_os_errors():
        safetensors.numpy.save_file(tensors, fresh, metadata=dict(facts))


def load(
    path: str | os.PathLike[str],
    variables: Mapping[str, tf.Variable],
    facts: Mapping[str, str],
) -> None:
    """Fills variables from what `save` wrote.

    Args:
      path: of the file.
      variables: by name.
      facts: those that the file must have been written with.

    Raises:
      InputError: where it is no such file, or was made for something else.
    """
    check_weights(pathlib.Path(path))
    try:
        with safetensors.safe_open(path, "numpy") as file:
            told = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(
            "An adapter must be a whole safetensors file. Received: "
            f"{os.fspath(path)}: {error}. Save it again."
        ) from error
    for name, own in facts.items():
        if told.get(name) != own:
            raise InputError(
                "An adapter must be read into the base model, tuning and "
                f"pooling that it was made with. Received: {os.fspath(path)}, "
                f"with {name}={told.get(name)}, for {name}={own}. Load it onto "
                "its own."
            )
    shapes = {name: tuple(v.shape) for name, v in variables.items()}
    found = {name: value.shape for name, value in tensors.items()}
    if found != shapes:
        different = sorted(set(shapes.items()) ^ set(found.items()))
        raise InputError(
            "An adapter must hold the weights that its tuning adds. Received: "
            f"{os.fspath(path)}, which differs in "
            f"{', '.join(dict(different))}. Save it again."
        )
    for name, variable in variables.items():
        variable.assign(tensors[name])
