"""Cleaning of ad copy, step by step, before it is read."""

import html.parser
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from tfadrec.core.errors import InputError

#: Function words of English. Those that deny, as `not`, are kept.
_STOP_WORDS = """
a about after all also am an and any are as at be because been before being
between both but by can could did do does doing during each few for from further
had has have having he her here hers him his how i if in into is it its just me
more most my of off on once only or other our out over own same she should so
some such than that the their them then there these they this those through to
too under until up very was we were what when where which while who whom why
will with would you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
_WORD = re.compile(r"[\w'\u2019]+")


class _Text(html.parser.HTMLParser):
    """Collects what a page shows."""

    _HIDDEN = ("script", "style")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag, attrs):
        self._hidden += tag in self._HIDDEN
        self.parts.append(" ")

    def handle_endtag(self, tag):
        self._hidden -= tag in self._HIDDEN and self._hidden > 0
        self.parts.append(" ")

    def handle_data(self, data):
        if not self._hidden:
            self.parts.append(data)


def _without_html(text: str) -> str:
    parser = _Text()
    parser.feed(text)
    parser.close()
    return "".join(parser.parts)


def _without_stop_words(text: str) -> str:
    return _WORD.sub(
        lambda word: "" if word[0].lower() in STOP_WORDS else word[0], text
    )


Step: TypeAlias = Literal["html", "unicode", "stop_words", "space"]
STEPS: Mapping[Step, Callable[[str], str]] = {
    "html": _without_html,
    "unicode": lambda text: unicodedata.normalize("NFKC", text),
    "stop_words": _without_stop_words,
    "space": lambda text: " ".join(text.split()),
}


def clean_text(text: str, steps: Sequence[Step]) -> str:
    """A text after some steps of cleaning.

    Args:
      text: any.
      steps: in the order in which they are taken, of `html` (tags, scripts and
        styles are left out, character references read), `unicode`
        (compatibility characters to their plain forms, NFKC), `stop_words`
        (English function words are left out) and `space` (runs of white space
        to one space, none at the ends).

    Raises:
      InputError: where a step is unknown.

    Example:
      clean_text("<b>Trail&nbsp;shoes</b>  for the rain", ["html", "space"])
      # 'Trail shoes for the rain'
    """
    for step in require_steps(steps):
        text = STEPS[step](text)
    return text


def require_steps(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps, where all are known.

    Raises:
      InputError: where one is not.
    """
    if isinstance(steps, str) or not set(steps) <= set(STEPS):
        raise InputError(
            f"Text is cleaned by a list of steps of {', '.join(STEPS)}. "
            f"Received: {steps!r}. Correct the list."
        )
    return tuple(steps)
