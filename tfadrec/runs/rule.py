"""What a setting may be, told from the type of an argument."""

import ast
import dataclasses
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from tfadrec.runs.source import Source


@dataclasses.dataclass(frozen=True)
class Rule:
    """A check of a value from YAML, and the words for what it lets pass.

    Args:
      allows: whether a value is one of those.
      words: what they are, after "must be".
      parts: the words of the rules that it was made of by `any_of`.
    """

    allows: Callable[[Any], bool]
    words: str
    parts: tuple[str, ...] = ()

    ANYTHING: ClassVar["Rule"]
    BOOL: ClassVar["Rule"]
    INTEGER: ClassVar["Rule"]
    NONE: ClassVar["Rule"]
    NUMBER: ClassVar["Rule"]
    OBJECT: ClassVar["Rule"]
    TEXT: ClassVar["Rule"]

    @classmethod
    def any_of(cls, rules: Sequence["Rule"]) -> "Rule":
        """Lets pass what one of the rules lets pass."""
        if Rule.ANYTHING in rules:
            return Rule.ANYTHING
        parts = tuple(
            dict.fromkeys(
                part for rule in rules for part in rule.parts or (rule.words,)
            )
        )
        return cls(
            lambda value: any(rule.allows(value) for rule in rules),
            " or ".join(parts),
            parts,
        )

    @classmethod
    def one_of(cls, values: Sequence[Any]) -> "Rule":
        """Lets pass the values themselves."""
        told = ", ".join(str(value) for value in values)
        return cls(
            lambda value: any(
                type(value) is type(each) and value == each for each in values
            ),
            f"one of {told}",
        )

    def within(self, bound: str) -> "Rule":
        """The same with a bound, as `>= 1`, `> 0` or `in [0, 1)`."""
        inside = _bound(bound)
        return Rule(
            lambda value: self.allows(value) and inside(value),
            f"{self.words} {bound}",
        )

    def in_list(self) -> "Rule":
        """Lets pass lists of what the rule lets pass."""
        return Rule(
            lambda value: (
                isinstance(value, list | tuple)
                and all(self.allows(each) for each in value)
            ),
            f"a list, each of it {self.words}",
        )

    def by_name(self) -> "Rule":
        """Lets pass mappings from names to what the rule lets pass."""
        return Rule(
            lambda value: (
                isinstance(value, Mapping)
                and all(self.allows(each) for each in value.values())
            ),
            "`name: value` lines"
            + ("" if self is Rule.ANYTHING else f", each value {self.words}"),
        )


Rule.ANYTHING = Rule(lambda value: True, "anything")
Rule.BOOL = Rule(lambda value: type(value) is bool, "true or false")
Rule.INTEGER = Rule(lambda value: type(value) is int, "an integer")
Rule.NONE = Rule(lambda value: value is None, "null")
Rule.NUMBER = Rule(
    lambda value: type(value) in (int, float) and math.isfinite(value),
    "a number",
)
Rule.OBJECT = Rule(
    lambda value: (
        isinstance(value, Mapping)
        or not isinstance(value, str | bool | int | float | list | None)
    ),
    "a class with its settings",
)
Rule.TEXT = Rule(lambda value: isinstance(value, str), "a text")

_PLAIN = {
    "Any": Rule.ANYTHING,
    "bool": Rule.BOOL,
    "float": Rule.NUMBER,
    "int": Rule.INTEGER,
    "str": Rule.TEXT,
}
_LISTS = ("Sequence", "Collection", "Iterable", "list", "tuple")
_MAPPINGS = ("Mapping", "dict")


def rule_of(node: ast.expr, source: Source) -> Rule:
    """What an argument of a type may be; anything where that is not known.

    Args:
      node: the type as it is written.
      source: the module in which it is written.
    """
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            return rule_of(ast.parse(node.value, mode="eval").body, source)
        return Rule.NONE if node.value is None else Rule.ANYTHING
    if isinstance(node, ast.BinOp):  # A | B
        return Rule.any_of(
            [rule_of(node.left, source), rule_of(node.right, source)]
        )
    if isinstance(node, ast.Subscript):
        return _of_generic(node, source)
    if not isinstance(node, ast.Name):
        return Rule.ANYTHING
    return _PLAIN.get(node.id) or _of_name(node.id, source)


def _of_generic(node: ast.Subscript, source: Source) -> Rule:
    name = ast.unparse(node.value).rpartition(".")[2]
    inner = (
        node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    )
    if name == "Literal":
        return Rule.one_of([ast.literal_eval(each) for each in inner])
    if name == "Annotated":
        rule, bound = rule_of(inner[0], source), ast.literal_eval(inner[1])
        return rule.within(bound)
    if name in ("Optional", "Union"):
        found = [rule_of(each, source) for each in inner]
        return Rule.any_of([*found, *[Rule.NONE] * (name == "Optional")])
    if name in _LISTS:
        return rule_of(inner[0], source).in_list()
    if name in _MAPPINGS:
        return rule_of(inner[-1], source).by_name()
    return Rule.ANYTHING


def _of_name(name: str, source: Source) -> Rule:
    """A type with a name of its own: a class, or what stands for another."""
    try:
        place, node = source.follow(name)
    except LookupError:
        return Rule.ANYTHING
    if isinstance(node, ast.ClassDef):
        return Rule.OBJECT
    value = getattr(node, "value", None)
    return rule_of(value, place) if value is not None else Rule.ANYTHING


def _bound(text: str) -> Callable[[float], bool]:
    found = re.fullmatch(
        r"(>=|>) (\S+)(?: and <= (\S+))?|in ([\[(])(\S+), (\S+)([\])])", text
    )
    if found is None:
        raise ValueError(
            f"a bound is `>= 1`, `>= 1 and <= 9` or `in [0, 1)`, not {text!r}"
        )
    sign, least, most, left, low, high, right = found.groups()
    if sign is not None:
        low, left = least, "[" if sign == ">=" else "("
        high, right = most or "inf", "]"
    first, last = float(low), float(high)
    return lambda value: (
        (first <= value if left == "[" else first < value)
        and (value <= last if right == "]" else value < last)
    )
