"""Types to what may stand in YAML."""

import ast

import pytest

from tfadrec.runs.rule import rule_of
from tfadrec.runs.source import read_source

SOURCE = read_source("tfadrec.layers.text.tuning.ways")


@pytest.mark.parametrize(
    ("written", "allowed", "refused"),
    [
        ("int", [0, -3], [1.0, True, "1", None, [1]]),
        ("float", [0, 1.5], [True, "1", None, float("nan"), float("inf")]),
        ("bool", [True, False], [0, 1, "yes"]),
        ("str", ["", "a"], [1, None]),
        ("int | None", [1, None], ["1", 1.5]),
        ("Optional[int]", [1, None], ["1"]),
        ("Union[int, str]", [1, "a"], [None, 1.5]),
        ("Literal['a', 'b']", ["a"], ["c", None]),
        ("Sequence[int]", [[], [1, 2], (3,)], [1, ["a"], None, "12"]),
        ("collections.abc.Sequence[str]", [["a"]], ["a", [1]]),
        ("tuple[str, ...]", [["a"]], [[1]]),
        ("Mapping[str, float]", [{}, {"a": 1}], [{"a": "b"}, [1]]),
        ("Annotated[int, '>= 1']", [1], [0, "1", 1.5]),
        ("Annotated[float, 'in [0, 1)']", [0, 0.5], [1, -0.1]),
        ("Annotated[float, 'in (0, 1)']", [0.5], [0, 1]),
        ("Annotated[float, '> 0']", [0.1], [0]),
        ("Annotated[int, '>= 1 and <= 3']", [1, 3], [0, 4]),
        ("Count", [1, 65536], [0, None, 65537]),  # what the module imports
        ("LoRA", [{"class": "lora"}], [1, "lora"]),
        ("Word", ["frozen"], ["melted"]),
        ("Tuning", ["full", {"class": "lora"}], ["melted", 3]),
        ("Any", [1, "a", None], []),
        ("Unheard", [1, "a", None], []),
        ("np.ndarray", [1, "a", None], []),
        ("'int | None'", [1, None], ["1"]),
    ],
)
def test_types(written, allowed, refused):
    rule = rule_of(ast.parse(written, mode="eval").body, SOURCE)
    for value in allowed:
        assert rule.allows(value), value
    for value in refused:
        assert not rule.allows(value), value


def test_words():
    written = ast.parse("Count | None", mode="eval").body
    words = rule_of(written, SOURCE).words
    assert words == "an integer >= 1 and <= 65536 or null"
    written = ast.parse("Tuning | Mapping[str, Any]", mode="eval").body
    words = rule_of(written, SOURCE).words
    assert words.startswith("one of frozen, full or a class with its settings")
    assert words.count("a class") == 1
