"""Loading a model without running what its file says.

A `model.keras` is a zip archive with a configuration, which names classes, and
an HDF5 file of weights. Keras imports whatever module the configuration names,
reads HDF5 files of that name by an older path on which a Lambda layer is run,
and seeks in the archive, so that its checksums are never looked at. All of that
is checked here before Keras sees the file.
"""

import io
import json
import os
import pathlib
import sys
import tempfile
import zipfile
from collections.abc import Collection
from typing import Any

import h5py

from tfadrec.core.bounded_variables import bounded_variables
from tfadrec.core.door import keras
from tfadrec.core.errors import InputError, NotAllowedError
from tfadrec.core.import_allowed import import_allowed

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_MEMBERS = {"metadata.json", _CONFIG, _WEIGHTS}
#: Configurations are some kilobytes, and name what a dataset has of columns.
_MOST_CONFIG_BYTES, _MOST_LIST, _MOST_DEPTH = 1 << 22, 1 << 12, 100
#: How many layers are made at once, by the names that arguments of layers and
#: configurations of language models have for it; see `core.ranges.Parts`.
_PARTS, _MOST_PARTS = (
    {
        *("num_layers", "num_blocks", "cross_layers"),
        *("num_experts", "num_shared_experts", "num_task_experts"),
        *("num_hidden_layers", "n_layer"),
    },
    256,
)
#: What HDF5 holds is weights as they are, and little else.
_MOST_GROWTH = 2
#: An optimiser of which the file has nothing makes some variables for each of
#: the model's; metrics make a few thousand numbers whatever the model is.
_MOST_EACH, _MOST_OTHERS = 4, 1 << 14
_PREFIX = "tfadrec>"
#: Where a class without a module is looked for, as Keras does.
_PLACES = (
    "layers",
    "optimizers",
    "optimizers.schedules",
    "losses",
    "metrics",
    "initializers",
    "regularizers",
    "constraints",
    "mixed_precision",
)
_BASES = (
    keras.layers.Layer,
    keras.optimizers.Optimizer,
    keras.optimizers.legacy.Optimizer,
    keras.optimizers.schedules.LearningRateSchedule,
    keras.losses.Loss,
    keras.metrics.Metric,
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
    keras.mixed_precision.Policy,
)
#: Layers that run code of the file's, or are models of their own.
_REFUSED = (keras.layers.Lambda, keras.Model)


def load_model(
    path: str | os.PathLike[str], allow_import: Collection[str] = ()
) -> keras.Model:
    """Reads a `.keras` file, of classes of this package and of Keras' own.

    Args:
      path: the file.
      allow_import: modules whose classes may be in it too.

    Raises:
      InputError: where the file is damaged, or holds anything else.
    """
    config, weights, most = _checked(path, allow_import)
    try:
        # In a scope of its own a layer that stands twice is one layer.
        with (
            keras.src.saving.serialization_lib.ObjectSharingScope(),
            bounded_variables(most),
        ):
            model = keras.saving.deserialize_keras_object(config)
        if not isinstance(model, keras.Model):
            raise _FaultError(f"it is a {type(model).__name__}, and no model")
        # Keras reads weights within an archive from its beginning at every
        # step back, which takes minutes; and these are those that were checked.
        with tempfile.NamedTemporaryFile(suffix=".weights.h5") as file:
            file.write(weights)
            file.flush()
            model.load_weights(file.name)
        return model
    except Exception as error:  # Keras and HDF5 raise anything.
        raise _refusal(path, _one_line(error)) from error


def check_model(
    path: str | os.PathLike[str], allow_import: Collection[str] = ()
) -> None:
    """Refuses a `.keras` file that `load_model` does not read.

    Its parts are not compressed, have their checksums, and together the size of
    the file; its configuration names only classes of this package and layers,
    optimisers, losses and metrics of Keras; its weights are in the file itself.
    Modules that are allowed are imported, and may have classes of these kinds.

    Args:
      path: the file.
      allow_import: see `load_model`.

    Raises:
      InputError: where one of these does not hold.
    """
    _checked(path, allow_import)


def most_numbers(weights: bytes) -> int:
    """How many numbers the variables of a model may hold together.

    Args:
      weights: of its file, which `check_model` lets pass.
    """
    return _MOST_EACH * _check_weights(weights) + _MOST_OTHERS


def _checked(
    path: str | os.PathLike[str], allow_import: Collection[str]
) -> tuple[Any, bytes, int]:
    """Configuration and weights of what may be loaded, and `most_numbers`."""
    try:
        config, weights = _read(pathlib.Path(path))
        import_allowed(allow_import)
        _check_config(config, allow_import)
        return config, weights, most_numbers(weights)
    except InputError:
        raise
    except _OtherModuleError as error:
        what, module = error.args
        raise NotAllowedError(
            "a model is read with classes of tfadrec, and of modules that are "
            f"allowed. Received: {os.fspath(path)}, whose {what}. If you trust "
            f"that module, pass --allow-import {module}, in Python "
            f"allow_import=[{module!r}]."
        ) from error
    except Exception as error:  # zipfile, json and HDF5 raise anything.
        raise _refusal(path, _one_line(error)) from error


class _FaultError(Exception):
    """What is wrong with a file."""


class _OtherModuleError(_FaultError):
    """It names a class of a module that could be allowed."""


def _read(path: pathlib.Path) -> tuple[Any, bytes]:
    """The configuration and the weights, with their checksums checked."""
    size = path.stat().st_size
    if not path.is_file():
        raise _FaultError("it is no file")
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            raise _FaultError("it is no zip archive")
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if sorted(m.filename for m in members) != sorted(_MEMBERS):
            raise _FaultError(
                f"it must hold {', '.join(sorted(_MEMBERS))} once"
            )
        for member in members:
            if (
                member.compress_type != zipfile.ZIP_STORED
                or member.file_size != member.compress_size
                or member.file_size > size
            ):
                raise _FaultError(f"{member.filename} must not be compressed")
        if archive.getinfo(_CONFIG).file_size > _MOST_CONFIG_BYTES:
            raise _FaultError(f"{_CONFIG} is too large")
        # To read a part to its end compares its checksum.
        parts = {name: archive.read(name) for name in sorted(_MEMBERS)}
    return json.loads(parts[_CONFIG]), parts[_WEIGHTS]


def _check_config(config: Any, allowed: Collection[str]) -> None:
    waiting = [(config, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _MOST_DEPTH:
            raise _FaultError(f"{_CONFIG} is nested too deeply")
        if isinstance(value, dict):
            if "class_name" in value:
                _check_class(value, allowed)
            for name in _PARTS & value.keys():
                _check_parts(name, value[name])
            waiting += [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list):
            if len(value) > _MOST_LIST:
                raise _FaultError(f"{_CONFIG} has a list of {len(value):,}")
            waiting += [(inner, depth + 1) for inner in value]


def _check_parts(name: str, number: Any) -> None:
    if isinstance(number, int | float) and not number <= _MOST_PARTS:
        raise _FaultError(
            f"{_CONFIG} has {name}={str(number)[:50]}, and {_MOST_PARTS} is "
            "the most"
        )


def _check_class(value: dict[str, Any], allowed: Collection[str]) -> None:
    """Refuses what is no class of ours, of Keras' own, or of those allowed."""
    name, module = value["class_name"], value.get("module")
    registered = value.get("registered_name") or name
    for text in (name, registered, module or ""):
        if not isinstance(text, str):
            raise _FaultError(f"{_CONFIG} names a class by {str(text)[:100]!r}")
    if registered.startswith(_PREFIX):
        # Keras takes what is registered under this name, whatever the module.
        if keras.saving.get_registered_object(registered) is not None:
            return
    elif (registered == name and _is_keras_own(module, name)) or (
        module is not None
        and module in allowed
        and _is_allowed(module, name, registered)
    ):
        return
    where = f"{module}.{name}" if module else name
    what = (
        f"{_CONFIG} names {where[:200]!r}, which is no class of tfadrec and no "
        "layer, optimiser, loss or metric of Keras"
    )
    if module is None or module in allowed or not _can_be_named(module):
        raise _FaultError(what)
    raise _OtherModuleError(what, module)


def _can_be_named(module: str) -> bool:
    """Whether it makes sense to say how a module would be allowed."""
    parts = module.split(".")
    ours = {"keras", "tf_keras", "tfadrec", *sys.stdlib_module_names}
    return parts[0] not in ours and all(part.isidentifier() for part in parts)


def _is_allowed(module: str, name: str, registered: str) -> bool:
    """Whether an imported module has that class, and Keras takes that one."""
    found = vars(sys.modules[module]).get(name)
    known = keras.saving.get_registered_object(registered)
    return _is_plain(found) and (known is found or registered == name)


def _is_plain(found: Any) -> bool:
    """Whether something is a class of a kind that a model is made of."""
    return (
        isinstance(found, type)
        and issubclass(found, _BASES)
        and not issubclass(found, _REFUSED)
    )


def _is_keras_own(module: str | None, name: str) -> bool:
    found: list[Any] = []
    if module is None:
        found = [_public(place, name) for place in _PLACES]
    elif module.startswith("keras."):
        found = [_public(module.removeprefix("keras."), name)]
    elif module.startswith("tf_keras.src."):
        # Keras writes this for a class without a public name. What is not
        # imported yet is not imported here.
        found = [vars(sys.modules.get(module, keras)).get(name)]
    return any(map(_is_plain, found))


def _public(place: str, name: str) -> Any:
    """What Keras calls `place.name`, None where it has no such name."""
    found: Any = keras
    for part in (*place.split("."), name):
        found = None if part.startswith("_") else getattr(found, part, None)
    return found


def _check_weights(content: bytes) -> int:
    """Counts weights; none are elsewhere, or would fill more than the file."""
    total, count, seen = 0, 0, set()
    with h5py.File(io.BytesIO(content)) as file:
        waiting: list[h5py.Group] = [file]
        while waiting:
            group = waiting.pop()
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise _FaultError(f"{_WEIGHTS} has a link, {name[:100]!r}")
                item = group[name]
                if isinstance(item, h5py.Dataset):
                    if item.external or item.is_virtual or item.dtype.hasobject:
                        raise _FaultError(
                            f"{_WEIGHTS} has weights outside of it"
                        )
                    total += item.nbytes
                    count += item.size
                    if total > _MOST_GROWTH * len(content):
                        raise _FaultError(f"{_WEIGHTS} would outgrow its file")
                elif not isinstance(item, h5py.Group):
                    raise _FaultError(f"{_WEIGHTS} holds more than weights")
                elif (place := h5py.h5o.get_info(item.id).addr) not in seen:
                    # A group may stand in itself.
                    seen.add(place)
                    waiting.append(item)
    return count


def _refusal(path: str | os.PathLike[str], what: str) -> InputError:
    return InputError(
        "a model is read from a whole .keras file with classes of tfadrec. "
        f"Received: {os.fspath(path)}: {what}. Save it again."
    )


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:300]
    return (
        text
        if isinstance(error, _FaultError)
        else f"{type(error).__name__}: {text}"
    )
