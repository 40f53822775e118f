"""Tokenizers that would end or hang the process are refused in one line."""

import copy
import json
import os
import shutil

import pytest
import tokenizers

from tests.data import tiny_encoder
from tfadrec.core.errors import InputError
from tfadrec.data.copy.check_tokenizer import check_tokenizer
from tfadrec.data.copy.tokenizer import Tokenizer

GOOD = {
    "added_tokens": [{"id": 4, "content": "[MASK]", "special": True}],
    "normalizer": {
        "type": "Sequence",
        "normalizers": [
            {"type": "Lowercase"},
            {
                "type": "Replace",
                "pattern": {"Regex": " {2,}"},
                "content": "\u2581",
            },
        ],
    },
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": {
        "type": "TemplateProcessing",
        "single": [
            {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 0}},
        ],
        "pair": [],
        "special_tokens": {
            "[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}
        },
    },
    "model": {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "a": 3},
    },
}


def changed(*path, value):
    told = copy.deepcopy(GOOD)
    place = told
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return told


DOUBLING = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
BAD = [
    (
        changed(
            "normalizer",
            value={"type": "Sequence", "normalizers": [DOUBLING] * 40},
        ),
        "characters of one",
    ),
    (
        changed("normalizer", value={**DOUBLING, "content": "a" * 1000}),
        "a very long text",
    ),
    (
        changed(
            "normalizer",
            value={**DOUBLING, "pattern": {"String": ""}, "content": "a" * 99},
        ),
        "100 characters of one",
    ),
    (
        changed(
            "pre_tokenizer",
            value={
                "type": "Sequence",
                "pretokenizers": [{"type": "ByteLevel"}] * 4,
            },
        ),
        "pre-tokenizer makes up to 256 characters",
    ),
    (
        changed(
            "normalizer",
            value={
                "type": "Sequence",
                "normalizers": [{"type": "Lowercase"}] * 101,
            },
        ),
        "102 steps",
    ),
    (
        changed("model", "max_input_chars_per_word", value=10**9),
        "words may have 1000000000 characters",
    ),
    (changed("model", "unk_token", value="[NONE]"), "no unknown token '.NONE"),
    (changed("model", "unk_token", value=None), "no unknown token None"),
    (changed("model", "vocab", value=None), "no vocabulary"),
    (changed("model", "vocab", "a", value=2**40), "a token of the id 10"),
    (changed("model", "vocab", "a", value="x"), "a token of the id 'x'"),
    (
        changed("model", value={"type": "Unigram", "unk_id": 9, "vocab": []}),
        "9",
    ),
    (changed("model", value=[]), "no model"),
    (
        changed("post_processor", "special_tokens", value={}),
        "names '.CLS.', which is no special token",
    ),
    (
        changed("post_processor", "special_tokens", "[CLS]", "ids", value=[77]),
        "is no token",
    ),
    (
        changed(
            "post_processor",
            value={"type": "BertProcessing", "sep": ["x", 99], "cls": ["y", 2]},
        ),
        "its sep token is no token",
    ),
    (
        changed(
            "pre_tokenizer",
            value={
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "Split", "pattern": {"Regex": "(a+)+b"}}
                ],
            },
        ),
        "regular expression '.a.*repeats a choice",
    ),
    (changed("added_tokens", value=[{"id": 9, "content": ""}]), "is empty"),
    ([], "no JSON object"),
]


@pytest.mark.parametrize(("told", "message"), BAD, ids=[m for _, m in BAD])
def test_definitions_that_are_refused(told, message):
    check_tokenizer(GOOD)
    with pytest.raises(ValueError, match=message):
        check_tokenizer(told)


@pytest.fixture
def model(tmp_path):
    return shutil.copytree(
        tiny_encoder.write_model(tmp_path / "made"), tmp_path / "model"
    )


def refused(model, *words):
    with pytest.raises(InputError, match="must hold a tokenizer") as error:
        Tokenizer.from_pretrained(model)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_a_folder_whose_tokenizer_has_no_unknown_token(model):
    file = model / "tokenizer.json"
    told = json.loads(file.read_text())
    told["model"]["unk_token"] = "[NONE]"
    file.write_text(json.dumps(told))
    refused(model, "'[NONE]'")


def test_a_tokenizer_that_pads_to_any_length(model):
    """The library would ask for all of the memory, and end the process."""
    file = model / "tokenizer.json"
    told = json.loads(file.read_text())
    told["padding"] = {
        "strategy": {"Fixed": 10**13},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    file.write_text(json.dumps(told))
    read = Tokenizer.from_pretrained(model)
    assert read(["a b"])["token_ids"].tolist() == [[2, 3]]


def test_files_of_another_folder(model):
    file = model / "tokenizer_config.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps({**told, "vocab_file": "/etc/passwd"}))
    refused(model, "/etc/passwd")


def test_a_panic_of_the_library(model, monkeypatch, capfd):
    """It is a `BaseException`, and has lines of its own on standard error."""

    class PanicException(BaseException):
        pass

    def panic(*_, **__):
        os.write(2, b"thread panicked at lib.rs")
        raise PanicException("index out of bounds")

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", panic)
    capfd.readouterr()
    refused(model, "index out of bounds")
    assert "panicked" not in capfd.readouterr().err


def test_ctrl_c_is_no_fault_of_the_tokenizer(model, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "tfadrec.data.copy.tokenizer.check_tokenizer", interrupt
    )
    with pytest.raises(KeyboardInterrupt):
        Tokenizer.from_pretrained(model)


def test_a_text_that_the_tokenizer_cannot_read():
    """One of Unigram that knows no unknown token."""
    words = tokenizers.models.Unigram([("a", -1.0)])
    read = Tokenizer(tokenizers.Tokenizer(words), max_tokens=4)
    assert read(["aa"])["token_ids"].tolist() == [[0, 0]]
    with pytest.raises(InputError, match="must read every text") as error:
        read(["b"])
    assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="must read every text"):
        read.cut_share(["b"])
