"""The ad copy as text, and the text as token ids."""

import contextlib
import functools
import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfadrec.core import pretrained
from tfadrec.core.errors import InputError
from tfadrec.core.model_files import require_whole
from tfadrec.core.muted import muted
from tfadrec.core.read_json import read_json
from tfadrec.data.copy.check_tokenizer import check_tokenizer
from tfadrec.data.copy.clean_text import Step, clean_text, require_steps

if TYPE_CHECKING:
    import tokenizers

    from tfadrec.data.catalogue import Catalogue


#: A vocabulary of a million tokens.
_MOST_BYTES = 1 << 27
#: Settings by which a tokenizer would be read from other files.
_FILES = ("vocab_file", "merges_file", "tokenizer_file", "spm_file")


def ad_text(title: str, description: str, tags: Sequence[str]) -> str:
    """The text that a language model reads of an ad.

    Title, description and tags, the tags joined by ", ", the parts by ". ";
    empty parts are left out, and spaces at the ends of each.

    Example:
      ad_text("Trail shoes", "", ["shoes", "sale"])
      # 'Trail shoes. shoes, sale'
    """
    known = ", ".join(tag.strip() for tag in tags if tag.strip())
    parts = (title.strip(), description.strip(), known)
    return ". ".join(part for part in parts if part)


def ad_texts(catalogue: "Catalogue") -> list[str]:
    """The `ad_text` of each ad of a catalogue."""
    return list(_each_text(catalogue))


def has_copy(catalogue: "Catalogue") -> bool:
    """Whether any ad of a catalogue has an `ad_text`."""
    return any(_each_text(catalogue))


def _each_text(catalogue: "Catalogue") -> Iterator[str]:
    ads = zip(
        catalogue.titles, catalogue.descriptions, catalogue.tags, strict=True
    )
    return (ad_text(*ad) for ad in ads)


class Tokenizer:
    """Texts to token ids, cut at a number of tokens.

    Args:
      backend: a tokenizer of the `tokenizers` library; it is changed in place.
      pad_id: the id that stands in padding. The mask says what is padding.
      max_tokens: tokens that are kept of a text, special tokens included, >= 1.
      clean: steps of `clean_text` that each text takes first.

    Raises:
      InputError: where `max_tokens` leaves no room for a token of the text, or
        a step is unknown.
    """

    def __init__(
        self,
        backend: "tokenizers.Tokenizer",
        *,
        pad_id: int = 0,
        max_tokens: int = 64,
        clean: Sequence[Step] = (),
    ):
        special = backend.num_special_tokens_to_add(False)
        if max_tokens <= special:
            raise InputError(
                f"`max_tokens` must be > {special}, the special tokens of each "
                f"text. Received: max_tokens={max_tokens}. Choose a larger one."
            )
        backend.no_padding()
        backend.enable_truncation(max_tokens)
        self._backend = backend
        self.pad_id = pad_id
        self.max_tokens = max_tokens
        self.clean = require_steps(clean)
        #: The name or folder of the model that it was read from.
        self.source: str | None = None

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | os.PathLike[str],
        *,
        max_tokens: int = 64,
        clean: Sequence[Step] = (),
    ) -> "Tokenizer":
        """The tokenizer that stands beside a pretrained model.

        Args:
          name_or_path: as in `tfadrec.core.pretrained.locate`.
          max_tokens: see the class.
          clean: see the class.

        Raises:
          TfadrecError: where the model cannot be had.
          InputError: where it has no tokenizer that can be read.
        """
        import transformers

        folder = pretrained.locate(name_or_path)
        with _as_input_errors(
            "A model folder must hold a tokenizer, as tokenizer.json and "
            "tokenizer_config.json. Received: ",
            f" in {folder}. Save the model's tokenizer there.",
        ):
            _check_files(folder)
            with muted():  # a panic of Rust has lines of its own
                loaded = transformers.AutoTokenizer.from_pretrained(
                    folder, local_files_only=True, trust_remote_code=False
                )
                backend = loaded.backend_tokenizer
                check_tokenizer(json.loads(backend.to_str()))
                backend.no_padding()  # to any length
                backend.no_truncation()
                backend.encode("a")
        made = cls(
            backend,
            pad_id=loaded.pad_token_id or 0,
            max_tokens=max_tokens,
            clean=clean,
        )
        made.source = pretrained.lasting(name_or_path)
        return made

    @property
    def settings(self) -> dict[str, Any] | None:
        """What it was read with, as settings of a run; None for another one."""
        if self.source is None:
            return None
        reads = {"max_tokens": self.max_tokens, "clean": list(self.clean)}
        return {"model": self.source, **reads}

    def __call__(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """Token ids as an encoder reads them.

        Args:
          texts: n texts.

        Returns:
          A dict with `token_ids`, int32 [n, L], and `token_mask`, bool [n, L],
          True = real; L is the longest text's length, at most `max_tokens`.

        Raises:
          InputError: where the tokenizer cannot read a text.
        """
        return self.pad(self.ids(texts))

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The token ids of each text, cut and not padded."""
        return [row.ids for row in self._encoded(texts)]

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """What the vocabulary has for some ids."""
        return [self._backend.id_to_token(i) or "" for i in ids]

    def pad(self, ids: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
        """Rows of token ids to one rectangle, as a call gives it."""
        lengths = np.array([len(row) for row in ids], np.int64)
        mask = np.arange(lengths.max(initial=0)) < lengths[:, np.newaxis]
        token_ids = np.full(mask.shape, self.pad_id, np.int32)
        token_ids[mask] = [token for row in ids for token in row]
        return {"token_ids": token_ids, "token_mask": mask}

    def cut_share(self, texts: Sequence[str]) -> float:
        """The share of texts that lose tokens at `max_tokens`, in [0, 1]."""
        rows = self._encoded(texts)
        return sum(bool(row.overflowing) for row in rows) / max(len(rows), 1)

    @functools.cached_property
    def vocabulary_size(self) -> int:
        """The largest token id, plus one."""
        return max(self._backend.get_vocab().values()) + 1

    @functools.cached_property
    def special_ids(self) -> frozenset[int]:
        """The tokens that stand for no text."""
        added = self._backend.get_added_tokens_decoder()
        return frozenset(i for i, token in added.items() if token.special)

    @property
    def mask_id(self) -> int | None:
        """The id of the token `[MASK]`; None where there is none."""
        return self._backend.token_to_id("[MASK]")

    @property
    def backend_definition(self) -> str:
        """All that decides the token ids of a cleaned text, as JSON."""
        return self._backend.to_str()

    @property
    def definition(self) -> str:
        """All that decides the token ids of a text, as JSON."""
        if not self.clean:
            return self.backend_definition
        told = json.loads(self.backend_definition)
        first = {"type": "clean_text", "steps": list(self.clean)}
        told["normalizer"] = {
            "type": "Sequence",
            "normalizers": [first, told["normalizer"]],
        }
        return json.dumps(told)

    def _encoded(self, texts: Sequence[str]) -> "list[tokenizers.Encoding]":
        cleaned = [clean_text(text, self.clean) for text in texts]
        with _as_input_errors(
            "A tokenizer must read every text. Received: ",
            f" from that of {self.source or 'the caller'}. Name another model, "
            "or save its tokenizer again.",
        ):
            return self._backend.encode_batch_fast(cleaned)

    def framing_ids(self) -> tuple[list[int], list[int]]:
        """The ids that every text has before its own, and after them."""
        number = self._backend.num_special_tokens_to_add(False)
        first = self._backend.encode("a", add_special_tokens=False).ids[0]
        ids = self._backend.encode("a").ids
        before = ids.index(first)
        return ids[:before], ids[len(ids) - (number - before) :]

    def check_fits(self, vocabulary_size: int, max_tokens: int) -> None:
        """Checks that an encoder knows every id and position.

        Args:
          vocabulary_size: rows of the encoder's token embedding table.
          max_tokens: tokens that the encoder reads of a text.

        Raises:
          InputError: where it does not.
        """
        if self.vocabulary_size > vocabulary_size:
            raise InputError(
                "The tokenizer's vocabulary must fit the encoder's embedding "
                f"table. Received: {self.vocabulary_size} tokens for a table "
                f"of {vocabulary_size}. Load both from the same model."
            )
        if self.max_tokens > max_tokens:
            raise InputError(
                "The tokenizer's `max_tokens` must fit the encoder's positions."
                f" Received: {self.max_tokens} tokens for {max_tokens} "
                "positions. Lower `max_tokens`."
            )


@contextlib.contextmanager
def _as_input_errors(before: str, after: str) -> Iterator[None]:
    """Turns what the libraries raise, which is not one of a kind, into one.

    A panic of Rust is no `Exception`.
    """
    try:
        yield
    except BaseException as error:
        if not (
            isinstance(error, Exception)
            or type(error).__name__ == "PanicException"
        ):
            raise
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{before}{reason}{after}") from error


def _check_files(folder: pathlib.Path) -> None:
    """Refuses files that the libraries should not even read."""
    require_whole(folder)
    for name in pretrained.TOKENIZER_FILES:
        file = folder / name
        if file.exists() and not (
            file.is_file() and file.stat().st_size <= _MOST_BYTES
        ):
            raise ValueError(f"{name} is no file, or a very large one")
    settings = folder / "tokenizer_config.json"
    if settings.exists():
        for key, value in read_json(settings).items():
            if key in _FILES and isinstance(value, str):
                raise ValueError(
                    f"{settings.name} names a file, {value[:99]!r}"
                )
    whole = folder / "tokenizer.json"
    if whole.exists():
        check_tokenizer(read_json(whole, _MOST_BYTES))
