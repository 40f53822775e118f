"""The language model of a run's settings, and the ad copy as it reads it."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from tfadrec import layers, models
from tfadrec.core import pretrained
from tfadrec.core.errors import InputError
from tfadrec.core.takes import takes
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.copy.lower_layers import lower_layers
from tfadrec.data.copy.text_vectors import encode_text
from tfadrec.data.copy.tokenize import tokenize
from tfadrec.data.copy.tokenizer import Tokenizer, ad_texts, has_copy
from tfadrec.data.dataset import Dataset
from tfadrec.runs.check import check_sections
from tfadrec.runs.sections import defaults_of

_LOG = logging.getLogger(__name__)
#: Settings of the tokenizer, beside the model.
_READS = ("max_tokens", "clean")
#: The last model that read ad copy and was not trained, by its settings and
#: the sizes and times of its files.
_LAST: dict[str, tuple[Tokenizer, layers.text.AdEncoder]] = {}


def text_chosen(
    text: Mapping[str, Any] | None, dataset: Dataset
) -> Mapping[str, Any] | None:
    """The section `text` of a run's settings; None where no ad has any copy.

    Vectors of nothing are all alike, and a ranker that matches them begins as
    one that has no reason to tell ads apart.

    Args:
      text: the section as it was given.
      dataset: whose ads would be read.
    """
    if text is None or has_copy(dataset.catalogue):
        return text
    _LOG.warning(
        "no ad has a title, a description or tags, so no copy is read, as with "
        "`text: null`."
    )
    return None


def require_copy(dataset: Dataset) -> None:
    """Refuses a dataset in which there is nothing to read.

    Raises:
      InputError: where no ad has any copy.
    """
    if not has_copy(dataset.catalogue):
        raise InputError(
            "a cross-encoder reads the copy of ads. Received: a dataset in "
            "which no ad has a title, a description or tags. Prepare it with "
            "them, or train a ranker, which can do without."
        )


@takes(dataset="dataset")
def with_text(dataset: Dataset, text: Mapping[str, Any] | None) -> Dataset:
    """The dataset with the ad copy as a column of its catalogue.

    The column holds vectors where the language model is frozen, and else the
    tokens, which a tower reads with an encoder that is trained.

    Args:
      dataset: any dataset.
      text: see `text_model`; None gives the dataset back as it is.

    Raises:
      InputError: where a setting is unknown, or the model cannot be had.
    """
    if text is None:
        return dataset
    if is_tuned(text):
        tokenizer, _ = text_model(text)
        catalogue = tokenize(dataset.catalogue, tokenizer)
    else:
        tokenizer, encoder = _frozen_model(text)
        catalogue = encode_text(dataset.catalogue, tokenizer, encoder)
    _report_cut(tokenizer, dataset.catalogue)
    return dataset.with_catalogue(catalogue)


def _frozen_model(
    text: Mapping[str, Any],
) -> tuple[Tokenizer, layers.text.AdEncoder]:
    """As `text_model`, once where one process reads many days."""
    model = {**defaults_of("text"), **text}["model"]
    if model is None:
        return text_model(text)  # which refuses that
    files = [(f.name, f.stat()) for f in pretrained.locate(model).iterdir()]
    written = sorted((name, s.st_size, s.st_mtime_ns) for name, s in files)
    key = json.dumps([text, written])
    if key not in _LAST:
        _LAST.clear()
        _LAST[key] = text_model(text)
    return _LAST[key]


def parts_with_text(
    dataset: Dataset,
    parts: tuple[Dataset, Dataset, Dataset],
    text: Mapping[str, Any] | None,
) -> tuple[Dataset, tuple[Dataset, Dataset, Dataset]]:
    """A dataset and its parts, with the ad copy as the settings say.

    Args:
      dataset: as for `with_text`.
      parts: of its rows.
      text: as for `with_text`.
    """
    dataset = with_text(dataset, text)
    train, valid, test = (
        part.with_catalogue(dataset.catalogue) for part in parts
    )
    return dataset, (train, valid, test)


def text_model(
    text: Mapping[str, Any],
) -> tuple[Tokenizer, layers.text.AdEncoder]:
    """What the ad copy is read with: a tokenizer and its encoder.

    Args:
      text: `model` (a name or folder), and optionally `max_tokens` and `clean`,
        those of the tokenizer, and `pooling`, `tuning`, `dropout` and `dtype`,
        those of the encoder.

    Raises:
      InputError: where a setting is unknown, or the model cannot be had.
    """
    return _text_model(text, layers.text.load_encoder)


def check_text(text: Mapping[str, Any]) -> None:
    """Refuses what `text_model` would, without reading any weights.

    Raises:
      InputError: where a setting is wrong, or the model cannot be had.
    """
    _text_model(text, layers.text.make_encoder)


def tokenizer_of(text: Mapping[str, Any]) -> Tokenizer:
    """What cuts the ad copy into tokens.

    Args:
      text: see `text_model`.

    Raises:
      InputError: where it cannot be had.
    """
    settings = {**defaults_of("text"), **text}
    reads = {name: settings[name] for name in _READS}
    return Tokenizer.from_pretrained(settings["model"], **reads)


def _text_model(text: Mapping[str, Any], made: Callable[..., Any]):
    check_sections({"text": text})
    settings = {**defaults_of("text"), **text}
    model = settings.pop("model")
    of_encoder = {k: v for k, v in settings.items() if k not in _READS}
    try:
        encoder = made(model, name="text", **of_encoder)
        tokenizer = tokenizer_of(text)
    except InputError:
        raise
    except (TypeError, ValueError) as error:  # of Keras, for a wrong dtype
        raise InputError(f"`text`: {error}") from error
    tokenizer.check_fits(encoder.vocabulary_size, encoder.max_tokens)
    return tokenizer, encoder


def _report_cut(tokenizer: Tokenizer, catalogue: Catalogue) -> None:
    share = tokenizer.cut_share(ad_texts(catalogue))
    if share:
        _LOG.warning(
            "%.1f %% of the ads are cut at %d tokens; `max_tokens` sets that.",
            100 * share,
            tokenizer.max_tokens,
        )


def is_tuned(text: Mapping[str, Any]) -> bool:
    """Whether the language model is trained with the ranker."""
    return text.get("tuning", "frozen") != "frozen"


def keep_lower_layers(ranker: models.AdRanker, catalogue: Catalogue) -> None:
    """Has a ranker's encoder start from what its frozen layers gave once.

    Nothing is done where no layer is frozen whole.

    Args:
      ranker: built; one whose ad tower has a `text`.
      catalogue: its own, with tokens.
    """
    encoder, tokens = ranker.ad_tower.text, catalogue.tokens
    if tokens is not None and encoder.num_frozen_layers:
        path = lower_layers(tokens, encoder)
        ranker.ad_tower.read_lower_layers(path)
