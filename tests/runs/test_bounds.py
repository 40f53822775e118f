"""No setting takes a number that no machine has room for."""

import dataclasses

import pytest

from tfadrec.core.config import RunConfig
from tfadrec.core.errors import InputError
from tfadrec.core.ranges import MOST, refuse_huge
from tfadrec.runs.check import check_sections
from tfadrec.runs.sections import arguments_of, classes_of, has_classes
from tfadrec.tuning.search_space import SearchSpace

SECTIONS = [field.name for field in dataclasses.fields(RunConfig)]


def settings():
    """Every (section, class or None, name, argument) of a config."""
    for section in SECTIONS:
        classes = classes_of(section) if has_classes(section) else {}
        for name, signature in classes.items():
            for key, argument in arguments_of(section, signature).items():
                yield section, name, key, argument
        if not classes:
            for key, argument in arguments_of(section).items():
                yield section, None, key, argument


ALL = list(settings())
INTEGERS = [
    (section, name, key)
    for section, name, key, argument in ALL
    if argument.rule.allows(MOST) or argument.rule.allows([MOST])
]


def check(section, name, value, key):
    named = {} if name is None else {"class": name}
    needed = {
        k: 1 for s, n, k, a in ALL if (s, n) == (section, name) and a.required
    }
    if section == "text":
        needed = {"model": "minilm"}
    check_sections({section: {**needed, **named, key: value}})


def test_there_are_all_of_them():
    keys = {(section, key) for section, _, key, _ in ALL}
    for known in (
        ("ad_tower", "width"),
        ("user_tower", "max_length"),
        ("fit", "batch_size"),
        ("data", "history_length"),
        ("encoder", "hidden_units"),
        ("optimizer", "learning_rate"),
    ):
        assert known in keys
    assert len(ALL) > 100


@pytest.mark.parametrize("huge", [10**18, -(10**18), 1e300, float("inf")])
def test_no_number_is_huge(huge):
    for section, name, key, _ in ALL:
        for value in (huge, [huge], {"a": huge}, {"a": [{"b": huge}]}):
            with pytest.raises(InputError) as error:
                check(section, name, value, key)
            assert "\n" not in str(error.value)
            assert f"{section}.{key}" in str(error.value)


def test_what_is_built_is_bounded_by_itself():
    """No part and no width is among those that take 2^31 - 1."""
    allowed = {key for section, _, key in INTEGERS if section != "optimizer"}
    assert allowed == {
        *("activation", "auxiliary_weight", "id_l2", "max_tokens", "reduction"),
        *("seed", "temperature", "weight", "weights_at_start"),
    }


@pytest.mark.parametrize(
    ("section", "key", "most"),
    [
        ("ad_tower", "width", 65_536),
        ("data", "history_length", 65_536),
        ("fit", "batch_size", 2**20),
        ("ranker", "cross_layers", 256),
    ],
)
def test_the_largest_and_one_more(section, key, most):
    check(section, None, most, key)
    with pytest.raises(
        InputError, match=rf"`{section}\.{key}` must be .*{most}"
    ):
        check(section, None, most + 1, key)


def test_nan_is_no_number():
    with pytest.raises(InputError, match=r"`x\.y` must be a number"):
        refuse_huge("x", {"y": [1.0, float("nan")]})


@pytest.mark.parametrize(
    "options",
    [
        {"choice": [1, 10**18]},
        {"int": {"min": 1, "max": 10**18}},
        {"float": {"min": 1e-3, "max": 1e300}},
    ],
)
def test_a_search_space(options):
    with pytest.raises(InputError, match="no number beyond"):
        SearchSpace({"ad_tower": {"width": options}})
