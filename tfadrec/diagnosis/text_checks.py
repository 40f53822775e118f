"""Ad copy of which the end is missing."""

import collections
from collections.abc import Iterator

from tfadrec.data.copy.tokenizer import ad_texts
from tfadrec.data.dataset import Dataset
from tfadrec.diagnosis.finding import Finding
from tfadrec.training import Run
from tfadrec.training.text import tokenizer_of

#: A text of fewer letters may well be as long as many others.
_SHORT = 12
#: Texts of the largest length, as a share, from which they are cut.
_MANY = 0.05


def cut_texts(dataset: Dataset) -> Iterator[Finding]:
    """Many texts of the very same length, which none exceeds."""
    catalogue = dataset.catalogue
    for name, texts in (
        ("title", catalogue.titles),
        ("description", catalogue.descriptions),
    ):
        lengths = collections.Counter(len(text) for text in texts if text)
        if not lengths:
            continue
        longest = max(lengths)
        share = lengths[longest] / lengths.total()
        before = lengths.get(longest - 1, 0)
        # Lengths that end by themselves fall off before they do.
        if (
            longest >= _SHORT
            and share > _MANY
            and lengths[longest] > max(4 * before, 20)
        ):
            yield Finding(
                "text_cut",
                "warning",
                name,
                f"texts end after {longest} letters",
                f"{100 * share:.0f} % of {lengths.total()} are that long, and "
                "none is longer",
                "Is a column of the source too narrow? Read the whole copy.",
            )


def cut_tokens(run: Run) -> Iterator[Finding]:
    """Texts that the language model does not read to their end."""
    if run.config.text is None:
        return
    tokenizer = tokenizer_of(run.config.text)
    texts = ad_texts(run.dataset.catalogue)
    share = tokenizer.cut_share(texts)
    if share > 0.01:
        yield Finding(
            "text_cut",
            "warning" if share > 0.2 else "note",
            "ad text",
            f"ad copy is cut at {tokenizer.max_tokens} tokens",
            f"{100 * share:.0f} % of {len(texts)} ads",
            "Raise `text.max_tokens`, or put what counts first.",
        )
