"""Arguments of public functions that are something else, or swapped."""

import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from tfadrec.core.errors import InputError

_P = ParamSpec("_P")
_R = TypeVar("_R")

#: Kind -> what it is, and an attribute that tells it.
_KINDS = {
    "calibration": (
        "a calibration, as calibration.fit_calibration gives it",
        "of_rows",
    ),
    "catalogue": ("a catalogue, such as that of a dataset", "ad_ids"),
    "dataset": ("a dataset, as data.open_dataset gives it", "impressions"),
    "encoder": ("an encoder of texts, such as BertAdEncoder", "compute_dtype"),
    "evaluation": ("what evaluation.evaluate gives", "reliability"),
    "model": ("a model, such as AdRanker", "predict"),
    "ranker": ("a ranker, such as AdRanker", "task_losses"),
    "retriever": ("a retriever, such as AdRetriever", "catalogue_vectors"),
    "tokenizer": (
        "a tokenizer, as data.Tokenizer.from_pretrained gives it",
        "pad_id",
    ),
}


def takes(**kinds: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Has a function refuse arguments of other kinds before it begins.

    Args:
      **kinds: argument -> its kind. One that may be None is not looked at then.

    Raises:
      InputError: by the function, with the order of its arguments.
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        signature = inspect.signature(function)
        order = [
            name
            for name, each in signature.parameters.items()
            if each.default is each.empty
            and each.kind is not each.VAR_KEYWORD
            and name != "self"
        ]
        called = function.__qualname__.removesuffix(".__init__")

        @functools.wraps(function)
        def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            given = signature.bind(*args, **kwargs).arguments
            for name, kind in kinds.items():
                value = given.get(name)
                words, attribute = _KINDS[kind]
                optional = signature.parameters[name].default is None
                if name not in given or (value is None and optional):
                    continue
                if not hasattr(value, attribute):
                    raise InputError(
                        f"`{name}` must be {words}. Received: "
                        f"{type(value).__name__}. Call "
                        f"{called}({', '.join(order)})."
                    )
            return function(*args, **kwargs)

        checked.__dict__["takes"] = kinds
        return checked

    return decorate
