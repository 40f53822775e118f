"""Lists and maps that JSON, Python or NumPy wrote into a cell of text."""

import ast
import json
import re
import warnings
from typing import Any

# A quoted text, or anything else up to a space or a comma.
_TOKEN = re.compile(
    r"""[\s,]*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,'"\[\]{}()]+)""",
    re.DOTALL,
)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WORDS = {
    "None": "",
    "null": "",
    "nan": "",
    "NaN": "",
    "True": "true",
    "true": "true",
    "False": "false",
    "false": "false",
}
_LARGEST_EXACT = 2**53

#: What a text must look like to be tried at all, as patterns of Arrow's.
LOOKS_LIKE_A_LIST = r"^\s*\[(?s:.*)\]\s*$"
LOOKS_LIKE_A_LIST_OR_MAP = r"^\s*(?:\[(?s:.*)\]|\{(?s:.*)\})\s*$"


def read_entries(text: str) -> list[str] | None:
    """The entries of a list or of a map; see `read_list` and `read_map`."""
    return read_map(text) if text.lstrip()[0] == "{" else read_list(text)


def read_list(text: str) -> list[str] | None:
    """The entries of a list, or None where the text is no list.

    `["a", "b"]`, `['a', 'b']`, `[2122, 243]`, `[0.1 0.2]` are lists; entries
    may be texts, numbers, Boolean values and missing ones, which are empty.

    Args:
      text: begins and ends with brackets.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return _written_by_python(text.strip()[1:-1])
    entries = [_entry(value) for value in values]
    return None if None in entries else entries  # type: ignore[return-value]


def read_map(text: str) -> list[str] | None:
    """The entries `key:value` of a map, or None where the text is no map.

    `{"a": 1, "b": 0.5}` and `{'a': 1, 2122: None}` are maps; keys and values
    may be what the entries of lists are.

    Args:
      text: begins and ends with braces.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        try:
            values = _literal(text.strip())
        except (
            ValueError,
            SyntaxError,
            TypeError,
            MemoryError,
            RecursionError,
        ):
            return None
    if not isinstance(values, dict):
        return None
    pairs = [(_entry(key), _entry(value)) for key, value in values.items()]
    if any(None in pair for pair in pairs):
        return None
    return [f"{key}:{value}" for key, value in pairs]


def _literal(text: str) -> Any:
    """A value of Python, without what Python would say of odd escapes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.literal_eval(text)


def _entry(value: Any) -> str | None:
    """One value of JSON as text; None where it is a list or an object."""
    if isinstance(value, str):
        # Half of a character, which JSON can write, is no text.
        return value.encode(errors="replace").decode()
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < _LARGEST_EXACT
        return str(int(value)) if whole else repr(value)
    return str(value) if isinstance(value, int) else None


def _written_by_python(inside: str) -> list[str] | None:
    entries, at = [], 0
    while found := _TOKEN.match(inside, at):
        at = found.end()
        token = found[1]
        if token[0] in "'\"":
            try:
                value = _literal(token)
            except (ValueError, SyntaxError):
                return None
            entries.append(_entry(value) or "")
        elif token in _WORDS:
            entries.append(_WORDS[token])
        elif _NUMBER.fullmatch(token):
            digits = token.lstrip("+-").isdigit()
            entries.append(token if digits else _entry(float(token)) or "")
        else:
            return None
    return entries if not inside[at:].strip(" \t\r\n,") else None
