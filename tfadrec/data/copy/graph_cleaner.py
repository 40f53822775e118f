"""The cleaning of ad copy, rebuilt of TensorFlow ops."""

import functools
import html
import itertools
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from html.entities import html5

import numpy as np
import tensorflow as tf

from tfadrec.data.copy.clean_text import (
    MARKUP,
    STOP_WORDS,
    WORD_CHARACTER,
    Step,
    require_steps,
)
from tfadrec.ops import code_points
from tfadrec.ops.character_references import NOTHING, CharacterReferences
from tfadrec.ops.composition import Composition
from tfadrec.ops.left_out_words import LeftOutWords

# What `str.strip` takes off.
_BLANKS = (
    r"[\t-\r\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}"
    r"\x{202f}\x{205f}\x{3000}]+"
)
_ENDS = f"^{_BLANKS}|{_BLANKS}$"
_BEYOND = 0xFFFD


class GraphCleaner(tf.Module):
    """Texts after some steps of cleaning, in the graph, as from `clean_text`.

    What a character is, is asked of Python, so its version of Unicode is the
    one that counts. Bytes that are no UTF-8 are read as U+FFFD, where there is
    a step.

    Args:
      steps: as in `clean_text`.

    Raises:
      InputError: where a step is unknown.

    Call args:
      texts: string [n], UTF-8.

    Returns:
      string [n], UTF-8.
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        super().__init__()
        self._steps = tuple(_STEPS[step]() for step in require_steps(steps))

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        """See the class."""
        if self._steps:
            texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
        for step in self._steps:
            texts = step(texts)
        return texts


class _WithoutHTML(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self._references = CharacterReferences(html5, _numbers(), _BEYOND)

    def __call__(self, texts):
        for found, instead in MARKUP:
            texts = tf.strings.regex_replace(texts, found, instead)
        return self._references(texts)


def stripped(texts: tf.Tensor) -> tf.Tensor:
    """`str.strip` in the graph: string [...] to string [...]."""
    return tf.strings.regex_replace(texts, _ENDS, "")


def _spaced(texts):
    return tf.strings.regex_replace(stripped(texts), _BLANKS, " ")


@functools.cache
def _numbers() -> np.ndarray:
    """The code point that each number stands for in a reference."""
    numbers = np.arange(code_points.LIMIT)
    # Beyond the first plane, the last two of each are no characters.
    ends = (
        plane + last
        for plane in range(0, code_points.LIMIT, 0x10000)
        for last in (0xFFFE, 0xFFFF)
    )
    for number in itertools.chain(range(0x10000), ends):
        char = html.unescape(f"&#{number};")
        numbers[number] = ord(char) if char else NOTHING
    return numbers


@functools.cache
def _compatibility() -> tuple[
    dict[int, str], np.ndarray, dict[tuple[int, int], int]
]:
    """What `Composition` is told for NFKC."""
    decompositions: dict[int, str] = {}
    composites: dict[tuple[int, int], int] = {}
    classes = np.zeros([code_points.LIMIT], np.int64)
    for point, char in enumerate(map(chr, range(code_points.LIMIT))):
        classes[point] = unicodedata.combining(char)
        text = unicodedata.normalize("NFKD", char)
        if text == char:
            continue
        decompositions[point] = text
        if unicodedata.normalize("NFC", char) == char:
            parts = unicodedata.normalize("NFD", char)
            first = unicodedata.normalize("NFC", parts[:-1])
            if len(first) == 1:
                composites[ord(first), ord(parts[-1])] = point
    return decompositions, classes, composites


@functools.cache
def _lower() -> np.ndarray:
    """The lower case of characters of words, and -1 of other characters."""
    lower = np.full([code_points.LIMIT], -1)
    every = "".join(map(chr, range(code_points.LIMIT)))
    for match in re.finditer(WORD_CHARACTER, every):
        char = match[0].lower()
        # What becomes several characters is in no word that is looked for.
        lower[match.start()] = ord(char if len(char) == 1 else match[0])
    return lower


_STEPS: Mapping[Step, Callable[[], Callable[[tf.Tensor], tf.Tensor]]] = {
    "html": _WithoutHTML,
    "unicode": lambda: Composition(*_compatibility()),
    "stop_words": lambda: LeftOutWords(STOP_WORDS, _lower()),
    "space": lambda: _spaced,
}
