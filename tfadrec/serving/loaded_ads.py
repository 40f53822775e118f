"""The ads of a bundle that was loaded: which it gives, and which no more."""

from collections.abc import Sequence
from typing import Any

from tfadrec.core.door import tf
from tfadrec.core.schema import IdType, typed_id
from tfadrec.serving.ad_changer import IDS
from tfadrec.serving.ad_record import Ids


def id_type(loaded: Any) -> IdType:
    """The type of its ads' ids."""
    return specs(loaded.has_ads)[IDS].dtype.name


def typed(loaded: Any, ids: Sequence[str | int]) -> Ids:
    """Ids as the bundle has them, each once.

    Raises:
      InputError: where one is of another type.
    """
    kind = id_type(loaded)
    return tuple(dict.fromkeys(typed_id("ad", i, kind) for i in ids))


def given(loaded: Any, ids: Ids) -> Ids:
    """Those of some ads that are there and were not removed.

    A bundle of an older version, from which none can be removed, gives all.

    Raises:
      InputError: where an id is of another type.
    """
    if not hasattr(loaded, "has_ads"):
        return ids
    ids = typed(loaded, ids)
    is_there = loaded.has_ads(**{IDS: tensor(loaded, ids)}).numpy()
    return tuple(i for i, there in zip(ids, is_there, strict=True) if there)


def remove(loaded: Any, ids: Ids) -> Ids:
    """Removes those of some ads that are there: which."""
    gone = given(loaded, ids)
    if gone:
        loaded.remove_ads(**{IDS: tensor(loaded, gone)})
    return gone


def tensor(loaded: Any, ids: Ids) -> tf.Tensor:
    """Ids of the bundle's type [n]."""
    return tf.constant(list(ids), specs(loaded.has_ads)[IDS].dtype)


def specs(function: Any) -> dict[str, tf.TensorSpec]:
    """The inputs of a function of a loaded bundle."""
    (concrete,) = function.concrete_functions
    return concrete.structured_input_signature[1]
