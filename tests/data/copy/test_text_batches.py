"""Batches of texts: what is guessed, what is paired, taken up at any step."""

import numpy as np
import pytest
import tokenizers

from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.data.copy import text_batches
from tfadrec.data.copy.near_events import NearEvents
from tfadrec.data.copy.tokenizer import Tokenizer

WORDS = [f"w{i}" for i in range(20)]


def tokenizer(special=("[PAD]", "[CLS]", "[MASK]")):
    """Words w0 to w19 have the ids after the special tokens."""
    vocabulary = {word: i for i, word in enumerate([*special, *WORDS])}
    backend = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(vocabulary, unk_token="w0")
    )
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    backend.add_special_tokens(list(special))
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", 1)]
    )
    return Tokenizer(backend)


@pytest.fixture
def texts():
    read = tokenizer()
    return read, read.ids(["w0 w1 w2", "w3", "w4 w5", "w6 w7 w8 w9", "w10"])


def numpy(batches):
    return [tf.nest.map_structure(lambda t: t.numpy(), b) for b in batches]


def test_special_tokens_are_known():
    read = tokenizer()
    assert read.special_ids == {0, 1, 2}
    assert read.mask_id == 2


def test_causal(texts):
    """The target of a token is the next one; the last has none."""
    read, ids = texts
    (inputs, (after, guessed)), last = numpy(
        text_batches.causal_batches(ids, read, 3)
    )
    np.testing.assert_array_equal(
        inputs["token_ids"], [[1, 3, 4, 5], [1, 6, 0, 0], [1, 7, 8, 0]]
    )
    np.testing.assert_array_equal(
        inputs["token_mask"], inputs["token_ids"] != 0
    )
    np.testing.assert_array_equal(
        after, [[3, 4, 5, 0], [6, 0, 0, 0], [7, 8, 0, 0]]
    )
    np.testing.assert_array_equal(guessed, after != 0)
    assert last[0]["token_ids"].shape == (2, 5)


def test_masked(texts):
    """Neither padding nor special tokens are guessed; the rest is as it was."""
    read, ids = texts
    shown = 0
    stream = text_batches.masked_batches(ids, read, 5, share=0.5, seed=1)
    for inputs, (true, guessed) in numpy(stream.take(20)):
        mask = inputs["token_mask"]
        assert sorted(mask.sum(1)) == [2, 2, 3, 4, 5]
        np.testing.assert_array_equal(true != 0, mask)
        assert not guessed[~mask].any()
        assert not guessed[true == 1].any()
        np.testing.assert_array_equal(
            inputs["token_ids"][~guessed], true[~guessed]
        )
        shown += guessed.sum()
    assert shown == pytest.approx(20 * 11 * 0.5, abs=4 * np.sqrt(55))


def test_without_a_seed_all_come_once_and_the_same(texts):
    read, ids = texts
    stream = text_batches.masked_batches(ids, read, 2, share=0.5)
    first, again = numpy(stream), numpy(stream)
    assert [len(batch[1][0]) for batch in first] == [2, 2, 1]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one[1][1], other[1][1])
    # Batches of one stream are not masked alike.
    seen = [batch[1][1].tobytes() for batch in first]
    assert len(set(seen)) > 1


EVENTS = NearEvents(
    users=np.array([1, 1, 1, 2, 2]),
    texts=np.array([0, 1, 2, 3, 4]),
    begins=np.array([0, 0, 1, 3, 3]),
    ends=np.array([2, 3, 3, 5, 5]),
    anchors=np.array([0, 1, 2, 3]),
)
MAKERS = {
    "masked": lambda *a, **k: text_batches.masked_batches(*a, share=0.3, **k),
    "causal": text_batches.causal_batches,
    "equal": text_batches.equal_pairs,
    "near": lambda *a, **k: text_batches.near_pairs(*a, events=EVENTS, **k),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_stream_is_taken_up_at_any_step(texts, name):
    read, ids = texts
    whole = numpy(MAKERS[name](ids, read, 2, seed=5).take(7))
    rest = numpy(MAKERS[name](ids, read, 2, seed=5, first_step=3).take(4))
    for one, other in zip(whole[3:], rest, strict=True):
        parts = zip(tf.nest.flatten(one), tf.nest.flatten(other), strict=True)
        for a, b in parts:
            np.testing.assert_array_equal(a, b)


def test_equal_pairs(texts):
    read, ids = texts
    inputs, rows = numpy(text_batches.equal_pairs(ids, read, 5))[0]
    np.testing.assert_array_equal(
        rows, np.repeat(np.arange(5), 2).reshape(-1, 2)
    )
    for row, places in enumerate(rows):
        for side, place in enumerate(places):
            real = inputs["token_mask"][row, side]
            tokens = inputs["token_ids"][row, side][real]
            np.testing.assert_array_equal(tokens, ids[place])


def test_near_pairs_draw_every_partner_alike(texts):
    """Event 1 has the partners 0 and 2; the others have one each."""
    read, ids = texts
    stream = text_batches.near_pairs(ids, read, 4, events=EVENTS, seed=2)
    counts = {}
    for inputs, rows in numpy(stream.take(400)):
        assert inputs["token_ids"].shape[:2] == (4, 2)
        for pair in rows.tolist():
            counts[tuple(pair)] = counts.get(tuple(pair), 0) + 1
    assert set(counts) == {(0, 1), (1, 0), (1, 2), (2, 1), (3, 4)}
    assert counts[0, 1] == counts[2, 1] == counts[3, 4] == 400
    assert counts[1, 0] == pytest.approx(200, abs=40)


def test_what_is_refused(texts):
    read, ids = texts
    bare = tokenizer(special=("[PAD]", "[CLS]"))
    with pytest.raises(InputError, match="a tokenizer with a mask token"):
        text_batches.masked_batches(ids, bare, 2, share=0.15)
    for share in (0, 1.5):
        with pytest.raises(InputError, match="`masked_share` must lie in"):
            text_batches.masked_batches(ids, read, 2, share=share)
