"""Lists and maps that JSON, Python or NumPy wrote into a cell of text."""

import ast
import json
import re
import warnings
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

# A quoted text, or anything else up to a space or a comma.
_TOKEN = re.compile(
    r"""[\s,]*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s,'"\[\]{}()]+)""",
    re.DOTALL,
)
# A text in the quotes of databases, or words without any, up to a comma.
_WORDS_TOKEN = re.compile(
    r"""\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,'"\\\[\]{}()][^,"\\\[\]{}()]*))\s*""",
    re.DOTALL,
)
# What NumPy and Python write around a list: array([1, 2], dtype=int32).
_WRAPPED = re.compile(
    r"[A-Za-z_]+\(\s*([\[({].*[\])}])\s*(?:,\s*dtype=[^,()\[\]{}]*)?\)",
    re.DOTALL,
)
_EMPTY = ("set()", "frozenset()")
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
#: Between these, Python and Arrow spell a float alike: 1e-07 is 1e-7 there.
_LEAST, _MOST = 1e-4, 1e10
_PAIRS = {"[": "]", "(": ")", "{": "}"}

#: What a text must look like to be tried at all, as a pattern of Arrow's.
LOOKS_LIKE_A_LIST = r"^\s*(?:[A-Za-z_]+\()?[\[({](?s:.*)[\])}]\s*$|set\(\)$"


def read_entries(text: str, *, maps: bool = False) -> list[str] | None:
    """The entries of a list, or with `maps` of a map, or None for neither.

    See `read_list` and `read_map`. What is written around a list, as in
    `array([1, 2])`, `frozenset({1, 2})` and `set()`, is left out.

    Args:
      text: begins and ends with brackets.
      maps: whether text in braces is a map first; else a map is one entry.
    """
    text = text.strip()
    if text in _EMPTY:
        return []
    wrapped = _WRAPPED.fullmatch(text)
    text = wrapped[1] if wrapped else text
    found = read_map(text) if maps and text[0] == "{" else None
    if found is None:
        found = read_list(text)
    if found is None and read_map(text) is not None:
        found = [text]
    return found


def is_map(text: str) -> bool:
    """Whether a text is a map with entries, see `read_map`."""
    wrapped = _WRAPPED.fullmatch(text.strip())
    return bool(read_map(wrapped[1] if wrapped else text))


def read_list(text: str) -> list[str] | None:
    """The entries of a list, or None where the text is no list.

    `["a", "b"]`, `['a', 'b']`, `[2122, 243]`, `[0.1 0.2]` are lists, `(1, 2)`
    and `('a',)` as well, and `{1, 2}`; so are words without quotes, `[a, b]`
    and `{a,"b c",NULL}`, as databases write arrays. Entries may be texts,
    numbers, Boolean values and missing ones, which are empty. Lists and maps
    in a list are entries as JSON writes them.

    Args:
      text: begins and ends with brackets.
    """
    text = text.strip()
    opening, inside = text[0], text[1:-1]
    if _PAIRS.get(opening) != text[-1]:
        return None
    if opening == "(" and inside.strip() and "," not in inside:
        return None  # a remark, and no tuple
    if opening == "[":
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            pass
        else:
            return _entries(values)
    found = _written_by_python(inside)
    if found is None and opening != "(":
        found = _words(inside)
    if found is None:
        values = _value(text)
        if isinstance(values, list | tuple):
            found = _entries(values)
    return found


def read_map(text: str) -> list[str] | None:
    """The entries `key:value` of a map, or None where the text is no map.

    `{"a": 1, "b": 0.5}` and `{'a': 1, 2122: None}` are maps; keys and values
    may be what the entries of lists are. A value that is a list or a map, or
    has a colon, is no number in any case, and is empty.

    Args:
      text: begins and ends with braces.
    """
    values = _value(text)
    if not isinstance(values, dict):
        return None
    pairs = [
        (_entry(key) or "", _entry(value) or "")
        for key, value in values.items()
    ]
    return [f"{key}:{'' if ':' in value else value}" for key, value in pairs]


def _value(text: str) -> Any:
    """What JSON or Python wrote, or None."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return _literal(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


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
        if value.is_integer():
            return str(int(value))
        if _LEAST <= abs(value) < _MOST:
            return repr(value)
        return pa.scalar(value).cast(pa.string()).as_py()
    return str(value) if isinstance(value, int) else None


def _entries(values: Sequence[Any]) -> list[str] | None:
    """Values as texts, lists and objects as JSON writes them.

    None where it cannot write one of them.
    """
    entries = []
    for value in values:
        text = _entry(value)
        if text is None:
            try:
                written = json.dumps(value, ensure_ascii=False, default=str)
            except (TypeError, ValueError, RecursionError):
                return None
            text = _entry(written) or ""
        entries.append(text)
    return entries


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


def _words(inside: str) -> list[str] | None:
    """Texts in double quotes or in none, between commas."""
    entries, at = [], 0
    while found := _WORDS_TOKEN.match(inside, at):
        quoted, word = found.groups()
        if quoted is not None:
            entries.append(re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL))
        else:
            word = word.strip()
            entries.append("" if word == "NULL" else _WORDS.get(word, word))
        at = found.end()
        if at == len(inside):
            return entries
        if inside[at] != ",":
            return None
        at += 1
    return None
