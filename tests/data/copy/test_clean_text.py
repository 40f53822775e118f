"""Cleaning, step by step."""

import pytest

from tests.data.copy.test_tokenizer import backend
from tfadrec.core.errors import InputError
from tfadrec.data import Tokenizer, clean_text


@pytest.mark.parametrize(
    ("text", "steps", "expected"),
    [
        ("<b>Red</b> &amp; wet", [], "<b>Red</b> &amp; wet"),
        ("<b>Red</b> &amp; wet", ["html", "space"], "Red & wet"),
        ("Red<br/>shoes", ["html", "space"], "Red shoes"),
        ("a<script>if (a < b) x()</script>b", ["html", "space"], "a b"),
        ("5 < 6 &#233; &nbsp;x", ["html", "space"], "5 < 6 é x"),
        # An end without a start hides nothing.
        ("</style>Red", ["html", "space"], "Red"),
        ("\ufb01ne \uff33hoes e\u0301", ["unicode"], "fine Shoes é"),
        (" Red \n\t shoes\u00a0", ["space"], "Red shoes"),
        (
            "The shoes that do NOT let you down",
            ["stop_words", "space"],
            "shoes NOT let down",
        ),
        ("theatre, it's on", ["stop_words", "space"], "theatre, it's"),
        ("", ["html", "unicode", "stop_words", "space"], ""),
        # In the order given: what is read as white space is joined after.
        ("a &nbsp; b", ["space", "html"], "a \u00a0 b"),
    ],
)
def test_steps(text, steps, expected):
    assert clean_text(text, steps) == expected


@pytest.mark.parametrize("steps", ["html", ["html", "stem"]])
def test_unknown_steps(steps):
    message = "of steps of html, unicode, stop_words, space. Received: "
    with pytest.raises(InputError, match=message):
        clean_text("a", steps)
    with pytest.raises(InputError, match=message):
        Tokenizer(backend(), clean=steps)


def test_a_tokenizer_cleans_first():
    plain = Tokenizer(backend(), max_tokens=5)
    made = Tokenizer(backend(), max_tokens=5, clean=["html", "stop_words"])
    texts = ["<i>red</i> shoes for rain", "for the rain"]
    assert made.ids(texts) == plain.ids(["red shoes rain", "rain"])
    # Cleaned, nothing is cut: red, shoes, rain between two special ones.
    assert (made.cut_share(texts), plain.cut_share(texts)) == (0, 0.5)


def test_the_definition_tells_cleaning_apart():
    steps = ([], ["html"], ["space"], ["html", "space"], ["space", "html"])
    told = {Tokenizer(backend(), clean=clean).definition for clean in steps}
    assert len(told) == 5
    assert Tokenizer(backend()).definition in told
