"""Cleaning of ad copy, step by step, before it is read."""

import html
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
WORD_CHARACTER = r"[\w'\u2019]"
_WORD = re.compile(f"{WORD_CHARACTER}+")

# The markup of HTML, in what Python's expressions and RE2's have in common.
# Outside quotes a `<` ends every search, so none is long.
_BLANK = "[\t\n\f\r ]"
_ANY = "(?s:.)*"
_VALUE = f"""=+{_BLANK}*(?:"[^"]*"|'[^']*'|[^<>"'=\t\n\f\r ])"""
_ATTRIBUTES = f"(?:[^<>=]|{_VALUE})*(?:=+{_BLANK}*)?"
_TAG = (
    # With quotes that are closed, or else up to the next `>`.
    f"<[a-zA-Z]{_ATTRIBUTES}>|<[a-zA-Z][^<>]*>|</[^<>]*>"
)


def _hidden(name: str) -> str:
    """An element of which nothing is shown, up to the end if not closed."""
    name = "".join(f"[{char}{char.upper()}]" for char in name)
    start = f"<{name}(?:[\t\n\f\r /]{_ATTRIBUTES})?>"
    end = f"</{name}(?:[\t\n\f\r /][^<>]*)?>"
    # One that closes itself has nothing to hide.
    itself = f"<{name}(?:{_BLANK}{_ATTRIBUTES})?/>"
    return f"{itself}|{start}{_ANY}?{end}|{start}{_ANY}"


_SHOWN_AS_SPACE = f"{_hidden('script')}|{_hidden('style')}|{_TAG}"
#: Patterns and what stands in place of what they find, one after the other:
#: comments, declarations and instructions go, a tag becomes a space.
MARKUP = (
    (
        f"({_SHOWN_AS_SPACE})|<!--{_ANY}?-->|<!--{_ANY}|<[!?][^<>]*>",
        r"\1",
    ),
    (_SHOWN_AS_SPACE, " "),
)
_MARKUP = tuple((re.compile(found), instead) for found, instead in MARKUP)
# Zeros before a number, and digits beyond those that make it too large.
_LONG_NUMBER = re.compile("&#0*([0-9]{1,8})[0-9]*")


def _without_html(text: str) -> str:
    for found, instead in _MARKUP:
        text = found.sub(instead, text)
    return html.unescape(_LONG_NUMBER.sub(r"&#\1", text))


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
