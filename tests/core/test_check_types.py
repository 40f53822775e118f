"""Fields of the types that their class says."""

import dataclasses
from typing import Literal

import pytest

from tfadrec.core.check_types import check_types


@dataclasses.dataclass(frozen=True)
class Inner:
    name: str = "a"


@dataclasses.dataclass(frozen=True)
class Outer:
    text: str = "a"
    count: int = 1
    number: float = 1.5
    flag: bool = True
    low: float | None = None
    kind: Literal["x", "y"] = "x"
    words: tuple[str, ...] = ("a",)
    pairs: tuple[tuple[float, int], ...] = ((0.5, 1),)
    parts: tuple[Inner, ...] = (Inner(),)


@pytest.mark.parametrize(
    "right",
    [{}, {"number": 1, "low": 2}, {"words": (), "parts": ()}, {"kind": "y"}],
)
def test_what_fits(right):
    check_types(Outer(**right))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("text", 1),
        ("text", None),
        ("count", 1.0),
        ("count", True),
        ("number", True),
        ("number", "1"),
        ("flag", 1),
        ("low", "1"),
        ("kind", "z"),
        ("kind", ["x"]),
        ("words", ["a"]),
        ("words", ("a", 1)),
        ("words", (("a",),)),
        ("pairs", ((1,),)),
        ("pairs", ((1, 1.5),)),
        ("parts", ({},)),
    ],
)
def test_what_does_not(name, wrong):
    with pytest.raises(TypeError, match=f"{name} is no "):
        check_types(Outer(**{name: wrong}))
