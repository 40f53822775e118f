"""The ad copy as a column of token ids, for an encoder that is trained."""

import dataclasses

from tfadrec.core.takes import takes
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.copy.tokenizer import Tokenizer, ad_texts
from tfadrec.data.tokens import Tokens


@takes(catalogue="catalogue", tokenizer="tokenizer")
def tokenize(catalogue: Catalogue, tokenizer: Tokenizer) -> Catalogue:
    """A catalogue with the token ids of its ad copy, each ad tokenised once.

    The text is `tokenizer.ad_text` of title, description and tags, cut at
    `tokenizer.max_tokens`. An empty one has no tokens at all, and with them the
    zero vector.

    Args:
      catalogue: any catalogue.
      tokenizer: of the encoder that will read the tokens.
    """
    texts = ad_texts(catalogue)
    ids = tokenizer.ids(texts)
    tokens = Tokens.from_lists(
        [row if text else [] for row, text in zip(ids, texts, strict=True)]
    )
    text = tokenizer.settings
    return dataclasses.replace(catalogue, tokens=tokens, text=text)
