"""Formulas of numbers, as settings give them: `log(a / b)`."""

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfadrec.core.errors import InputError

#: Names that stand for the numbers that a formula reads, in their order.
LETTERS = "abcdefgh"
#: Functions by name, with how many arguments they take.
FUNCTIONS = {
    "abs": 1,
    "exp": 1,
    "log": 1,
    "log1p": 1,
    "max": 2,
    "min": 2,
    "sigmoid": 1,
    "sqrt": 1,
}
OPERATORS = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
}
_LONGEST = 200


def parse(text: str, count: int) -> Any:
    """A formula as a tree of numbers, letters, operators and functions.

    Args:
      text: of `a`, `b` and so on, numbers, + - * /, comparisons (1 where true,
        else 0), brackets, and the functions of `FUNCTIONS`.
      count: how many numbers it reads, from 1 to 8.

    Raises:
      InputError: where it is anything else.
    """
    letters = LETTERS[:count]
    rule = (
        f"an expression is made of {', '.join(letters)}, numbers, + - * /, "
        f"comparisons, brackets and {', '.join(FUNCTIONS)}"
    )
    if not isinstance(text, str) or not 0 < len(text) <= _LONGEST:
        raise InputError(
            f"{rule}, in at most {_LONGEST} letters. Received: {text!r}."
        )
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{rule}. Received: {text!r}.") from error
    if not _is_allowed(tree, letters):
        raise InputError(f"{rule}. Received: {text!r}.")
    return tree


def letters_of(tree: Any) -> set[str]:
    """The letters that a formula, as from `parse`, uses."""
    names = {p.id for p in ast.walk(tree) if isinstance(p, ast.Name)}
    return names & set(LETTERS)


def evaluate(
    tree: Any, values: Mapping[str, Any], library: Mapping[str, Callable]
) -> Any:
    """The value of a formula, by the functions of NumPy or of TensorFlow.

    Args:
      tree: as from `parse`.
      values: floats [...] by letter.
      library: the functions and operators by name, and `where`, `is_nan` and
        `float`, which makes floats of booleans and of a number.

    Returns:
      Floats [...]; nan or infinite where it is not defined.
    """

    def of(part: Any) -> Any:
        return evaluate(part, values, library)

    if isinstance(tree, ast.Constant):
        number: Any = tree.value
        return library["float"](np.float64(number))
    if isinstance(tree, ast.Name):
        return values[tree.id]
    if isinstance(tree, ast.UnaryOp):
        return -of(tree.operand)
    if isinstance(tree, ast.Call):
        name: Any = tree.func
        return library[name.id](*map(of, tree.args))
    if isinstance(tree, ast.Compare):
        left, right = of(tree.left), of(tree.comparators[0])
        is_true = library[OPERATORS[type(tree.ops[0])]](left, right)
        # A comparison with what is missing is missing.
        unknown = library["is_nan"](left) | library["is_nan"](right)
        return library["where"](
            unknown, library["float"](float("nan")), library["float"](is_true)
        )
    return library[OPERATORS[type(tree.op)]](of(tree.left), of(tree.right))


def _is_allowed(tree: ast.AST, letters: str) -> bool:
    if isinstance(tree, ast.Constant):
        value = tree.value
        return type(value) in (int, float) and abs(float(value)) <= 1e30  # type: ignore[arg-type]
    if isinstance(tree, ast.Name):
        return len(tree.id) == 1 and tree.id in letters
    if isinstance(tree, ast.UnaryOp):
        return isinstance(tree.op, ast.USub) and _is_allowed(
            tree.operand, letters
        )
    if isinstance(tree, ast.BinOp):
        parts = [tree.left, tree.right]
        operator: ast.AST = tree.op
    elif isinstance(tree, ast.Compare) and len(tree.ops) == 1:
        parts = [tree.left, *tree.comparators]
        operator = tree.ops[0]
    elif isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        if tree.keywords or FUNCTIONS.get(tree.func.id) != len(tree.args):
            return False
        return all(_is_allowed(part, letters) for part in tree.args)
    else:
        return False
    return type(operator) in OPERATORS and all(
        _is_allowed(part, letters) for part in parts
    )
