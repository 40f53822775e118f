"""Copies of an ad, and tokens, read by a tiny language model."""

import dataclasses
import importlib
import itertools
import types

import numpy as np
import pytest

from tests.data import tiny_encoder
from tfadrec.core.errors import InputError
from tfadrec.data import ad_text
from tfadrec.explanation import Question, creatives_text, rank_creatives
from tfadrec.explanation.explain_tokens import explain_tokens
from tfadrec.layers.text import BertAdEncoder


@pytest.fixture
def model():
    return tiny_encoder.tokenizer(), tiny_encoder.encoder()


@pytest.fixture
def run(deep, rows, model, monkeypatch):
    module = importlib.import_module("tfadrec.explanation.rank_creatives")
    monkeypatch.setattr(module, "language_model", lambda run: model)
    return types.SimpleNamespace(ranker=deep, dataset=rows)


def test_a_copy_without_a_word_is_refused_and_a_gain_is_named():
    nobody = types.SimpleNamespace()
    with pytest.raises(InputError, match=r"Received: ' ', number 2 of 2\."):
        rank_creatives(nobody, 1, 1, ["New", " "])
    copy = {"rank": 1, "copy": "New", "logit": 0.5, "gain": 0.25, "words": []}
    assert "over its title +0.2500" in creatives_text([copy])


@pytest.mark.slow
def test_copies_are_ranked_by_what_the_ranker_says_of_them(run, model):
    dataset, ranker = run.dataset, run.ranker
    user, ad = dataset.user_ids[3], dataset.catalogue.ad_ids[3]
    past = Question.of_user(ranker, dataset, user, ad).inputs["history_ads"]
    assert 4 not in past.numpy()  # whose text would change too
    table = ranker.ad_tower._tables["text"]
    kept = table.numpy()

    def logit(text):
        """With the text's vector in the catalogue."""
        tokenizer, encoder = model
        changed = kept.copy()
        catalogue = dataset.catalogue
        whole = ad_text(text, catalogue.descriptions[3], catalogue.tags[3])
        changed[4] = encoder(tokenizer([whole])).numpy()[0]
        table.assign(changed)
        asked = Question.of_user(ranker, dataset, user, ad)
        found = float(asked.score(ranker)["clicked"][0])
        table.assign(kept)
        return found

    copies = ["a b", "c d e", "h"]
    found = rank_creatives(run, user, ad, copies)
    expected = {copy: logit(copy) for copy in copies}
    assert [f["copy"] for f in found] == sorted(
        copies, key=lambda copy: -expected[copy]
    )
    assert [f["rank"] for f in found] == [1, 2, 3]
    own = logit(dataset.catalogue.titles[3])
    for one in found:
        assert one["logit"] == pytest.approx(expected[one["copy"]], abs=1e-4)
        assert one["gain"] == pytest.approx(one["logit"] - own, abs=1e-4)
    words = {f["copy"]: dict(f["words"]) for f in found}
    assert list(words["c d e"]) == ["c", "d", "e"]
    assert words["c d e"]["d"] == pytest.approx(
        expected["c d e"] - logit("c e"), abs=1e-4
    )


def test_no_copies(run):
    with pytest.raises(InputError, match=r"a list of texts\. Received: 'a b'"):
        rank_creatives(run, "u2", "a3", "a b")


def tuned_encoder():
    """The tiny encoder, of which all layers train."""
    frozen = tiny_encoder.encoder()
    tuned = BertAdEncoder.from_config({**frozen.get_config(), "tuning": "full"})
    tuned.build(None)
    for name, weight in frozen._named.items():
        tuned._named[name].assign(weight)
    return tuned


def test_parts_of_tokens_add_up(deep, rows):
    tuned = tuned_encoder()
    model = tiny_encoder.tokenizer(), tuned
    asked = Question.of_user(deep, rows, rows.user_ids[2], "a3")
    found = explain_tokens(deep, asked, "a b c h", model)
    assert [token for token, _ in found["tokens"]] == ["a", "b", "c", "h"]
    assert found["completeness_error"] < 0.01
    vector = tuned(model[0](["a b c h"]))[:, None, :]
    whole = Question(asked.inputs, asked.history, {**asked.ads, "text": vector})
    logit = float(whole.score(deep)["clicked"][0])
    total = sum(part for _, part in found["tokens"])
    assert found["without"] + total == pytest.approx(logit, abs=0.02)
    assert np.ptp([part for _, part in found["tokens"]]) > 0


@pytest.mark.slow
def test_tokens_that_are_named_count_more_than_others(deep, rows):
    """Two of eight tokens masked: the largest parts, and all pairs on average.

    The interval is that of a mean over texts.
    """
    tokenizer, encoder = tiny_encoder.tokenizer(), tuned_encoder()
    asked = Question.of_user(deep, rows, rows.user_ids[2], "a3")
    generator = np.random.default_rng(0)
    pairs = list(itertools.combinations(range(8), 2))
    gains, others = [], []
    for _ in range(24):
        text = " ".join(generator.choice(list("abcdefgh"), 8))
        found = explain_tokens(deep, asked, text, (tokenizer, encoder))
        sizes = [abs(part) for _, part in found["tokens"]]
        tokens = tokenizer([text] * (len(pairs) + 1))
        first = len(tokenizer.framing_ids()[0])
        for row, pair in enumerate(pairs, start=1):
            tokens["token_ids"][row, [first + place for place in pair]] = (
                tokenizer.mask_id or tokenizer.pad_id
            )
        vectors = encoder(tokens)[:, None, :]
        many = asked.repeat(len(pairs) + 1)
        many = dataclasses.replace(many, ads={**many.ads, "text": vectors})
        logits = many.score(deep)["clicked"].numpy()
        moves = np.abs(logits[1:] - logits[0])
        named = tuple(sorted(np.argsort(sizes)[-2:]))
        others.append(moves.mean())
        gains.append(moves[pairs.index(named)] - moves.mean())
    error = np.std(gains, ddof=1) / np.sqrt(len(gains))
    low, high = np.mean(gains) + np.array([-1.96, 1.96]) * error
    print(
        f"any two move by {np.mean(others):.5f}, those that are named by "
        f"{low:.5f} to {high:.5f} more"
    )
    assert low > 0
