"""Public functions name an argument that is something else, in one line."""

import importlib
import inspect
import types

import pytest

from tests.test_public_api import PUBLIC
from tfadrec import data, evaluation, serving
from tfadrec.core.errors import InputError
from tfadrec.core.takes import _KINDS, takes

#: Types of which an argument is looked at before the function begins.
LOOKED_AT = ("Dataset", "Catalogue", "AdRanker", "AdRetriever", "Calibration")
#: Functions that are called by others of this package, of checked arguments.
INNER = {"build_ranker", "replay"}


def functions():
    """Public functions with an argument of these types, by name."""
    found = {}
    for module, names in PUBLIC.items():
        for name in names:
            function = getattr(importlib.import_module(module), name)
            if not inspect.isfunction(function) or name in INNER:
                continue
            of = {
                key: str(each.annotation)
                for key, each in inspect.signature(function).parameters.items()
            }
            wanted = [
                key
                for key, kind in of.items()
                if kind.strip("<>'|None ").rpartition(".")[2] in LOOKED_AT
            ]
            if wanted:
                found[f"{module}.{name}"] = (function, wanted)
    return found


FUNCTIONS = functions()


def test_there_are_some():
    assert len(FUNCTIONS) > 15


@pytest.mark.parametrize("name", FUNCTIONS)
def test_another_argument(name):
    function, wanted = FUNCTIONS[name]
    kinds = getattr(function, "takes", {})
    assert set(wanted) <= set(kinds)
    good = {
        key: types.SimpleNamespace(**{attribute: None})
        for key, kind in kinds.items()
        for attribute in [_KINDS[kind][1]]
    }
    others = {
        key: None
        for key, each in inspect.signature(function).parameters.items()
        if each.default is each.empty and key not in good
    }
    for key in kinds:
        with pytest.raises(InputError) as caught:
            function(**{**others, **good, key: "data/shop"})
        said = str(caught.value)
        assert said.startswith(f"`{key}` must be ")
        assert f"Received: str. Call {function.__name__}(" in said
        assert "\n" not in said


def test_swapped_arguments():
    dataset = types.SimpleNamespace(impressions=None)
    model = types.SimpleNamespace(predict=None, task_losses={})
    with pytest.raises(InputError, match=r"Call evaluate\(model, dataset\)\.$"):
        evaluation.evaluate(dataset, model)
    with pytest.raises(InputError, match=r"Call split_by_time\(dataset\)\.$"):
        data.split_by_time("data/shop")


def test_what_may_be_left_out():
    @takes(train="dataset", dataset="dataset")
    def count(dataset, train=None):
        return dataset.impressions

    given = types.SimpleNamespace(impressions=3)
    assert count(given) == count(given, None) == count(dataset=given) == 3
    with pytest.raises(InputError, match="`train` must be a dataset"):
        count(given, train=3)
    with pytest.raises(InputError, match=r"`dataset` must .* NoneType"):
        count(None)


def test_a_class():
    with pytest.raises(InputError) as error:
        serving.RankingService("a", "b")
    assert str(error.value) == (
        "`ranker` must be a ranker, such as AdRanker. Received: str. Call "
        "RankingService(ranker, dataset)."
    )
