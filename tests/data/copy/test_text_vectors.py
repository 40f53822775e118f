"""Each distinct text is encoded once, and read from disk after."""

import importlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data import tiny_encoder
from tests.data.tiny_encoder import CONFIG
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError
from tfadrec.data.catalogue import Catalogue
from tfadrec.data.copy.text_vectors import encode_text, text_vectors
from tfadrec.layers.text import BertAdEncoder

module = importlib.import_module("tfadrec.data.copy.text_vectors")
TEXTS = ["a b c", "d", "", "a b c", "e f g h a b c d e", "h h", "  "]


@pytest.fixture
def encoder():
    return tiny_encoder.encoder()


@pytest.fixture
def tokenizer():
    return tiny_encoder.tokenizer()


@pytest.fixture
def encoded(op_by_op, monkeypatch):
    """The number of texts in each call of the encoder."""
    counts = []
    traced = module._traced

    def counting(encoder):
        encode = traced(encoder)

        def call(inputs):
            counts.append(len(inputs["token_ids"]))
            return encode(inputs)

        return call

    monkeypatch.setattr(module, "_traced", counting)
    return counts


def one_by_one(texts, tokenizer, encoder):
    """The vectors, without batches, order or cache."""
    return np.stack(
        [
            encoder(tokenizer([text]))[0] if text.strip() else np.zeros(8)
            for text in texts
        ]
    )


def test_equal_to_one_by_one(tmp_path, tokenizer, encoder, encoded):
    vectors = text_vectors(
        TEXTS, tokenizer, encoder, cache=tmp_path, batch_tokens=9
    )
    np.testing.assert_allclose(
        vectors, one_by_one(TEXTS, tokenizer, encoder), atol=1e-5
    )
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors[[2, 6]], 0)
    # Four distinct texts that are not empty: one of 9 tokens, then those of 3,
    # 2 and 1, which are padded to 9.
    assert encoded == [1, 3]


def test_the_second_run_reads_the_disk(tmp_path, tokenizer, encoder, encoded):
    first = text_vectors(TEXTS, tokenizer, encoder, cache=tmp_path)
    again = text_vectors(TEXTS[::-1], tokenizer, encoder, cache=tmp_path)
    np.testing.assert_array_equal(first[::-1], again)
    assert encoded == [4]


def test_one_changed_text_is_one_text_encoded(
    tmp_path, tokenizer, encoder, encoded
):
    text_vectors(TEXTS, tokenizer, encoder, cache=tmp_path)
    changed = ["a b d", *TEXTS[1:]]
    vectors = text_vectors(changed, tokenizer, encoder, cache=tmp_path)
    assert encoded == [4, 1]
    np.testing.assert_allclose(
        vectors, one_by_one(changed, tokenizer, encoder), atol=1e-5
    )


def another_weight(tokenizer, encoder):
    value = encoder.weights[-1]
    value.assign(value + 1e-3)
    return tokenizer, encoder


def another_pooling(tokenizer, encoder):
    made = BertAdEncoder(CONFIG, pooling="cls")
    made.build(None)
    made.set_weights(encoder.get_weights())
    return tokenizer, made


def another_precision(tokenizer, encoder):
    made = BertAdEncoder(CONFIG, dtype="mixed_bfloat16")
    made.build(None)
    made.set_weights(encoder.get_weights())
    return tokenizer, made


def another_cut(tokenizer, encoder):
    return tiny_encoder.tokenizer(max_tokens=5), encoder


@pytest.mark.parametrize(
    "change",
    [
        another_weight,
        another_cut,
        pytest.param(another_pooling, marks=pytest.mark.slow),
        pytest.param(another_precision, marks=pytest.mark.slow),
    ],
)
def test_another_model_encodes_all(
    change, tmp_path, tokenizer, encoder, encoded
):
    text_vectors(TEXTS, tokenizer, encoder, cache=tmp_path)
    tokenizer, encoder = change(tokenizer, encoder)
    vectors = text_vectors(TEXTS, tokenizer, encoder, cache=tmp_path)
    assert encoded == [4, 4]
    np.testing.assert_allclose(
        vectors,
        tf.cast(one_by_one(TEXTS, tokenizer, encoder), "float32"),
        atol=0.05 if change is another_precision else 1e-5,
    )
    assert len(list(tmp_path.iterdir())) == 2


def test_another_name_is_the_same_model(tmp_path, tokenizer, encoder, encoded):
    text_vectors(TEXTS, tokenizer, encoder, cache=tmp_path)
    renamed = BertAdEncoder(CONFIG, name="other", trainable=False)
    renamed.build(None)
    renamed.set_weights(encoder.get_weights())
    text_vectors(TEXTS, tokenizer, renamed, cache=tmp_path)
    assert encoded == [4]


def test_a_killed_run_goes_on(
    tmp_path, tokenizer, encoder, encoded, monkeypatch
):
    monkeypatch.setattr(module, "_TEXTS_PER_PART", 2)
    texts = [f"{word} a b" for word in "abcdefgh"]
    whole = text_vectors(texts, tokenizer, encoder, cache=tmp_path / "whole")
    write, written = module._write_part, []

    def killed_at_the_third(*args):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(args)
        write(*args)

    monkeypatch.setattr(module, "_write_part", killed_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        text_vectors(texts, tokenizer, encoder, cache=tmp_path / "killed")
    monkeypatch.setattr(module, "_write_part", write)
    encoded.clear()
    resumed = text_vectors(texts, tokenizer, encoder, cache=tmp_path / "killed")
    assert encoded == [2, 2]
    np.testing.assert_array_equal(resumed, whole)


def flip_a_byte(path):
    """Changes a vector and leaves a readable file: the checksum tells."""
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(1)
    assert chunk.path_in_schema.startswith("vector")
    content = bytearray(path.read_bytes())
    content[chunk.data_page_offset + chunk.total_compressed_size - 2] ^= 0x01
    path.write_bytes(content)


def another_width(path):
    table = pa.table(
        {
            "text_sha256": pa.array([b"x" * 32], pa.binary(32)),
            "vector": pa.array([[1.0] * 16], pa.list_(pa.float32(), 16)),
        }
    )
    pq.write_table(table, path)


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_byte,
        another_width,
        *(
            pytest.param(damage, marks=pytest.mark.slow)
            for damage in (
                lambda path: path.write_bytes(path.read_bytes()[:-50]),
                lambda path: path.write_bytes(b""),
                lambda path: pq.write_table(pa.table({"x": [1]}), path),
            )
        ),
    ],
)
def test_a_damaged_part_is_made_again(
    damage, tmp_path, tokenizer, encoder, encoded, caplog
):
    first = text_vectors(TEXTS, tokenizer, encoder, cache=tmp_path)
    (path,) = tmp_path.rglob("part-*.parquet")
    before = path.read_bytes()
    damage(path)
    again = text_vectors(TEXTS, tokenizer, encoder, cache=tmp_path)
    np.testing.assert_array_equal(again, first)
    assert encoded == [4, 4]
    assert f"{path} is damaged" in caplog.text
    assert list(tmp_path.rglob("part-*.parquet")) == [path]
    assert path.read_bytes() == before


def test_a_folder_where_a_part_should_be(
    op_by_op, tmp_path, tokenizer, encoder
):
    text_vectors(TEXTS, tokenizer, encoder, cache=tmp_path)
    (path,) = tmp_path.rglob("part-*.parquet")
    path.unlink()
    path.mkdir()
    with pytest.raises(InputError, match=r"which is a folder\. Remove it"):
        text_vectors(TEXTS, tokenizer, encoder, cache=tmp_path)


def test_several_batches_at_once(tmp_path, tokenizer, encoder, monkeypatch):
    """Which thread computes a batch has no part in its vectors."""
    texts = [f"{x} {y}" for x in "abcdefgh" for y in "abcdefgh"]
    kwargs = {"batch_tokens": 4}
    monkeypatch.setattr(module, "_TEXTS_PER_PART", 10)
    alone = text_vectors(
        texts, tokenizer, encoder, cache=tmp_path / "1", **kwargs
    )
    monkeypatch.setattr(module, "_batches_at_once", lambda: 4)
    together = text_vectors(
        texts, tokenizer, encoder, cache=tmp_path / "4", **kwargs
    )
    np.testing.assert_array_equal(together, alone)


def test_batches_at_once(monkeypatch):
    """As many as there are groups of threads among the cores."""
    monkeypatch.setattr(module.os, "cpu_count", lambda: 8)
    for threads, expected in ((0, 1), (1, 8), (3, 2), (8, 1), (16, 1)):
        monkeypatch.setattr(
            tf.config.threading,
            "get_intra_op_parallelism_threads",
            lambda threads=threads: threads,
        )
        assert module._batches_at_once() == expected


@pytest.mark.parametrize("most", [0, module._MAX_CONSTANT_BYTES])
def test_large_weights_stay_variables(
    tmp_path, tokenizer, encoder, monkeypatch, most
):
    """A graph with more than 2 GB of constants would be none."""
    monkeypatch.setattr(module, "_MAX_CONSTANT_BYTES", most)
    vectors = text_vectors(TEXTS, tokenizer, encoder, cache=tmp_path)
    np.testing.assert_allclose(
        vectors, one_by_one(TEXTS, tokenizer, encoder), atol=1e-5
    )


def test_no_scratch_stays(op_by_op, tmp_path, tokenizer, encoder):
    text_vectors(TEXTS, tokenizer, encoder, cache=tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 1
    assert files[0].name.startswith("part-")


def test_the_default_folder(
    op_by_op, tmp_path, monkeypatch, tokenizer, encoder
):
    monkeypatch.setenv("TFADREC_CACHE", str(tmp_path))
    text_vectors(TEXTS, tokenizer, encoder)
    assert len(list((tmp_path / "text_vectors").rglob("part-*"))) == 1


@pytest.mark.parametrize("texts", [[], ["", " "]])
def test_nothing_to_encode(texts, tmp_path, tokenizer, encoder, encoded):
    vectors = text_vectors(texts, tokenizer, encoder, cache=tmp_path)
    np.testing.assert_array_equal(vectors, np.zeros([len(texts), 8]))
    assert encoded == []


@pytest.mark.parametrize("progress", [True, False])
def test_progress(
    op_by_op, progress, tmp_path, tokenizer, encoder, capfd, monkeypatch
):
    monkeypatch.setattr("tfadrec.core.progress.LINE_SECONDS", 0)
    kwargs = {"cache": tmp_path, "progress": progress}
    text_vectors(TEXTS, tokenizer, encoder, **kwargs)
    told = "Encoding ad text: 4 of 4 texts" in capfd.readouterr().err
    assert told == progress
    text_vectors(TEXTS, tokenizer, encoder, **kwargs)
    assert "Encoding" not in capfd.readouterr().err


def test_a_tokenizer_of_another_model(tmp_path, tokenizer):
    encoder = BertAdEncoder({**CONFIG, "vocab_size": 9})
    with pytest.raises(InputError, match="10 tokens for a table of 9"):
        text_vectors(TEXTS, tokenizer, encoder, cache=tmp_path)


def test_tables_that_were_made_before_are_no_part_of_the_graph(
    tmp_path, tokenizer, encoder, caplog
):
    """TensorFlow would warn that it cannot write down what they leave."""
    values = tf.lookup.KeyValueTensorInitializer(["a"], [1])
    tf.lookup.StaticHashTable(values, 0)
    text_vectors(TEXTS, tokenizer, encoder, cache=tmp_path)
    assert "serializing" not in caplog.text


def test_encode_text(tmp_path, tokenizer, encoder):
    catalogue = Catalogue(
        ad_ids=np.array([7, 8, 9]),
        titles=["a b", "", "c"],
        descriptions=["d", "", ""],
        tags=[["e", "f"], [], ["g"]],
    ).with_vectors("image", np.ones([3, 2], np.float32))
    made = encode_text(catalogue, tokenizer, encoder, cache=tmp_path)
    expected = one_by_one(["a b. d. e, f", "", "c. g"], tokenizer, encoder)
    np.testing.assert_allclose(made.columns["text"], expected, atol=1e-5)
    assert set(made.columns) == {"image", "text"}
    assert set(catalogue.columns) == {"image"}
