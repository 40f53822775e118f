"""One argument, and the values that it takes."""

import ast
import dataclasses
from typing import Any

from tfadrec.runs.rule import Rule, rule_of
from tfadrec.runs.source import Source


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument of a class, which is a setting of a run.

    Args:
      default: its value where it is left out; None where there is none.
      required: whether it has to be given.
      rule: what it may be, as far as its type tells.
    """

    default: Any
    required: bool
    rule: Rule

    @classmethod
    def of(
        cls, type_: ast.expr | None, default: ast.expr | None, source: Source
    ) -> "Argument":
        """Reads a type and a default, as they are written in a source."""
        value = _literal(default)
        rule = _like(value) if type_ is None else rule_of(type_, source)
        return cls(value, default is None, rule)


def _literal(node: ast.expr | None) -> Any:
    try:
        return None if node is None else ast.literal_eval(node)
    except ValueError:  # a name or a call
        return None


def _like(default: Any) -> Rule:
    """What an argument without a type may be: as its default, or an object."""
    if type(default) in (int, float):
        return Rule.any_of([Rule.NUMBER, Rule.OBJECT])
    return Rule.BOOL if type(default) is bool else Rule.ANYTHING
