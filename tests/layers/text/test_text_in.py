"""From text to vectors with the tokenizers of GPT-2 and T5, and bad input."""

import json
import logging

import numpy as np
import pytest
import tokenizers
import transformers
from tokenizers import decoders, models, pre_tokenizers

from tests.layers.text.tiny_models import (
    CONFIGS,
    reference,
    torch_layout,
    write_model,
)
from tests.training import small
from tfadrec import training
from tfadrec.core.errors import InputError
from tfadrec.data import (
    Tokenizer,
    encode_text,
    open_dataset,
    text_vectors,
)
from tfadrec.layers.text import load_encoder

WORDS = ("red", "shoes", "rain", "for")


def byte_level(folder):
    """GPT-2's kind: bytes and merges, no special token, none for padding."""
    letters = sorted({c for word in WORDS for c in word})
    vocabulary = {c: i for i, c in enumerate(["Ġ", *letters])}
    merges = [("r", "e"), ("re", "d"), ("Ġ", "s")]
    for pair in merges:
        vocabulary["".join(pair)] = len(vocabulary)
    for letter in sorted(pre_tokenizers.ByteLevel.alphabet()):
        if len(vocabulary) < 49 and letter not in vocabulary:
            vocabulary[letter] = len(vocabulary)
    vocabulary["<|endoftext|>"] = 49
    made = tokenizers.Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, unk_token="<|endoftext|>")
    )
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "GPT2Tokenizer"})
    )


def unigram(folder):
    """T5's kind: pieces with scores, and an end of text."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(f"▁{word}", -3.0) for word in WORDS]
    pieces += [(c, -6.0) for c in "abcdefghijklmnopqrstuvwxyz."]
    made = tokenizers.Tokenizer(models.Unigram(pieces, unk_id=2))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    made.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "T5Tokenizer", "extra_ids": 0})
    )


def word_piece(folder):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(words))


TOKENIZERS = {
    "bert": word_piece,
    "gpt2": byte_level,
    "t5": unigram,
    "llama": byte_level,
}


@pytest.fixture(params=TOKENIZERS)
def folder(request, tmp_path):
    return model_folder(request.param, tmp_path)


def model_folder(kind, tmp_path):
    made = write_model(
        tmp_path / kind, torch_layout(reference(kind)), config=CONFIGS[kind]
    )
    TOKENIZERS[kind](made)
    return made


def test_ids(folder):
    tokenizer = Tokenizer.from_pretrained(folder, max_tokens=24)
    # GPT-2: r-e-d is one, a space with s another; then h, o, e, s.
    expected = {"bert": [2, 5, 6, 3], "t5": [4, 5, 1]}
    if folder.name in expected:
        assert tokenizer.ids(["red shoes"]) == [expected[folder.name]]
    else:
        own = transformers.GPT2TokenizerFast.from_pretrained(folder)
        (ids,) = tokenizer.ids(["red shoes"])
        assert ids == own("red shoes").input_ids
        assert own.convert_ids_to_tokens(ids) == ["red", "Ġs", *"hoes"]
        assert own.pad_token_id is None
        assert tokenizer.pad_id == 0


def test_any_text_has_a_vector(folder, tmp_path):
    encoder = load_encoder(folder)
    tokenizer = Tokenizer.from_pretrained(folder, max_tokens=24)
    texts = ["red shoes", "red " * 25_000, "", " ", "красные туфли", "靴\x00"]
    assert len(texts[1]) == 100_000
    vectors = text_vectors(
        texts, tokenizer, encoder, cache=tmp_path / "c", progress=False
    )
    assert vectors.shape == (6, 16)
    assert np.isfinite(vectors).all()
    np.testing.assert_array_equal(vectors[2:4], 0)
    for row in (0, 1, 4, 5):
        alone = encoder(tokenizer([texts[row]]))[0]
        np.testing.assert_allclose(vectors[row], alone, atol=1e-5)
        assert np.abs(vectors[row]).max() > 0
    # The long one is what its first tokens say.
    first = encoder(tokenizer(["red " * 100]))[0]
    np.testing.assert_allclose(vectors[1], first, atol=1e-5)
    assert tokenizer.cut_share(texts) >= 1 / 6


def test_a_tokenizer_of_another_model(folder, tmp_path):
    encoder = type(load_encoder(folder))
    config = {**CONFIGS[folder.name], "vocab_size": 9}
    if folder.name == "bert":
        config["vocab_size"] = 8
    tokenizer = Tokenizer.from_pretrained(folder, max_tokens=24)
    with pytest.raises(InputError, match="vocabulary must fit the encoder's"):
        text_vectors(["red"], tokenizer, encoder(config), cache=tmp_path / "c")


def test_a_run_names_what_the_vectors_are_of(tmp_path):
    folder = model_folder("llama", tmp_path)
    tokenizer = Tokenizer.from_pretrained(folder, max_tokens=24)
    encoder = load_encoder(folder, kept_layers=1, pooling="last_token")
    catalogue = open_dataset(small.world()).catalogue
    found = encode_text(
        catalogue, tokenizer, encoder, cache=tmp_path / "c", progress=False
    )
    assert found.text["kept_layers"] == 1
    again = encode_text(
        catalogue,
        *training.text_model(found.text),
        cache=tmp_path / "d",
        progress=False,
    )
    np.testing.assert_array_equal(found.columns["text"], again.columns["text"])
    whole = encode_text(
        catalogue,
        tokenizer,
        load_encoder(folder),
        cache=tmp_path / "c",
        progress=False,
    )
    assert "kept_layers" not in whole.text


def test_a_sentencepiece_file_alone(tmp_path, caplog):
    caplog.set_level(logging.CRITICAL)
    made = write_model(
        tmp_path / "m", torch_layout(reference("t5")), config=CONFIGS["t5"]
    )
    (made / "spiece.model").write_bytes(b"\x0a\x0e")
    with pytest.raises(InputError, match="must hold a tokenizer, as tokenizer"):
        Tokenizer.from_pretrained(made)


def truncate(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "must be a whole safetensors file. Received: .*model.saf"),
        (lambda f: (f / "config.json").unlink(), "must hold config.json"),
        (
            lambda f: (f / "model.safetensors").rename(f / "model.bin"),
            "only model.bin, a pickle",
        ),
        (
            lambda f: (f / "config.json").write_text('{"model_type": "mamba"}'),
            "of a type of bert, gpt2, t5, llama. Received: 'mamba'",
        ),
    ],
)
def test_damaged_folders(folder, damage, message):
    damage(folder)
    with pytest.raises(InputError, match=message):
        load_encoder(folder)
