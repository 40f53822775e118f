"""Cleaning in the graph against the same cleaning in Python."""

import functools
import itertools
import unicodedata

import hypothesis
import pytest
from hypothesis import strategies as st

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.data import clean_text
from tfadrec.data.copy.graph_cleaner import GraphCleaner
from tfadrec.serving.op_lint import foreign_ops

ALL = ("html", "unicode", "stop_words", "space")
EACH = pytest.mark.parametrize("step", ALL)
# Whole and broken pieces of what the steps look for.
PIECES = [
    *("<b>", "</B >", "<br/>", '<a href="x>y">', "<a t='", "</>", "<", ">"),
    *("<!-- c -->", "<!--", "-->", "<!doctype html>", "<?x?>"),
    *("<script>", "<script src=x />", "</SCRIPT >", "<style a=b>", "</style>"),
    *("&amp;", "&amp", "&#65;", "&#x41", "&#0;", "&#128;", "&#xD800;", "&#x"),
    *("&#x110000;", "&#99999999999;", "&#1;", "&", "&#", ";", "&notit;"),
    *("&notin;", "&NotEqualTilde;", "&NotEqualTild;", "&CounterClockwise"),
    *" '\"=/-!?x_9,\n\t\x00\x1c\x85\u00a0\u2003\u3000\ufeff",
    *("The", " the ", "it's", "\u2019", "and", "not", "\u212a", "\u017f"),
    *("\uff21\uff22", "\ufb01", "\u00bd", "\u33ff", "\ufdfa", "\u212b"),
    *("e", "\u0301", "\u0323", "\u0327", "\u0344", "\u0345", "\u1e69"),
    *("\u1100", "\u1161", "\u11a8", "\uac00", "\uac01", "\u11a7"),
    *("\u09c7", "\u09be", "\u0cc6", "\u0cc2", "\u0cd5", "\U0001d15e"),
]
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.sampled_from(PIECES),
        st.text(
            st.characters(categories=["M"]) | st.characters(codec="utf-8"),
            max_size=4,
        ),
    ),
    max_size=12,
).map("".join)


@functools.cache
def in_graph(steps):
    return tf.function(
        GraphCleaner(steps),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )


def cleaned(texts, steps):
    return [
        text.decode()
        for text in in_graph(steps)(tf.constant(texts, tf.string)).numpy()
    ]


def check(texts, steps):
    for text, found in zip(texts, cleaned(texts, steps), strict=True):
        assert found == clean_text(text, steps), ascii(text)


# One example is many texts: they cost the graph little more than one.
@hypothesis.settings(max_examples=10)
@hypothesis.given(st.lists(TEXTS, min_size=20, max_size=40))
def test_any_texts(texts):
    for step in ALL:
        check(texts, (step,))


@pytest.mark.slow
@hypothesis.settings(max_examples=500)
@hypothesis.given(st.lists(TEXTS, min_size=20, max_size=40))
def test_many_texts(texts):
    for step in ALL:
        check(texts, (step,))
    check(texts, ALL)


def test_steps_are_taken_in_the_order_given():
    texts = [" a&nbsp;&#32; b "]
    assert cleaned(texts, ("html", "space")) == ["a b"]
    assert cleaned(texts, ("space", "html")) == ["a\u00a0  b"]


@pytest.mark.parametrize(
    ("step", "text", "expected"),
    [
        # Two marks of other classes are sorted, then taken up one by one.
        ("unicode", "s\u0307\u0323", "\u1e69"),
        # The second acute is blocked by the first, which is taken up.
        ("unicode", "e\u0301\u0301", "\u00e9\u0301"),
        # A mark of the same class is between: nothing is taken up.
        ("unicode", "e\u0313\u0301", "e\u0313\u0301"),
        # A mark at the start has no starter, and the next text is another.
        ("unicode", "\u0301e\u0301", "\u0301\u00e9"),
        ("unicode", "\u1112\u1161\u11ab\uae00", "\ud55c\uae00"),
        # Two that are no marks: e-vowel and aa-vowel of Bengali are o.
        ("unicode", "\u0995\u09c7\u09be", "\u0995\u09cb"),
        # Excluded from composition.
        ("unicode", "\u0958", "\u0915\u093c"),
        ("html", "AT&ampT &amp;lt; &notit; &bad;", "AT&T &lt; \u00acit; &bad;"),
        ("html", "&NotEqualTilde;x", "\u2242\u0338x"),
        ("html", "&#x1F600;&#66;&#128;&#0067 &#;", "\U0001f600B\u20acC &#;"),
        ("html", "&#xFFFFFFFFFF; &#1;.", "\ufffd ."),
        (
            "stop_words",
            "The \u212aing's the-\u00e9the",
            " \u212aing's -\u00e9the",
        ),
        ("space", "\u3000 a\u2003\x1c\nb ", "a b"),
    ],
)
def test_by_hand(step, text, expected):
    # Beside others, which must not be read together with it.
    texts = ["e", text, "\u0301", "&", text, ""]
    found = cleaned(texts, (step,))
    assert found[1] == found[4] == expected
    assert [*found[::2][:2], found[3], found[5]] == ["e", "\u0301", "&", ""]
    check(texts, (step,))


@EACH
def test_no_texts_and_empty_texts(step):
    assert cleaned([], (step,)) == []
    assert cleaned(["", ""], (step,)) == ["", ""]


def test_bytes_that_are_no_text():
    found = in_graph(("html",))(tf.constant([b"<b \xff>x\xc3"]))
    assert found.numpy()[0].decode() == " x\ufffd"
    # Without a step nothing is touched.
    assert in_graph(())(tf.constant([b"\xff"])).numpy()[0] == b"\xff"


def test_a_saved_graph_has_its_tables(tmp_path):
    """In which nothing of Python is left."""
    module = tf.Module()
    module.cleaner = GraphCleaner(ALL)
    module.clean = tf.function(
        module.cleaner,
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    tf.saved_model.save(module, tmp_path)
    assert foreign_ops(tmp_path) == {}
    found = tf.saved_model.load(tmp_path).clean(
        tf.constant(["<b>The</b> cafe\u0301s  &eacute;&#233;"])
    )
    assert found.numpy()[0].decode() == "caf\u00e9s \u00e9\u00e9"


def test_an_unknown_step():
    with pytest.raises(InputError, match="a list of steps of html, unicode"):
        GraphCleaner(["stem"])


@pytest.mark.slow
@EACH
def test_every_code_point(step):
    points = [p for p in range(0x110000) if not 0xD800 <= p < 0xE000]
    check(list(map(chr, points)), (step,))
    check([f"a{chr(p)}b" for p in points], (step,))
    check([f"&#{p};" for p in range(0x110010)], (step,))


@pytest.mark.slow
def test_every_character_with_every_mark():
    """A mark of each class that has one, before and after another."""
    marks = {}
    for char in map(chr, range(0x110000)):
        if unicodedata.combining(char):
            marks.setdefault(unicodedata.combining(char), char)
    chosen = ["", *marks.values(), "\u0301", "\u0308", "\u0338"]
    letters = [
        char
        for char in map(chr, range(0x20000))
        if unicodedata.decomposition(char) or char.isascii()
    ]
    for mark, other in itertools.product(chosen[::6], chosen):
        check([char + mark + other for char in letters], ("unicode",))
