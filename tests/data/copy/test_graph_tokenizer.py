"""Token ids in the graph against those of the `tokenizers` library."""

import functools
import json

import numpy as np
import pytest
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, trainers

from tests.training import small
from tfadrec import data
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.data.copy.graph_tokenizer import GraphTokenizer
from tfadrec.data.copy.tokenizer import Tokenizer, ad_text

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ENGLISH = [
    "Trail shoes for wet days, don't miss: 20% off!",
    "You'll love THE unaffable café au lait; it's re-released in 2024",
    "We've got what they're after — I'd say so… 'tis 'S",
]
# Code points by what they are: each string takes from a few of these.
SCRIPTS = {
    "ascii": (0x20, 0x7F),
    "control": (0x00, 0x20),
    "latin": (0x80, 0x250),
    "marks": (0x300, 0x370),
    "greek": (0x370, 0x530),
    "hebrew": (0x590, 0x700),
    "devanagari": (0x900, 0x980),
    "jamo": (0x1100, 0x1200),
    "extended": (0x1E00, 0x2000),
    "spaces": (0x2000, 0x2070),
    "symbols": (0x2070, 0x2C00),
    "cjk": (0x3000, 0x3100),
    "han": (0x4E00, 0x4F00),
    "hangul": (0xAC00, 0xAD00),
    "private": (0xE000, 0xE010),
    "compatible": (0xF900, 0xFB50),
    "forms": (0xFB50, 0x10000),
    "plane 1": (0x10000, 0x20000),
    "emoji": (0x1F300, 0x1F700),
    "plane 2": (0x20000, 0x30000),
    "beyond": (0x30000, 0x110000),
}
PIECES = [
    *"'.,!?- \t\n\r",
    *("  ", "   ", " '", "'s", "'re", "'LL", "'ll", "'d'", "''", "\u3000"),
    *SPECIAL,
    "<|endoftext|>",
    *["the", "shoes", "and", "café", "中文", "x", "y", "12", "3.5", "²"],
]


def random_texts(number, seed):
    random = np.random.default_rng(seed)
    scripts = list(SCRIPTS.values())
    texts = []
    for _ in range(number):
        chosen = [scripts[0], *random.permutation(scripts)[:2].tolist()]
        parts = []
        for _ in range(random.integers(0, 12)):
            if random.random() < 0.4:
                parts.append(PIECES[random.integers(len(PIECES))])
                continue
            low, high = chosen[random.integers(len(chosen))]
            points = random.integers(low, high, random.integers(1, 6))
            parts += [chr(p) for p in points if not 0xD800 <= p < 0xE000]
        texts.append("".join(parts))
    return texts


@functools.cache
def real_texts():
    catalogue = data.open_dataset(small.world()).catalogue
    ads = zip(
        catalogue.titles, catalogue.descriptions, catalogue.tags, strict=True
    )
    return [*(ad_text(*ad) for ad in ads), *ENGLISH, *map(str.upper, ENGLISH)]


def bert(**options):
    made = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(**options)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=1500, special_tokens=SPECIAL, show_progress=False
    )
    made.train_from_iterator([*real_texts(), *random_texts(300, 9)], trainer)
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return made


def gpt2():
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([*real_texts(), *random_texts(300, 9)], trainer)
    made.post_processor = tokenizers.processors.ByteLevel(trim_offsets=False)
    return made


def smollm2():
    """Digits stand alone, and some bytes are no part of the vocabulary."""
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        special_tokens=["<|endoftext|>", "[MASK]"],
        show_progress=False,
    )
    made.train_from_iterator([*real_texts(), *random_texts(50, 9)], trainer)
    return made


BACKENDS = {
    "bert": bert,
    "bert, cased": lambda: bert(lowercase=False),
    "bert, as it is": lambda: bert(
        lowercase=False, clean_text=False, handle_chinese_chars=False
    ),
    "gpt2": gpt2,
    "smollm2": smollm2,
}


@functools.cache
def tokenizer(name, max_tokens=64):
    pad_id = 0 if name != "gpt2" else 5
    return Tokenizer(BACKENDS[name](), pad_id=pad_id, max_tokens=max_tokens)


@functools.cache
def in_graph(name, max_tokens=64):
    made = GraphTokenizer(tokenizer(name, max_tokens))
    return tf.function(
        made,
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )


def check(name, texts, max_tokens=64, batch=1000):
    reference = tokenizer(name, max_tokens)
    for start in range(0, len(texts), batch):
        part = texts[start : start + batch]
        found = in_graph(name, max_tokens)(tf.constant(part, tf.string))
        expected = reference(part)
        equal = (
            found["token_ids"].shape == expected["token_ids"].shape
            and (found["token_ids"].numpy() == expected["token_ids"]).all()
        )
        if not equal:
            ids = [
                row[mask].tolist()
                for row, mask in zip(
                    found["token_ids"].numpy(),
                    found["token_mask"].numpy(),
                    strict=True,
                )
            ]
            for text, row, other in zip(
                part, ids, reference.ids(part), strict=True
            ):
                assert row == other, ascii(text)
        np.testing.assert_array_equal(
            found["token_mask"], expected["token_mask"]
        )
        assert found["token_ids"].dtype == tf.int32


def test_some_bytes_are_left_out():
    letters = set(pre_tokenizers.ByteLevel.alphabet())
    assert 5 < len(letters - smollm2().get_vocab().keys()) < 100


def changed(**parts):
    definition = json.loads(BACKENDS["smollm2"]().to_str())
    for name, part in parts.items():
        definition[name] = {**definition[name], **part}
    return definition


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        (
            {"pretokenizers": [{"type": "Digits", "individual_digits": False}]},
            "a pre_tokenizer of type Digits",
        ),
        ({"pretokenizers": []}, "a pre_tokenizer of type Sequence"),
        (
            {
                "pretokenizers": [
                    {"type": "Digits", "individual_digits": False},
                    {"type": "ByteLevel", "add_prefix_space": False}
                    | {"trim_offsets": True, "use_regex": True},
                ]
            },
            "that begins with .*'individual_digits': False",
        ),
    ],
)
def test_pre_tokenizers_that_are_refused(definition, message):
    told = changed(pre_tokenizer=definition)
    made = Tokenizer(tokenizers.Tokenizer.from_str(json.dumps(told)))
    with pytest.raises(InputError, match=message):
        GraphTokenizer(made)


def test_an_unknown_token_beside_bytes_that_are_left_out():
    told = changed(model={"unk_token": "[MASK]"})
    made = Tokenizer(tokenizers.Tokenizer.from_str(json.dumps(told)))
    with pytest.raises(InputError, match="and an unknown token for them"):
        GraphTokenizer(made)


EACH = pytest.mark.parametrize("name", BACKENDS)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if "cased" in name else name
        for name in BACKENDS
    ],
)
def test_real_and_random_texts(name):
    check(name, [*real_texts(), *random_texts(400, 1)])


@pytest.mark.slow
@EACH
def test_many_texts(name):
    check(name, random_texts(50_000, 2))


@pytest.mark.slow
@EACH
def test_every_code_point(name):
    """Each one between two letters, and each after the one before it."""
    points = [p for p in range(0x110000) if not 0xD800 <= p < 0xE000]
    check(name, [f"a{chr(p)}b" for p in points], batch=50_000)
    wide = [
        "".join(map(chr, points[n : n + 20])) for n in range(0, 400_000, 20)
    ]
    check(name, wide, batch=10_000)
