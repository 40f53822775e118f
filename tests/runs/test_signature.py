"""What is read off the source agrees with what Python sees."""

import inspect
import subprocess
import sys

import pytest

from tfadrec import data, layers, models, towers, training
from tfadrec.core.door import keras
from tfadrec.runs.sections import arguments_of, classes_of, defaults_of
from tfadrec.runs.signature import Signature

SECTIONS = (
    "encoder",
    "matching",
    "interaction",
    "multitask",
    "optimizer",
    "text.tuning",
)
CHOSEN = [(s, name) for s in SECTIONS for name in classes_of(s)]


def parameters(made):
    return {
        name: p.default
        for name, p in inspect.signature(made).parameters.items()
        if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    }


@pytest.mark.parametrize(("section", "name"), CHOSEN)
def test_a_class_has_the_arguments_that_python_sees(section, name):
    signature = classes_of(section)[name]
    made = signature.load()
    assert made.__name__ == signature.name
    expected = parameters(made)
    assert set(signature.arguments) == set(expected)
    for key, argument in signature.arguments.items():
        assert argument.required == (expected[key] is inspect.Parameter.empty)
        if not argument.required:
            assert argument.default == expected[key]


@pytest.mark.parametrize(
    ("section", "made", "without"),
    [
        (
            "ad_tower",
            towers.AdTower,
            {
                *("catalogue", "num_factors", "num_slopes", "num_traits"),
                *("passed", "text", "text_traits", "traits_of"),
                "factor_traits",
            },
        ),
        ("data", data.split_by_time, {"dataset"}),
        (
            "fit",
            training.fit,
            {"model", "train", "valid", "out", "until", "progress"},
        ),
    ],
)
def test_a_section_has_the_other_arguments(section, made, without):
    expected = parameters(made)
    found = defaults_of(section)
    assert set(expected) - without <= set(found)
    assert not without & set(found)
    for name in set(expected) - without:
        assert found[name] == expected[name]


def test_every_public_layer_of_a_package_can_be_chosen():
    public = {
        name
        for name in layers.interaction.__all__
        if hasattr(getattr(layers.interaction, name), "takes")
    }
    assert set(classes_of("interaction")) == public
    assert classes_of("encoder")["DIN"].load() is layers.DIN
    assert classes_of("optimizer")["Adam"].load() is keras.optimizers.Adam
    assert Signature.of("tfadrec.models", "AdRanker").load() is models.AdRanker


#: Rules that say more than the type -> values beyond each bound.
BEYOND = {
    "an integer >= 1": [0, -1, 1.5, "2", True],
    "an integer >= 0": [-1, 0.5],
    "a number in [0, 1)": [1, 1.5, -0.1],
    "a number > 0": [0, -1],
    "a number >= 0": [-0.1],
    "a number in (0, 1)": [0, 1],
}


def _bounded():
    for section, name in CHOSEN:
        for key, argument in arguments_of(
            section, classes_of(section)[name]
        ).items():
            for words in argument.rule.words.split(" or "):
                # The rate's bound is of settings, as Keras' classes have none.
                if words in BEYOND and key != "learning_rate":
                    yield section, name, key, words


@pytest.mark.parametrize(("section", "name", "key", "words"), list(_bounded()))
def test_the_class_refuses_what_lies_beyond_a_bound_too(
    section, name, key, words
):
    """So the source promises no bound that the class does not have."""
    signature = classes_of(section)[name]
    rule = signature.arguments[key].rule
    needed = {
        k: {"num_tasks": 2, "learning_rate": 0.1, "total_steps": 9}.get(k, 1)
        for k, a in signature.arguments.items()
        if a.required
    }
    for value in BEYOND[words]:
        assert not rule.allows(value)
        is_whole = words.startswith("a number") or type(value) is int
        if type(value) in (int, float) and is_whole:
            with pytest.raises(ValueError, match="Received"):
                signature.load()(**{**needed, key: value})


def test_no_tensorflow_is_needed():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys\n"
            "from tfadrec.runs import before\n"
            "from tfadrec.runs.sections import classes_of\n"
            f"for section in {SECTIONS!r}: classes_of(section)\n"
            "before.check_sections({'encoder': {'class': 'DIN'}})\n"
            "print('tensorflow' in sys.modules, 'tf_keras' in sys.modules)",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "False"]
