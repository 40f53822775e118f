"""Cleaning, step by step."""

import html
import html.parser
import re

import hypothesis
import pytest
from hypothesis import strategies as st

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
        ('<a title="x > y" href=/b>Red</a>', ["html", "space"], "Red"),
        ("wa<!-- <b> -->ter<?x?><!doctype html>", ["html"], "water"),
        # What is cut short hides the rest, and an open tag is none.
        ("Red <style>a {", ["html", "space"], "Red"),
        ("Red <!-- shoes", ["html", "space"], "Red"),
        ("Red <b shoes", ["html"], "Red <b shoes"),
        ('Red <a title="5>shoes', ["html", "space"], "Red shoes"),
        ("a <b <i>c", ["html"], "a <b  c"),
        ("<script src=x />Red", ["html", "space"], "Red"),
        # What a reference says is no markup.
        ("&lt;b&gt;&amp;lt;", ["html"], "<b>&lt;"),
        ("&#" + "0" * 5000 + "65;&#" + "1" * 5000, ["html"], "A\ufffd"),
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


class Shown(html.parser.HTMLParser):
    """What Python's own parser finds, with a space for each tag."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts, self.hidden = [], 0

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in ("script", "style")
        self.parts.append(" ")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")
        self.parts.append(" ")

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data)


WRITTEN = st.text(st.sampled_from("ab <>&\"'=/!-?;#1\n\u00e9"), max_size=8)
ATTRIBUTE = st.one_of(
    st.sampled_from([" b", " data-x = 5", "\n href=/a?b=1", " c='\"'"]),
    WRITTEN.map(lambda text: f' t="{html.escape(text)}"'),
    WRITTEN.map(lambda text: " T= '" + text.replace("'", "") + "'"),
)
START = st.tuples(st.sampled_from(["b", "DIV", "h1"]), ATTRIBUTE).map("".join)
CODE = WRITTEN.map(lambda text: text.replace("/", ""))
PAGE = st.recursive(
    st.one_of(
        WRITTEN.map(html.escape),
        st.sampled_from(["&nbsp;", "&#233;", "&#xe9;", "&copy;", "<br />"]),
        st.sampled_from(["<!doctype html>", "<!-- <b> & -->", "<!---->"]),
        CODE.map(lambda text: f"<script>{text}</script>"),
        CODE.map(lambda text: f"<STYLE type='a'>{text}</style >"),
    ),
    lambda inner: st.tuples(START, st.lists(inner, max_size=4)).map(
        lambda made: f"<{made[0]}>{''.join(made[1])}</{made[0].split()[0]}>"
    ),
    max_leaves=8,
)


@hypothesis.settings(max_examples=80)
@hypothesis.given(st.lists(PAGE, max_size=3).map("".join))
def test_well_formed_html_is_read_as_a_parser_does(page):
    parser = Shown()
    parser.feed(page)
    parser.close()
    # An element of which nothing is shown is one space, and not two.
    expected = re.sub(" +", " ", "".join(parser.parts))
    assert re.sub(" +", " ", clean_text(page, ["html"])) == expected


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
