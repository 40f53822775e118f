"""What is refused of a tokenizer's definition before any text is given to it.

The `tokenizers` library ends the process, or never returns, for some of those
that it reads without a word. What is known of that kind is told by the JSON.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from tfadrec.data.copy.check_charsmap import longest_replacement
from tfadrec.data.copy.check_expression import check_expression

#: Characters that a normaliser may make of one. Known tokenizers double some.
_MOST_GROWTH = 64
_MOST_PARTS = 100
#: What stands in a normaliser in place of other text is a few characters.
_MOST_CONTENT = 256
#: A vocabulary has a row of the embedding table for each id.
_MOST_ID = 1 << 24
#: Characters of a word, each beginning of which WordPiece looks for.
_MOST_WORD = 1000


def check_tokenizer(told: Any) -> None:
    """Refuses a definition that could end the process, or hang it.

    Args:
      told: the content of a tokenizer.json.

    Raises:
      ValueError: with what is wrong.
    """
    if not isinstance(told, Mapping):
        raise ValueError("it is no JSON object")
    ids = _check_vocabulary(told)
    _check_word_pieces(told["model"])
    for name, what in (
        ("normalizer", "its normaliser makes"),
        ("pre_tokenizer", "its pre-tokenizer makes"),
    ):
        parts = list(_parts(told.get(name)))
        if len(parts) > _MOST_PARTS:
            raise ValueError(f"its {name} has {len(parts):,} steps")
        for part in parts:
            _check_texts(part)
        growth = math.prod(map(_growth, parts))
        if growth > _MOST_GROWTH:
            raise ValueError(f"{what} up to {growth:,.0f} characters of one")
    for name in ("normalizer", "pre_tokenizer", "post_processor"):
        for part in _parts(told.get(name)):
            pattern = part.get("pattern")
            if isinstance(pattern, Mapping) and "Regex" in pattern:
                check_expression(pattern["Regex"])
    for part in _parts(told.get("post_processor")):
        _check_template(part, ids)


def _parts(part: Any) -> Iterator[Mapping[str, Any]]:
    """A step, and the steps that it consists of."""
    waiting = [part]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, Mapping):
            continue
        yield part
        for inner in ("normalizers", "pretokenizers", "processors"):
            steps = part.get(inner)
            waiting += steps if isinstance(steps, list) else []


def _check_vocabulary(told: Mapping[str, Any]) -> set[int]:
    """The ids of all tokens, among them the unknown one."""
    model = told.get("model")
    if not isinstance(model, Mapping):
        raise ValueError("it has no model")
    words = model.get("vocab")
    unknown = model.get("unk_token")
    if isinstance(words, list):  # of Unigram: pairs of a token and its score
        ids = set(range(len(words)))
        place = model.get("unk_id")
        if place is not None and place not in ids:
            raise ValueError(f"its vocabulary has no unknown token {place!r}")
    elif isinstance(words, Mapping):
        ids = set(words.values())
        needs = model.get("type") in ("WordPiece", "WordLevel")
        if (needs or unknown is not None) and unknown not in words:
            raise ValueError(f"its vocabulary has no unknown token {unknown!r}")
    else:
        raise ValueError("it has no vocabulary")
    added = told.get("added_tokens") or []
    for token in added:
        if not isinstance(token, Mapping) or not token.get("content"):
            raise ValueError("an added token is empty")
        ids.add(token.get("id"))  # type: ignore[arg-type]
    wrong = [i for i in ids if type(i) is not int or not 0 <= i < _MOST_ID]
    if wrong:
        raise ValueError(f"it has a token of the id {wrong[0]!r}")
    return ids


def _check_word_pieces(model: Mapping[str, Any]) -> None:
    """Refuses words of any length, which take more than their square."""
    most = model.get("max_input_chars_per_word", 0)
    if type(most) is not int or not 0 <= most <= _MOST_WORD:
        raise ValueError(f"its words may have {str(most)[:50]} characters")


def _check_texts(part: Mapping[str, Any]) -> None:
    """Refuses long texts that a step of the normaliser puts in."""
    for name in ("content", "prepend"):
        content = part.get(name, "")
        if not isinstance(content, str) or len(content) > _MOST_CONTENT:
            raise ValueError("its normaliser puts in a very long text")


def _growth(part: Mapping[str, Any]) -> float:
    """How many characters a step makes of one, at most."""
    if part.get("type") == "Precompiled":
        return max(1, longest_replacement(part.get("precompiled_charsmap")))
    if part.get("type") == "ByteLevel":
        return 4  # one of each byte
    if part.get("type") != "Replace":
        return 1
    content, pattern = len(part.get("content", "")), part.get("pattern")
    text = pattern.get("String") if isinstance(pattern, Mapping) else None
    if isinstance(text, str) and text:
        return max(1, content / len(text))
    return 1 + content  # it may be put between any two characters


def _check_template(part: Mapping[str, Any], ids: set[int]) -> None:
    """Refuses special tokens that do not exist."""
    known = part.get("special_tokens")
    if part.get("type") == "TemplateProcessing":
        if not isinstance(known, Mapping):
            raise ValueError("its template has no list of special tokens")
        for pieces in (part.get("single"), part.get("pair")):
            for piece in pieces if isinstance(pieces, list) else []:
                token = piece.get("SpecialToken")
                if token is not None and token.get("id") not in known:
                    raise ValueError(
                        f"its template names {token.get('id')!r}, which is no "
                        "special token"
                    )
        for name, token in known.items():
            if not set(token["ids"]) <= ids:
                raise ValueError(f"its template's {name!r} is no token")
    for name in ("sep", "cls"):
        if name in part and part[name][1] not in ids:
            raise ValueError(f"its {name} token is no token")
