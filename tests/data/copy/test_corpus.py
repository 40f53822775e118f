"""Distinct texts, and what is held out of them."""

import numpy as np
import pyarrow as pa
import pytest

from tfadrec.core.errors import InputError
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.copy.corpus import Corpus


def catalogue(titles):
    count = len(titles)
    return Catalogue.from_table(
        pa.table(
            {
                "ad_id": list(range(count)),
                "title": titles,
                "description": [""] * count,
                "tags": pa.array([[]] * count, pa.list_(pa.string())),
            }
        ),
        (),
    )


def test_texts_are_distinct_and_ads_refer_to_them():
    corpus = Corpus.of(catalogue(["tent", " ", "lamp", "tent "]))
    assert corpus.texts == ["tent", "lamp"]
    np.testing.assert_array_equal(corpus.ads, [-1, 0, -1, 1, 0])


def test_what_is_held_out():
    corpus = Corpus.of(catalogue([f"ad {i}" for i in range(50)]))
    learn, held = corpus.hold_out(0.1, 3)
    assert (len(learn), len(held)) == (45, 5)
    np.testing.assert_array_equal(
        np.sort(np.concatenate([learn, held])), np.arange(50)
    )
    np.testing.assert_array_equal(corpus.hold_out(0.1, 3)[1], held)
    assert (corpus.hold_out(0.1, 4)[1] != held).any()


def test_no_text():
    with pytest.raises(InputError, match=r"2 ads without title, desc.*Map a"):
        Corpus.of(catalogue(["", " "]))


@pytest.mark.parametrize(
    ("count", "share", "message"),
    [
        (3, 0.1, "3 distinct texts, of which 0 are held out at held_out=0.1"),
        (1, 0.9, "1 distinct texts, of which 1 are held out"),
        (9, 0.0, r"must lie in \(0, 1\). Received: held_out=0.0"),
        (9, 1, r"must lie in \(0, 1\)"),
    ],
)
def test_too_little_to_hold_out(count, share, message):
    corpus = Corpus.of(catalogue([f"ad {i}" for i in range(count)]))
    with pytest.raises(InputError, match=message):
        corpus.hold_out(share, 0)
