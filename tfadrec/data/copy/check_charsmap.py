"""The table of characters of a `Precompiled` normaliser, checked.

SentencePiece writes it (`precompiled_charsmap`): the bytes of a double array
trie, as a number; the trie, numbers of 32 bits; and texts that end with NUL,
one after the other. A key of the trie leads to the place of the text that
replaces it. The library that follows the trie reads wherever it points, and
panics where that is nowhere.

Reference: Yata et al., "A compact static double-array keeping character codes",
Information Processing & Management 43, 2007; units as of darts-clone.
"""

import base64
import binascii
from typing import Any

import numpy as np

#: Those that are known have some hundred kilobytes.
_MOST_BYTES = 1 << 23
#: Nodes whose children are looked for together.
_BLOCK = 4096
_LEAF, _WIDE = 1 << 8, 1 << 9
_LABEL, _VALUE = 1 << 31 | 0xFF, (1 << 31) - 1


def longest_replacement(table: Any) -> int:
    """How many characters the table makes of one, at most.

    Args:
      table: the bytes as base64.

    Raises:
      ValueError: where a key leads out of the trie, or to no text.
    """
    units, texts = _parts(table)
    ends = np.flatnonzero(texts == 0)
    places = _leaves(units)
    if np.any(places > len(texts)):
        raise ValueError("its table of characters leads to no text")
    # Of UTF-8, a byte within a character begins with the bits 10.
    inside = places[places < len(texts)]
    if np.any(texts[inside] & 0xC0 == 0x80):
        raise ValueError("its table of characters leads into a character")
    stops = np.append(ends, len(texts))[np.searchsorted(ends, inside)]
    # Characters begin at the other bytes.
    begun = np.append(0, np.cumsum(texts & 0xC0 != 0x80))
    return int((begun[stops] - begun[inside]).max(initial=0))


def _parts(table: Any) -> tuple[np.ndarray, np.ndarray]:
    """The units of the trie, int64 [n], and the bytes of the texts, uint8."""
    if not isinstance(table, str) or len(table) > _MOST_BYTES:
        raise ValueError("its table of characters is no text, or very long")
    try:
        data = base64.b64decode(table, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("its table of characters is no base64") from error
    size = int.from_bytes(data[:4], "little")
    if len(data) < 4 or size % 4 or not 0 < size <= len(data) - 4:
        raise ValueError("its table of characters has no trie")
    texts = data[4 + size :]
    try:
        texts.decode()
    except UnicodeDecodeError as error:
        raise ValueError("its table of characters is no UTF-8") from error
    units = np.frombuffer(data, "<u4", size // 4, 4).astype(np.int64)
    return units, np.frombuffer(texts, np.uint8)


def _leaves(units: np.ndarray) -> np.ndarray:
    """What the keys lead to, of every node that can be reached; int64 [m]."""
    labels = np.arange(1, 256)
    reached = np.zeros(len(units), bool)
    waiting = _offsets(units[:1])  # of the root, whose place is 0
    found = [np.zeros(0, np.int64)]
    while waiting.size:
        nodes, waiting = waiting[:_BLOCK], waiting[_BLOCK:]
        if np.any(nodes | 0xFF >= len(units)):
            raise ValueError("its table of characters leads out of its trie")
        places = nodes[:, np.newaxis] ^ labels
        fits = units[places] & _LABEL == labels
        children = units[places[fits]]
        inner = places[fits] ^ _offsets(children)
        is_leaf = children & _LEAF != 0
        leaves = inner[is_leaf]
        if np.any(leaves >= len(units)):
            raise ValueError("its table of characters leads out of its trie")
        found.append(units[leaves] & _VALUE)
        fresh = np.unique(inner)
        # What lies outside is told when its turn comes.
        known = fresh < len(units)
        known[known] = reached[fresh[known]]
        fresh = fresh[~known]
        reached[fresh[fresh < len(units)]] = True
        waiting = np.concatenate([waiting, fresh])
    return np.concatenate(found)


def _offsets(units: np.ndarray) -> np.ndarray:
    return (units >> 10) << ((units & _WIDE) >> 6)
