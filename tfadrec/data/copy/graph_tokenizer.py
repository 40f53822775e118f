"""A tokenizer of the `tokenizers` library, rebuilt of TensorFlow ops."""

import functools
import itertools
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tokenizers
from tokenizers import pre_tokenizers

from tfadrec.core.errors import InputError
from tfadrec.data.copy.graph_cleaner import GraphCleaner, stripped
from tfadrec.data.copy.tokenizer import Tokenizer
from tfadrec.ops import code_points
from tfadrec.ops.byte_pair import ALONE as OWN_PART
from tfadrec.ops.byte_pair import LETTER, NUMBER, OTHER, BytePair
from tfadrec.ops.byte_pair import SPACE as BLANK
from tfadrec.ops.word_piece import ALONE, SPACE, WORD, WordPiece


class GraphTokenizer(tf.Module):
    """Texts to token ids in the graph, as a `Tokenizer` makes them.

    For BERT's WordPiece and GPT-2's byte-level BPE, also with digits that stand
    alone, as SmolLM2 has it, in core TensorFlow ops, after the same cleaning.
    What a character is, is asked of the tokenizer itself, so its version of
    Unicode is the one that counts.

    Args:
      tokenizer: of one of the two kinds.

    Raises:
      InputError: where it is of another kind, or set in a way that is not
        rebuilt here.

    Call args:
      texts: string [n], UTF-8.

    Returns:
      A dict with `token_ids`, int32 [n, L], and `token_mask`, bool [n, L], True
      = real; L is the longest text's length, at most `max_tokens`.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        definition = json.loads(tokenizer.backend_definition)
        kind = definition["model"]["type"]
        self._split: WordPiece | BytePair
        if kind == "WordPiece":
            self._split = _word_piece(definition)
        elif kind == "BPE":
            self._split = _byte_pair(definition)
        else:
            raise _refusal(f"a model of type {kind}")
        self._clean = GraphCleaner(tokenizer.clean)
        self._before, self._after = tokenizer.framing_ids()
        special = len(self._before) + len(self._after)
        self._room = tokenizer.max_tokens - special
        self._pad_id = tokenizer.pad_id

    def __call__(self, texts: tf.Tensor) -> dict[str, tf.Tensor]:
        """See the class."""
        ids = self._split(self._clean(texts))[:, : self._room]
        rows = tf.shape(texts)[0]
        before, after = (
            tf.repeat(tf.constant([special], tf.int32), rows, axis=0)
            for special in (self._before, self._after)
        )
        ids = tf.concat([before, ids, after], axis=1)
        mask = tf.sequence_mask(ids.row_lengths())
        return {"token_ids": ids.to_tensor(self._pad_id), "token_mask": mask}


def ad_text_in_graph(
    titles: tf.Tensor, descriptions: tf.Tensor, tags: tf.Tensor
) -> tf.Tensor:
    """`ad_text` in the graph.

    Args:
      titles: string [n].
      descriptions: string [n].
      tags: string [n], those of an ad joined by ", ".

    Returns:
      string [n].
    """
    text = tf.zeros(tf.shape(titles), tf.string)
    for part in (titles, descriptions, tags):
        part = stripped(part)
        both = tf.strings.join([text, part], ". ")
        text = tf.where(text == "", part, tf.where(part == "", text, both))
    return text


def _word_piece(definition: Mapping[str, Any]) -> WordPiece:
    model = definition["model"]
    _require(definition, normalizer="BertNormalizer")
    _require(definition, pre_tokenizer="BertPreTokenizer")
    normalized, kinds = _bert_characters(
        json.dumps(definition["normalizer"], sort_keys=True)
    )
    return WordPiece(
        normalized,
        kinds,
        model["vocab"],
        prefix=model["continuing_subword_prefix"],
        unknown=model["vocab"][model["unk_token"]],
        max_chars=model["max_input_chars_per_word"],
        whole=_whole(definition),
    )


def _byte_pair(definition: Mapping[str, Any]) -> BytePair:
    model = definition["model"]
    _require(definition, normalizer=None)
    before, byte_level = _before_byte_level(definition["pre_tokenizer"])
    settings = {**model, **byte_level}
    for setting in (
        "dropout",
        "continuing_subword_prefix",
        "end_of_word_suffix",
        "byte_fallback",
        "ignore_merges",
        "add_prefix_space",
    ):
        if settings.get(setting):
            raise _refusal(f"{setting}={settings[setting]!r}")
    if not settings.get("use_regex", True):
        raise _refusal("use_regex=False")
    vocabulary, letters = model["vocab"], _byte_letters()
    missing = [letter for letter in letters if letter not in vocabulary]
    if missing and model.get("unk_token") is not None:
        raise _refusal(
            f"a vocabulary without {len(missing)} of the 256 bytes, and an "
            "unknown token for them"
        )
    pairs = [
        pair.split(" ") if isinstance(pair, str) else pair
        for pair in model["merges"]
    ]
    return BytePair(
        _gpt2_characters(digits_alone=bool(before)),
        [vocabulary.get(letter, -1) for letter in letters],
        {
            (vocabulary[left], vocabulary[right]): vocabulary[left + right]
            for left, right in pairs
        },
        whole=_whole(definition),
    )


def _before_byte_level(
    pre_tokenizer: Mapping[str, Any] | None,
) -> tuple[list[Mapping[str, Any]], Mapping[str, Any]]:
    """The steps that part a text before GPT-2's does, and that one.

    There may be one, which lets each digit stand alone.
    """
    told = pre_tokenizer or {}
    is_several = told.get("type") == "Sequence" and told["pretokenizers"]
    *before, last = told["pretokenizers"] if is_several else [told]
    digits = {"type": "Digits", "individual_digits": True}
    if before not in ([], [digits]):
        raise _refusal(f"a pre_tokenizer that begins with {str(before)[:99]}")
    if last.get("type") != "ByteLevel":
        raise _refusal(f"a pre_tokenizer of type {last.get('type')}")
    return before, last


def _require(definition, **parts) -> None:
    for part, expected in parts.items():
        found = (definition[part] or {}).get("type")
        if found != expected:
            raise _refusal(f"a {part} of type {found}")


def _refusal(received: str) -> InputError:
    return InputError(
        "a tokenizer in the graph is BERT's WordPiece or GPT-2's byte-level "
        f"BPE. Received: {received}. Send token ids instead."
    )


def _whole(definition) -> dict[str, int]:
    """Tokens that are found in a text before it is read otherwise."""
    added = definition["added_tokens"]
    for token in added:
        if (
            token["lstrip"]
            or token["rstrip"]
            or token["single_word"]
            or (token["normalized"] and definition["normalizer"] is not None)
        ):
            raise _refusal(f"the added token {token['content']!r} with options")
    texts = [token["content"] for token in added]
    for one in texts:
        for other in texts:
            starts = range(1 if one == other else 0, len(one))
            if any(
                one[n:].startswith(other) or other.startswith(one[n:])
                for n in starts
            ):
                raise _refusal(f"added tokens {one!r}, {other!r} that overlap")
    return {token["content"]: token["id"] for token in added}


@functools.cache
def _bert_characters(normalizer: str) -> tuple[dict[int, str], np.ndarray]:
    """What code points become, and what each is to its neighbours."""
    # The library reads a normalizer's JSON as part of a whole tokenizer.
    shell = json.loads(tokenizers.Tokenizer(tokenizers.models.BPE()).to_str())
    shell["normalizer"] = json.loads(normalizer)
    made = tokenizers.Tokenizer.from_str(json.dumps(shell)).normalizer
    become = ((p, made.normalize_str(chr(p))) for p in _assigned())
    normalized = {point: text for point, text in become if text != chr(point)}
    between = "".join(f"a{chr(point)}" for point in _assigned()) + "a"
    pieces = pre_tokenizers.BertPreTokenizer().pre_tokenize_str(between)
    found = np.full([len(between)], SPACE)
    for _, (start, end) in pieces:
        found[start:end] = ALONE if end - start == 1 else WORD
    kinds = np.full([code_points.LIMIT], WORD)
    kinds[_assigned()] = found[1::2]
    return normalized, kinds


@functools.cache
def _gpt2_characters(*, digits_alone: bool) -> np.ndarray:
    """What each code point is to its neighbours."""
    points = np.array(_assigned())
    text = "".join(map(chr, points))
    kinds = np.full([code_points.LIMIT], OTHER)
    for pattern, kind in (
        (r"\p{L}+", LETTER),
        (r"\p{N}+", NUMBER),
        (r"\s+", BLANK),
    ):
        is_left = np.zeros([len(points)], bool)
        split = pre_tokenizers.Split(tokenizers.Regex(pattern), "removed")
        for _, (start, end) in split.pre_tokenize_str(text):
            is_left[start:end] = True
        kinds[points[~is_left]] = kind
    if digits_alone:
        # Its numbers are not quite those of the expression.
        between = "".join(f"a{char}" for char in text) + "a"
        parted = pre_tokenizers.Digits(individual_digits=True)
        starts = [s for _, (s, _) in parted.pre_tokenize_str(between)]
        is_start = np.zeros([len(between)], bool)
        is_start[starts] = True
        kinds[points[is_start[1::2]]] = OWN_PART
    return kinds


@functools.cache
def _assigned() -> list[int]:
    """The code points of planes that have characters; no surrogates."""
    return [
        point
        for planes in (range(0x40000), range(0xE0000, code_points.LIMIT))
        for point in planes
        if not 0xD800 <= point < 0xE000
    ]


def _byte_letters() -> list[str]:
    """The letters that stand for the 256 bytes in a vocabulary.

    Those that print stand for themselves, the others for 256, 257, ...
    """
    printing = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = itertools.count(256)
    return [
        chr(byte if byte in printing else next(others)) for byte in range(256)
    ]
