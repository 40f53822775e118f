"""Ad copy to text, text to token ids."""

import subprocess
import sys

import numpy as np
import pytest
import tokenizers
import transformers

from tfadrec.core.errors import InputError
from tfadrec.data.copy.tokenizer import Tokenizer, ad_text

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "shoes", "for", "rain"]


def backend():
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(
            {word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"
        )
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


@pytest.mark.parametrize(
    ("title", "description", "tags", "expected"),
    [
        ("Trail shoes", "For rain", ["a", "b"], "Trail shoes. For rain. a, b"),
        ("Trail shoes", "", ["a"], "Trail shoes. a"),
        (" Trail shoes ", "  ", [], "Trail shoes"),
        ("", "For rain", ["", " a "], "For rain. a"),
        ("", "", [], ""),
    ],
)
def test_ad_text(title, description, tags, expected):
    assert ad_text(title, description, tags) == expected


def test_ids_and_mask():
    out = Tokenizer(backend())(["red shoes", "rain", "blue"])
    np.testing.assert_array_equal(
        out["token_ids"], [[2, 4, 5, 3], [2, 7, 3, 0], [2, 1, 3, 0]]
    )
    np.testing.assert_array_equal(
        out["token_mask"], [[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 0]]
    )
    assert out["token_ids"].dtype == np.int32
    assert out["token_mask"].dtype == bool


def test_no_texts():
    out = Tokenizer(backend())([])
    assert out["token_ids"].shape == out["token_mask"].shape == (0, 0)


def test_cut_by_tokens_keeps_the_special_ones():
    texts = ["red shoes for rain", "red shoes", "red"]
    tokenizer = Tokenizer(backend(), max_tokens=4)
    assert tokenizer.ids(texts) == [[2, 4, 5, 3], [2, 4, 5, 3], [2, 4, 3]]
    assert tokenizer.cut_share(texts) == pytest.approx(1 / 3)
    assert tokenizer.cut_share([]) == 0
    assert Tokenizer(backend()).cut_share(texts) == 0


def test_padded_to_the_longest():
    tokenizer = Tokenizer(backend(), pad_id=6, max_tokens=10)
    out = tokenizer.pad([[4] * 3, []])
    assert out["token_ids"].tolist() == [[4] * 3, [6] * 3]
    assert out["token_mask"].tolist() == [[True] * 3, [False] * 3]


def test_definition_tells_cut_apart():
    one, same = (Tokenizer(backend()).definition for _ in range(2))
    assert one == same
    assert Tokenizer(backend(), max_tokens=9).definition != one


def test_from_pretrained(tmp_path):
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend(), pad_token="[PAD]", unk_token="[UNK]"
    )
    fast.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_text("")
    tokenizer = Tokenizer.from_pretrained(tmp_path, max_tokens=3)
    assert tokenizer.ids(["red shoes"]) == [[2, 4, 3]]
    assert (tokenizer.pad_id, tokenizer.vocabulary_size) == (0, 8)
    assert tokenizer.max_tokens == 3


def test_vocabulary_txt_alone_is_enough(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join([*WORDS, "[MASK]"]))
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_text("")
    tokenizer = Tokenizer.from_pretrained(tmp_path)
    assert tokenizer.ids(["Red shoes"]) == [[2, 4, 5, 3]]


@pytest.mark.parametrize("content", [None, "{"])
def test_no_readable_tokenizer(content, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_text("")
    if content:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match="must hold a tokenizer") as caught:
        Tokenizer.from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("max_tokens", [2, 0, -1])
def test_too_few_tokens(max_tokens):
    with pytest.raises(InputError, match="`max_tokens` must be > 2, the spec"):
        Tokenizer(backend(), max_tokens=max_tokens)


def test_check_fits():
    tokenizer = Tokenizer(backend(), max_tokens=16)
    tokenizer.check_fits(vocabulary_size=8, max_tokens=16)
    with pytest.raises(InputError, match="8 tokens for a table of 7"):
        tokenizer.check_fits(vocabulary_size=7, max_tokens=16)
    with pytest.raises(InputError, match="16 tokens for 15 positions"):
        tokenizer.check_fits(vocabulary_size=8, max_tokens=15)


def test_import_is_light():
    script = """
import sys
import tfadrec.data.copy.tokenizer, tfadrec.data.copy.text_vectors
heavy = {"tensorflow", "tf_keras", "transformers"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", script], check=True)
