"""Tables of characters: what they make at most, and what is refused."""

import base64
import copy

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tokenizers

from tests.data.copy.test_check_tokenizer import GOOD
from tfadrec.data.copy.check_charsmap import longest_replacement
from tfadrec.data.copy.check_tokenizer import check_tokenizer

LEAF, VALUE = 1 << 8, 1 << 31
#: Where the children of the root lie, those of its two nodes, and of a third.
ROOT, A, B, C = 256, 512, 768, 1024
TEXTS = "xyz\0é\0\0".encode()


def trie():
    """`a` becomes `xyz`, and `bc` the letter é; derived by hand."""
    units = np.zeros(1280, np.uint32)

    def put(place, label, children, leaf=0):
        units[place] = (place ^ children) << 10 | leaf | label

    put(0, 0, ROOT)
    put(ROOT ^ ord("a"), ord("a"), A, LEAF)
    units[A] = VALUE | 0
    put(ROOT ^ ord("b"), ord("b"), B)
    put(B ^ ord("c"), ord("c"), C, LEAF)
    units[C] = VALUE | 4
    return units


def table(units, texts=TEXTS):
    size = (4 * len(units)).to_bytes(4, "little")
    return size + units.astype("<u4").tobytes() + texts


def as_text(data):
    return base64.b64encode(data).decode()


def test_the_library_reads_it_so():
    library = tokenizers.normalizers.Precompiled(table(trie()))
    assert library.normalize_str("a") == "xyz"
    assert library.normalize_str("q") == "q"


def test_the_longest_replacement():
    assert longest_replacement(as_text(table(trie()))) == 3
    longer = table(trie(), "xyz\0éäö€€\0".encode())
    assert longest_replacement(as_text(longer)) == 5
    # A text that nothing ends is read to the end of all.
    assert longest_replacement(as_text(table(trie(), b"xyz\0abcd"))) == 4
    # Nothing leads to the last one.
    apart = table(trie(), "xyz\0é\0a long text\0".encode())
    assert longest_replacement(as_text(apart)) == 3


def pointed(place, unit):
    units = trie()
    units[place] = unit
    return as_text(table(units))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (7, "no text"),
        ("a" * (1 << 24), "very long"),
        ("€", "no base64"),
        ("", "no trie"),
        (as_text(b"\0\0\0\0abc"), "no trie"),
        (as_text(b"\xff\xff\xff\xffabcd"), "no trie"),
        (as_text(table(trie(), b"\xff\0")), "no UTF-8"),
        (pointed(0, 5000 << 10), "out of its trie"),
        (pointed(0, 5 << 10 | 1 << 9), "out of its trie"),
        # A child of `b`, and the text of `a`, that lie elsewhere.
        (pointed(ROOT ^ ord("b"), 5000 << 10 | ord("b")), "out of its trie"),
        (
            pointed(ROOT ^ ord("a"), 5000 << 10 | LEAF | ord("a")),
            "out of its trie",
        ),
        (pointed(A, VALUE | 99), "to no text"),
        (pointed(C, VALUE | 5), "into a character"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        longest_replacement(given)


def test_a_trie_that_leads_back_to_itself():
    units = trie()
    units[B ^ ord("c")] = ((B ^ ord("c")) ^ ROOT) << 10 | ord("c")
    assert longest_replacement(as_text(table(units))) == 3


@hypothesis.settings(max_examples=150)
@hypothesis.given(
    st.lists(
        st.tuples(
            st.sampled_from([0, A, C, *(ROOT ^ ord(c) for c in "abc")]),
            st.integers(0, 31),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_what_is_not_refused_does_not_panic(bits):
    """The library itself, with bits of the trie flipped."""
    units = trie()
    for place, bit in bits:
        units[place] ^= np.uint32(1 << bit)
    data = table(units)
    try:
        most = longest_replacement(as_text(data))
    except ValueError:
        return
    library = tokenizers.normalizers.Precompiled(data)
    for text in ("a", "bc", "b", "ac", "q", "é", "a\u0301"):
        made = library.normalize_str(text)
        assert len(made) <= max(most, 1) * len(text), (bits, text)


def test_in_a_tokenizer():
    told = copy.deepcopy(GOOD)
    steps = told["normalizer"]["normalizers"]
    step = {"type": "Precompiled", "precompiled_charsmap": None}
    steps.append(step)
    with pytest.raises(ValueError, match="table of characters is no text"):
        check_tokenizer(told)
    step["precompiled_charsmap"] = as_text(table(trie()))
    check_tokenizer(told)
    # One after the other they make 3^4 characters of one, and the other step 2.
    steps += [step] * 3
    with pytest.raises(ValueError, match="up to 162 characters of one"):
        check_tokenizer(told)
