"""The one reader of YAML files, which bounds what a file may ask for.

YAML lets a few lines stand for more values than any memory holds (aliases of
aliases), and its constructors raise whatever they like. Here a file is looked
at event by event before anything is made of it, and every fault is one line.
"""

import pathlib
import re
import stat
from typing import Any

import yaml

from tfadrec.core.errors import InputError

#: Far above any configuration; a file at each bound is read in a second.
MOST_BYTES = 1 << 20
MOST_DEPTH = 50
MOST_VALUES = 100_000
_INT64 = range(-(2**63), 2**63)
_SHOWN = 100
#: What PyYAML's constructors raise for a value that is not what its tag says.
_WRONG_VALUE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):
    """YAML where 1e-3 is a number, as one expects, and not a text."""

    def construct_object(self, node, deep=False):
        try:
            value = super().construct_object(node, deep)
        except yaml.YAMLError:
            raise
        except _WRONG_VALUE as error:
            raise _fault(node, "a value that can be read") from error
        if type(value) is int and value not in _INT64:
            raise _fault(node, "integers of at most 64 bits")
        if type(value) is str and not _is_unicode(value):
            raise _fault(node, "text without halves of characters")
        return value


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


class _Fault(yaml.YAMLError):
    """A rule of ours that a file breaks."""


def read_yaml(
    text: str | bytes,
    rule: str = "a config must be YAML",
    name: str | None = None,
) -> Any:
    """What a YAML text holds, with bounds on its size, depth and values.

    A key may stand once in its mapping, integers fit in 64 bits, and an alias
    counts as much as what it stands for.

    Args:
      text: the text, UTF-8 where it is bytes.
      rule: how a message begins.
      name: the file that the text comes from.

    Returns:
      Dicts, lists, texts, numbers, Booleans, dates or None.

    Raises:
      InputError: where it is no YAML, or breaks one of these rules.
    """
    try:
        data = text if isinstance(text, bytes) else text.encode()
        if len(data) > MOST_BYTES:
            raise _Fault(f"more than {MOST_BYTES:,} bytes")
        plain = data.decode("utf-8-sig")
        _check_events(plain)
        loader = _Loader(plain)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _refuse_repeated(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except (yaml.YAMLError, UnicodeError) as error:
        what = " ".join(str(error).split())
        received = what if name is None else f"{name} ({what})"
        raise InputError(
            f"{rule}. Received: {received}. Correct the file."
        ) from error


def yaml_bytes(path: str | pathlib.Path) -> bytes:
    """The bytes of a YAML file, of which a too long one is read in part.

    Raises:
      OSError: where it cannot be read, or is a folder, a pipe or a device.
    """
    file = pathlib.Path(path)
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError("it is no regular file")
    with file.open("rb") as stream:
        return stream.read(MOST_BYTES + 1)


def _check_events(text: str) -> None:
    """Bounds what the values would be, before there are any."""
    # Anchor -> how many values it stands for; None while it is being read.
    sizes: dict[str, int | None] = {}
    # Of each collection that is open: its anchor, and its size so far.
    open_ones: list[tuple[str | None, int]] = []

    def add(size: int, event: yaml.Event) -> None:
        if open_ones:
            anchor, before = open_ones[-1]
            size += before
            open_ones[-1] = (anchor, size)
        if size > MOST_VALUES:
            raise _bound(event, f"at most {MOST_VALUES:,} values")

    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            size = sizes.get(event.anchor, 0)
            if size is None:
                raise _bound(event, "no alias of what it stands in")
            add(size, event)
        elif isinstance(event, yaml.ScalarEvent):
            if event.anchor:
                sizes[event.anchor] = 1
            add(1, event)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(open_ones) == MOST_DEPTH:
                raise _bound(event, f"at most {MOST_DEPTH} levels")
            if event.anchor:
                sizes[event.anchor] = None
            open_ones.append((event.anchor, 1))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_ones.pop()
            if anchor:
                sizes[anchor] = size
            add(size, event)


def _refuse_repeated(root: yaml.Node) -> None:
    """Refuses a mapping in which a key stands twice."""
    waiting, seen = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        inner = []
        if isinstance(node, yaml.MappingNode):
            lines: dict[tuple[str, str], int] = {}
            for key, value in node.value:
                inner += [key, value]
                if not isinstance(key, yaml.ScalarNode):
                    continue
                line = key.start_mark.line + 1
                name = key.tag, key.value
                if name in lines:
                    raise _Fault(
                        f"the key {_short(key.value)} twice, in line "
                        f"{lines[name]} and in line {line}"
                    )
                lines[name] = line
        elif isinstance(node, yaml.SequenceNode):
            inner = node.value
        waiting += [child for child in inner if id(child) not in seen]
        seen |= {id(child) for child in inner}


def _bound(event: yaml.Event, rule: str) -> _Fault:
    line = event.start_mark.line + 1
    return _Fault(f"line {line}, where {rule} are allowed")


def _fault(node: yaml.Node, rule: str) -> _Fault:
    value = node.value if isinstance(node, yaml.ScalarNode) else node.tag
    line = node.start_mark.line + 1
    return _Fault(f"{_short(value)} in line {line}, instead of {rule}")


def _short(value: str) -> str:
    """A value to show, however long it is."""
    shown = ascii(value) if not _is_unicode(value) else repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
