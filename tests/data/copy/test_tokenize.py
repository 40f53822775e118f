"""The ad copy as token ids, one ad after another."""

import numpy as np
import tokenizers

from tfadrec.data.catalogue import Catalogue
from tfadrec.data.copy.tokenize import tokenize
from tfadrec.data.copy.tokenizer import Tokenizer

WORDS = ["[PAD]", "[UNK]", "trail", "shoes.", "shoes", "sale"]


def catalogue(titles, tags):
    return Catalogue(
        ad_ids=np.arange(len(titles)),
        titles=titles,
        descriptions=[""] * len(titles),
        tags=tags,
    )


def tokenizer(max_tokens):
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(
            {word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"
        )
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[PAD] $A", special_tokens=[("[PAD]", 0)]
    )
    return Tokenizer(made, max_tokens=max_tokens)


def test_titles_and_tags_are_tokenised_and_cut():
    titles = ["trail shoes", " ", "boots", "trail trail trail trail"]
    ads = catalogue(titles, [["sale"], [], [], []])
    made = tokenize(ads, tokenizer(4))
    # "trail shoes. sale" after the special token; nothing at all of an empty
    # text; an unknown word; four tokens of five.
    expected = [[0, 2, 3, 5], [], [0, 1], [0, 2, 2, 2]]
    for ad, row in enumerate(expected):
        begin, end = made.tokens.starts[ad : ad + 2]
        assert made.tokens.ids[begin:end].tolist() == row
    assert made.tokens.lengths.tolist() == [4, 0, 2, 4]
    assert made.spec()["tokens"] == {"count": 10, "longest": 4}
    assert made.titles == titles
    tables = made.tables()
    # Row 0, the unknown ad, has no tokens.
    assert tables["token_starts"].tolist() == [0, 0, 4, 4, 6, 10]
    assert tables["token_ids"].tolist() == [0, 2, 3, 5, 0, 1, 0, 2, 2, 2, 0]
    assert {values.dtype for values in tables.values()} == {np.dtype("int32")}
    assert made.ids_only().tokens is None


def test_no_ads_and_no_texts():
    made = tokenize(catalogue([], []), tokenizer(4))
    assert made.spec()["tokens"] == {"count": 0, "longest": 0}
    made = tokenize(catalogue(["", ""], [[], [" "]]), tokenizer(4))
    assert made.tables()["token_starts"].tolist() == [0, 0, 0, 0]
    assert made.tables()["token_ids"].tolist() == [0]
