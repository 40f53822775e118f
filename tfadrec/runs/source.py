"""Modules as they are written: read, and not imported.

To import a layer imports TensorFlow, which takes seconds, and to import a
module of a user runs its code. What a class is called, what arguments it has
and what these may be stands in its source.
"""

import ast
import functools
import importlib.util
import pathlib
from collections.abc import Iterator


class Source:
    """The source of one module.

    Args:
      module: its full name; found where Python would find it.

    Raises:
      LookupError: where there is no such module, or it is not written in
        Python.
    """

    def __init__(self, module: str) -> None:
        self.module = module
        file = _file_of(module)
        try:
            tree = ast.parse(file.read_text("utf-8"))
        except (OSError, ValueError, SyntaxError) as error:
            raise LookupError(f"{file} cannot be read: {error}") from error
        self._is_package = file.name == "__init__.py"
        #: Name -> the statement at the top of the module that gives it.
        self._given = {
            name: node for node in tree.body for name in _names(node)
        }

    def follow(self, name: str) -> tuple["Source", ast.stmt]:
        """Where a name comes from, and the statement that gives it there.

        Raises:
          LookupError: where the module does not have it.
        """
        node = self._given.get(name)
        if node is None:
            raise LookupError(f"{self.module} has no {name}")
        if not isinstance(node, ast.ImportFrom):
            return self, node
        (original,) = (
            alias.name
            for alias in node.names
            if name == (alias.asname or alias.name)
        )
        return read_source(self._absolute(node)).follow(original)

    def public(self) -> list[str]:
        """The names in `__all__`, in its order."""
        node = self._given.get("__all__")
        if not isinstance(node, ast.Assign):
            raise LookupError(f"{self.module} has no __all__")
        return list(ast.literal_eval(node.value))

    def _absolute(self, node: ast.ImportFrom) -> str:
        """The full name of the module that a statement imports from."""
        if not node.level:
            return node.module or ""
        parts = self.module.split(".")
        kept = parts[: len(parts) - node.level + self._is_package]
        return ".".join([*kept, *filter(None, [node.module])])


#: Sources do not change while a process runs.
read_source = functools.cache(Source)


def _names(node: ast.stmt) -> Iterator[str]:
    """The names that a statement gives."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        yield node.name
    elif isinstance(node, ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, ast.Assign):
        yield from (t.id for t in node.targets if isinstance(t, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id


def _file_of(module: str) -> pathlib.Path:
    """The file of a module, found without importing the packages it is in.

    Only the first part is left to Python, whose finders know packages that are
    installed to be edited, too: `find_spec` imports nothing for a name
    without dots.
    """
    first, *others = module.split(".")
    try:
        spec = importlib.util.find_spec(first)
    except ValueError:  # `__main__` and the like have no origin
        spec = None
    if spec is None or spec.origin is None:
        raise LookupError(f"there is no module {module}")
    file = pathlib.Path(spec.origin)
    for part in others:
        folder = file.parent
        if file.name != "__init__.py":
            raise LookupError(f"there is no module {module}")
        package = folder / part / "__init__.py"
        file = package if package.is_file() else folder / f"{part}.py"
    if file.suffix != ".py" or not file.is_file():
        raise LookupError(f"there is no module {module} in Python")
    return file
