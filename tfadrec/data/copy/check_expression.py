"""What is refused of a tokenizer's regular expressions.

The library tries the ways to match an expression one after another, from every
character of a text. How many there are before a part can fail is told by the
expression: a choice multiplies them by its branches, and a repetition by how
often it may stop.
"""

import dataclasses
import re
from typing import Any

#: What a repetition without an end counts for. One makes the square of a text's
#: length of all searches that fail, and a second one its cube.
_OPEN = 1000
#: Ways that may be tried from one character. Known tokenizers have 4,000.
_MOST_WAYS = 10_000
_MOST_REPEATS = 1000
#: Of an expression, each branch of which is tried from every character.
_MOST_CHARACTERS = 4096
# With `x`, which is not among the flags, a comment could hide a part.
_FLAGS = r"\(\?[ims-]*"
_START = re.compile(rf"{_FLAGS}\)")
_OPENS = re.compile(rf"\((?!\?)|{_FLAGS}:|\(\?(?:[=!>]|<[=!]|<\w+>)")
#: A class may hold others, which hold no further ones.
_INNER = r"\[(?:\\.|[^\[\]\\])+\]"
_ATOM = re.compile(
    rf"\\[pPx]\{{[^}}]*\}}|\\.|\[(?:\\.|{_INNER}|[^\[\]\\])+\]|[^\\\[()|*+?]",
    re.DOTALL,
)
_REPEATS = re.compile(r"([*+?])[?+]?|\{(?=,?[0-9])([0-9]*)(,?)([0-9]*)\}\??")
_REFERS = re.compile(r"\\(?:[1-9]|k|g)")


@dataclasses.dataclass
class _Group:
    """An open group, up to some place in its last branch.

    Args:
      ways: of the branch, to match up to there.
      others: of the branches before.
      tried: the ways that may be tried until all parts have failed.
    """

    ways: int = 1
    others: int = 0
    tried: int = 0

    def add(self, part: "_Group", least: int, stops: int) -> None:
        """Goes on with a part.

        Args:
          part: what it consists of, whole.
          least: how often it must match at least.
          stops: after how many of its repetitions it may stop.
        """
        before = self.ways if least else 1
        self.tried += before * part.tried
        self.ways *= part.others + part.ways + stops - 1
        # What is too many stays so, and numbers stay short.
        self.ways = min(self.ways, _MOST_WAYS + 1)

    def choose(self) -> None:
        """Begins the next branch."""
        self.others += self.ways
        self.ways = 1


def check_expression(expression: Any) -> None:
    """Refuses an expression by which a text may take for ever.

    Args:
      expression: in the syntax of Oniguruma.

    Raises:
      ValueError: with what is wrong.
    """
    if not isinstance(expression, str):
        raise ValueError("a regular expression of it is no text")
    if len(expression) > _MOST_CHARACTERS:
        raise ValueError(
            f"a regular expression of it has {len(expression):,} characters"
        )
    shown = f"the regular expression {expression[:60]!r}"
    groups = [_Group()]
    start = _START.match(expression)
    place = start.end() if start else 0
    while place < len(expression):
        if opened := _OPENS.match(expression, place):
            groups.append(_Group())
            place = opened.end()
        elif expression[place] == "|":
            groups[-1].choose()
            place += 1
        else:
            if expression[place] == ")":
                if len(groups) == 1:
                    raise ValueError(f"{shown} closes what is not open")
                part, place = groups.pop(), place + 1
            elif atom := _ATOM.match(expression, place):
                if _REFERS.match(atom.group()):
                    raise ValueError(f"{shown} refers to what it has matched")
                part, place = _Group(tried=1), atom.end()
            else:
                rest = expression[place : place + 20]
                raise ValueError(f"{shown} is not understood from {rest!r} on")
            least, most, place = _repetition(expression, place)
            if not least <= (most or least) <= _MOST_REPEATS:
                raise ValueError(f"{shown} repeats too often")
            if most != 1 and part.others + part.ways > 1:
                raise ValueError(f"{shown} repeats a choice or a repetition")
            stops = _OPEN if most is None else most - least + 1
            groups[-1].add(part, least, stops)
    if len(groups) > 1:
        raise ValueError(f"{shown} does not close what it opens")
    if groups[0].tried > _MOST_WAYS:
        raise ValueError(f"{shown} tries too many ways to match")


def _repetition(expression: str, place: int) -> tuple[int, int | None, int]:
    """How often a part is there, at least and at most, and where that ends."""
    told = _REPEATS.match(expression, place)
    if told is None:
        return 1, 1, place
    sign, low, comma, high = told.groups()
    if sign:
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[sign]
    else:
        least, most = int(low or 0), int(high) if high else None
        most = most if comma else least
    return least, most, told.end()
