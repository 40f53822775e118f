"""Tokenizers of one's own, read by transformers and by this project."""

import hashlib
import json

import pytest

from tests import processes
from tfadrec.core.errors import InputError
from tfadrec.data.copy.train_tokenizer import train_tokenizer

TEXTS = [
    f"{colour} {thing} for {who}"
    for colour in ("Red", "blue", "GREEN")
    for thing in ("shoes", "jackets", "tents", "lamps")
    for who in ("runners", "walkers", "children")
]


def load(folder):
    import transformers

    return transformers.AutoTokenizer.from_pretrained(folder)


def test_wordpiece(tmp_path):
    size = train_tokenizer(
        TEXTS, tmp_path, model_type="bert", vocabulary_size=90
    )
    read = load(tmp_path)
    assert len(read) == size <= 90
    ids = read("Blue shoes zur").input_ids
    tokens = read.convert_ids_to_tokens(ids)
    # Whole words of the corpus are tokens, in lower case; a letter that no
    # text has is unknown, and with it its word.
    assert tokens == ["[CLS]", "blue", "shoes", "[UNK]", "[SEP]"]
    assert read.pad_token_id == 0
    assert read.mask_token == "[MASK]"
    assert read.decode(read("red tents").input_ids[1:-1]) == "red tents"
    pair = read.convert_ids_to_tokens(read("red", "blue").input_ids)
    assert pair == ["[CLS]", "red", "[SEP]", "blue", "[SEP]"]


def test_byte_pairs(tmp_path):
    size = train_tokenizer(
        TEXTS, tmp_path, model_type="gpt2", vocabulary_size=300
    )
    read = load(tmp_path)
    assert len(read) == size == 300
    # 256 bytes and one special token; the rest are merges.
    text = "blue shoes, \u00fc \u6f22\u5b57"
    ids = read(text).input_ids
    assert ids[0] == read.bos_token_id == read.pad_token_id
    assert read.decode(ids[1:]) == text
    assert len(read("blue shoes").input_ids) < 1 + len("blue shoes")
    assert "token_type_ids" not in read("blue")


@pytest.mark.parametrize(
    ("kind", "size"),
    [("bert", 90), pytest.param("gpt2", 300, marks=pytest.mark.slow)],
)
def test_the_same_texts_give_the_same_tokenizer(tmp_path, kind, size):
    """In every process, whatever the order of its hash tables."""
    code = (
        "import json, sys\n"
        "from tfadrec.data.copy.train_tokenizer import train_tokenizer\n"
        "texts = json.loads(sys.argv[1])\n"
        "train_tokenizer(texts, sys.argv[2], model_type=sys.argv[3],\n"
        "                vocabulary_size=int(sys.argv[4]))\n"
    )
    digests = set()
    for name in ("one", "two"):
        folder = tmp_path / name
        done = processes.run(code, json.dumps(TEXTS), folder, kind, size)
        assert done.returncode == 0, done.stderr
        file = (folder / "tokenizer.json").read_bytes()
        digests.add(hashlib.sha256(file).hexdigest())
    assert len(digests) == 1


def test_a_small_corpus_gives_a_small_vocabulary(tmp_path):
    size = train_tokenizer(
        ["a b"], tmp_path, model_type="bert", vocabulary_size=1000
    )
    # Five special tokens, and the letters.
    assert size == 7


@pytest.mark.parametrize(
    ("kind", "size", "message"),
    [
        ("t5", 300, "of type bert or gpt2. Received: 't5'"),
        ("gpt2", 256, "integer >= 257, .*Received: 256"),
        ("bert", 6, r"integer >= \d\d, .*Received: 6"),
        ("bert", "many", "Received: 'many'"),
    ],
)
def test_what_cannot_be_trained(tmp_path, kind, size, message):
    with pytest.raises(InputError, match=message):
        train_tokenizer(TEXTS, tmp_path, model_type=kind, vocabulary_size=size)
    assert not list(tmp_path.iterdir())
