"""The name that was probably meant."""

import difflib
from collections.abc import Iterable
from typing import Any

#: Letters that tell a name which was cut short: `sep`.
_SHORT = 3
#: How alike names are that may be meant, of 1 (see `difflib`). Those that are
#: less, as `nothere` and `three` at 0.67, must be a part of the other, or have
#: its letters.
_NEAR = 0.7


def nearest(received: Iterable[Any], known: Iterable[str]) -> str:
    """A sentence that asks for the names that were probably meant.

    Args:
      received: names that are not known.
      known: the names that are.

    Returns:
      The sentence, with a space before it; "" where no name is near.
    """
    by_small = {name.lower(): name for name in known}
    initials = {
        "".join(part[:1] for part in name.split("_")): name
        for name in by_small
        if "_" in name
    }
    found = []
    for name in map(str, received):
        small = initials.get(name.lower(), name.lower())
        close = difflib.get_close_matches(small, by_small, 1)
        close = [other for other in close if _is_near(small, other)]
        longer = [other for other in by_small if other.startswith(small)]
        if not close and len(small) >= _SHORT and len(longer) == 1:
            close = longer
        found += [by_small[other] for other in close]
    return f" Did you mean {', '.join(dict.fromkeys(found))}?" if found else ""


def _is_near(name: str, other: str) -> bool:
    if name in other or other in name or sorted(name) == sorted(other):
        return True
    return difflib.SequenceMatcher(None, name, other).ratio() >= _NEAR
