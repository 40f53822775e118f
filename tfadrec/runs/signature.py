"""The arguments of a class or a function, read off its source."""

import ast
import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

from tfadrec.runs.argument import Argument
from tfadrec.runs.source import Source, read_source


@dataclasses.dataclass(frozen=True)
class Signature:
    """A class or a function, and what it is called with.

    Args:
      module: where it is written.
      name: what it is called there.
      arguments: by name, without `self`, `*args` and `**kwargs`.
      attributes: names that a class gives, its bases' in the same package too.
      is_class: whether it is one.
    """

    module: str
    name: str
    arguments: Mapping[str, Argument]
    attributes: frozenset[str] = frozenset()
    is_class: bool = True

    @classmethod
    def of(cls, module: str, name: str) -> "Signature":
        """Reads what a module calls by a name.

        Raises:
          LookupError: where there is none, or it is no class and no function.
        """
        source, node = read_source(module).follow(name)
        if isinstance(node, ast.FunctionDef):
            arguments = _arguments(node, source)
            return cls(source.module, node.name, arguments, is_class=False)
        if not isinstance(node, ast.ClassDef):
            raise LookupError(f"{module}.{name} is no class")
        taken: Mapping[str, Argument] | None = None
        attributes: set[str] = set()
        for own, place in _with_bases(node, source):
            attributes |= _attributes(own)
            if taken is None:
                taken = _constructor(own, place)
        return cls(source.module, node.name, taken or {}, frozenset(attributes))

    def load(self) -> Any:
        """The class or function itself, whose module is imported."""
        return getattr(importlib.import_module(self.module), self.name)


def _with_bases(node: ast.ClassDef, source: Source):
    """A class and its bases, as far as they are in the same package."""
    package = source.module.partition(".")[0]
    waiting = [(node, source)]
    while waiting:
        node, source = waiting.pop(0)
        yield node, source
        for base in node.bases:
            try:
                place, found = source.follow(getattr(base, "id", ""))
            except LookupError:
                continue
            if place.module.partition(".")[0] == package and isinstance(
                found, ast.ClassDef
            ):
                waiting.append((found, place))


def _attributes(node: ast.ClassDef) -> set[str]:
    targets = [
        target
        for part in node.body
        if isinstance(part, ast.Assign | ast.AnnAssign)
        for target in (
            part.targets if isinstance(part, ast.Assign) else [part.target]
        )
    ]
    return {t.id for t in targets if isinstance(t, ast.Name)}


def _constructor(
    node: ast.ClassDef, source: Source
) -> dict[str, Argument] | None:
    """The arguments of a class, None where a base has them."""
    for part in node.body:
        if isinstance(part, ast.FunctionDef) and part.name == "__init__":
            return _arguments(part, source)
    if any("dataclass" in ast.unparse(d) for d in node.decorator_list):
        return {
            part.target.id: Argument.of(part.annotation, part.value, source)
            for part in node.body
            if isinstance(part, ast.AnnAssign)
            and isinstance(part.target, ast.Name)
        }
    return None


def _arguments(node: ast.FunctionDef, source: Source) -> dict[str, Argument]:
    places = [*node.args.posonlyargs, *node.args.args]
    defaults: list[ast.expr | None] = [
        *[None] * (len(places) - len(node.args.defaults)),
        *node.args.defaults,
    ]
    named = zip(
        [*places, *node.args.kwonlyargs],
        [*defaults, *node.args.kw_defaults],
        strict=True,
    )
    return {
        each.arg: Argument.of(each.annotation, default, source)
        for each, default in named
        if each.arg != "self"
    }
