"""BertAdEncoder against transformers' own output, saved and reloaded."""

import json
import logging
import os
import pathlib
import subprocess
import sys
import warnings

import numpy as np
import pytest
import safetensors.numpy

import tfadrec
from tests.layers.text.tiny_models import BERT, torch_layout, write_model
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.layers.text import BertAdEncoder, backbone

ROOT = pathlib.Path(tfadrec.__file__).parents[1]


@pytest.fixture
def folder(tmp_path, reference):
    return write_model(tmp_path / "tiny", torch_layout(reference))


def loaded(folder, **kwargs):
    return BertAdEncoder.from_pretrained(folder, **kwargs)


def model_of(encoder):
    inputs = {
        "token_ids": keras.Input([None], dtype="int32", name="token_ids"),
        "token_mask": keras.Input([None], dtype="bool", name="token_mask"),
    }
    return keras.Model(inputs, encoder(inputs))


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("prefix", ["", "bert."])
def test_torch_weights(
    shards, prefix, tmp_path, reference, batch, expected_mean
):
    tensors = torch_layout(reference, prefix)
    # What a file of a model with heads holds besides.
    tensors[f"{prefix}pooler.dense.weight"] = np.ones([16, 16], np.float32)
    tensors[f"{prefix}embeddings.position_ids"] = np.arange(24)[None]
    tensors["cls.predictions.bias"] = np.ones([50], np.float32)
    write_model(tmp_path / "m", tensors, shards=shards)
    np.testing.assert_allclose(
        loaded(tmp_path / "m")(batch), expected_mean, atol=1e-5
    )


def test_torch_weights_of_the_first_berts(
    tmp_path, reference, batch, expected_mean
):
    tensors = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): value
        for name, value in torch_layout(reference, "bert.").items()
    }
    write_model(tmp_path / "m", tensors)
    np.testing.assert_allclose(
        loaded(tmp_path / "m")(batch), expected_mean, atol=1e-5
    )


@pytest.mark.parametrize("size", ["1GB", "8KB"])
def test_tf_weights(size, tmp_path, reference, batch, expected_mean):
    reference.save_pretrained(
        tmp_path, safe_serialization=True, max_shard_size=size
    )
    files = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert (files == ["model.safetensors"]) == (size == "1GB")
    np.testing.assert_allclose(
        loaded(tmp_path)(batch), expected_mean, atol=1e-5
    )


def test_tf_weights_with_a_head(tmp_path, batch):
    from transformers import BertConfig, TFBertForMaskedLM

    model = TFBertForMaskedLM(BertConfig.from_dict(BERT))
    model.build_in_name_scope()
    model.save_pretrained(tmp_path, safe_serialization=True)
    tokens = model.bert(
        input_ids=batch["token_ids"],
        attention_mask=tf.cast(batch["token_mask"], tf.int32),
    ).last_hidden_state
    np.testing.assert_allclose(
        loaded(tmp_path, pooling="cls")(batch)[:-1], tokens[:-1, 0], atol=1e-5
    )


def test_half_precision_files(tmp_path, reference, batch, expected_mean):
    tensors = torch_layout(reference)
    halves = {k: v.astype(np.float16) for k, v in tensors.items()}
    encoder = loaded(write_model(tmp_path / "m", halves))
    assert {v.dtype.name for v in encoder.weights} == {"float32"}
    np.testing.assert_allclose(encoder(batch), expected_mean, atol=5e-3)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last_token"])
def test_padding_is_not_read(pooling, folder, batch):
    encoder = loaded(folder, pooling=pooling)
    ids = np.where(batch["token_mask"], batch["token_ids"], -7)
    wide = {
        "token_ids": np.pad(ids, [(0, 0), (0, 8)], constant_values=10**6),
        "token_mask": np.pad(batch["token_mask"], [(0, 0), (0, 8)]),
    }
    vectors = encoder(batch).numpy()
    np.testing.assert_allclose(encoder(wide), vectors, atol=1e-5)
    np.testing.assert_array_equal(vectors[-1], np.zeros(16))


def test_poolings_pick_the_first_and_the_last_real_token(folder, batch):
    tokens = loaded(folder).token_vectors(batch).numpy()
    assert tokens.shape == (6, 12, 16)
    np.testing.assert_array_equal(tokens[~batch["token_mask"]], 0)
    for pooling, place in (("cls", [0] * 5), ("last_token", [11, 0, 4, 8, 11])):
        vectors = loaded(folder, pooling=pooling)(batch).numpy()
        np.testing.assert_allclose(
            vectors[:5], tokens[np.arange(5), place], atol=1e-6
        )


def test_leading_dimensions(folder, batch, expected_mean):
    encoder = loaded(folder)
    for leading in ([6], [2, 3], [1, 3, 2], [3, 0, 2]):
        rows = int(np.prod(leading))
        inputs = {
            name: value[:rows].reshape(*leading, 12)
            for name, value in batch.items()
        }
        expected = expected_mean[:rows].reshape(*leading, 16)
        np.testing.assert_allclose(encoder(inputs), expected, atol=1e-5)
        assert encoder.token_vectors(inputs).shape == (*leading, 12, 16)
    one = {name: value[0] for name, value in batch.items()}
    with pytest.raises(ValueError, match=r"int \[\.\.\., L\]\. Rec.* \[12\]"):
        encoder(one)
    inputs = {
        "token_ids": keras.Input([7, None], dtype="int64"),
        "token_mask": keras.Input([7, None], dtype="bool"),
    }
    assert encoder(inputs).shape.as_list() == [None, 7, 16]
    shapes = {name: value.shape for name, value in inputs.items()}
    assert encoder.compute_output_shape(shapes) == [None, 7, 16]


def test_the_backbone_is_tracked_and_frozen():
    encoder = BertAdEncoder(BERT, name="copy")
    inputs = {
        "token_ids": tf.ones([1, 3], tf.int32),
        "token_mask": tf.ones([1, 3], bool),
    }
    # A dropout would show up here: two calls in training are equal.
    with keras.backend.name_scope("somewhere"):
        first = encoder(inputs, training=True)
    np.testing.assert_array_equal(first, encoder(inputs, training=True))
    # 3 embeddings and their norm's 2; per block 4 + 2 dense layers with bias
    # and 2 norms, 16.
    assert len(encoder.weights) == 5 + 16 * 2
    assert encoder.trainable_weights == []
    names = [variable.name for variable in encoder.weights]
    assert len(set(names)) == len(names)
    assert all(name.startswith("copy/backbone/bert/") for name in names)


@pytest.mark.parametrize(
    ("policy", "variables"),
    [
        ("float32", "float32"),
        ("mixed_bfloat16", "float32"),
        ("mixed_float16", "float32"),
        ("bfloat16", "bfloat16"),
    ],
)
def test_dtype_policy(policy, variables, folder, batch, expected_mean):
    before = keras.mixed_precision.global_policy()
    encoder = loaded(folder, dtype=policy)
    assert keras.mixed_precision.global_policy() is before
    compute = keras.mixed_precision.Policy(policy).compute_dtype
    parts = list(encoder._flatten_layers())
    assert len(parts) > 20
    assert {part.compute_dtype for part in parts} == {compute}
    assert {v.dtype.name for v in encoder.weights} == {variables}
    vectors = encoder(batch)
    assert vectors.dtype == compute
    difference = np.abs(tf.cast(vectors, "float32") - expected_mean)
    assert difference.max() < (1e-5 if compute == "float32" else 0.15)


def test_the_global_policy_returns_after_a_failure():
    before = keras.mixed_precision.global_policy()
    policy = keras.mixed_precision.Policy("mixed_bfloat16")
    with pytest.raises(KeyError), backbone.construction(policy):
        raise KeyError
    assert keras.mixed_precision.global_policy() is before


def test_config_round_trip():
    config = {**BERT, "id2label": {0: "a"}, "pruned_heads": {}}
    encoder = BertAdEncoder(config, pooling="cls", name="e")
    told = json.loads(json.dumps(encoder.get_config()))
    again = BertAdEncoder.from_config(told)
    assert again.get_config() == told == encoder.get_config()
    assert (again.pooling, again.name) == ("cls", "e")
    assert again.backbone_config["hidden_size"] == 16
    assert (again.width, again.vocabulary_size, again.max_tokens) == (
        16,
        50,
        24,
    )


def test_new_weights_follow_the_seed(batch):
    def made():
        keras.utils.set_random_seed(5)
        return BertAdEncoder(BERT)(batch)

    np.testing.assert_array_equal(made(), made())


@pytest.mark.slow  # `test_conformance` reloads every layer so
def test_saved_and_reloaded_in_a_fresh_process(folder, tmp_path, batch):
    model = model_of(loaded(folder))
    expected = model(batch).numpy()
    np.savez(tmp_path / "batch.npz", expected=expected, **batch)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.save(tmp_path / "model.keras")
    assert [str(warning.message) for warning in caught] == []
    model.save(tmp_path / "saved_model")
    script = """
import sys, numpy as np, tfadrec, tfadrec.layers.text
from tfadrec.core.door import keras, tf
batch = dict(np.load("batch.npz"))
expected = batch.pop("expected")
model = keras.models.load_model("model.keras", compile=False)
kinds = [type(layer).__name__ for layer in model.layers]
assert "BertAdEncoder" in kinds, kinds
assert model.trainable_weights == []
np.testing.assert_allclose(model(batch), expected, atol=1e-6)
serve = tf.saved_model.load("saved_model").signatures["serving_default"]
(served,) = serve(**{k: tf.constant(v) for k, v in batch.items()}).values()
np.testing.assert_allclose(served, expected, atol=1e-6)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_jit_compile(folder, batch, expected_mean):
    compiled = tf.function(loaded(folder), jit_compile=True)
    inputs = {name: tf.constant(value) for name, value in batch.items()}
    np.testing.assert_allclose(compiled(inputs), expected_mean, atol=1e-4)


def test_construction_is_quiet(caplog, monkeypatch):
    log = logging.getLogger("transformers")
    monkeypatch.setattr(log, "propagate", True)
    # The notice is given once per process: forget that it was.
    type(log).warning_once.cache_clear()
    with caplog.at_level("WARNING"):
        BertAdEncoder(BERT).build(None)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            lambda t: {
                k: v
                for k, v in t.items()
                if k != "encoder.layer.1.output.dense.bias"
            },
            "encoder.layer.1.output.dense.bias is missing",
        ),
        (
            lambda t: {**t, "encoder.layer.2.x": np.ones(1, np.float32)},
            "encoder.layer.2.x is unexpected",
        ),
        (
            # 16 x 32 holds as many numbers as 32 x 16: not to be reshaped.
            lambda t: {
                **t,
                "encoder.layer.0.output.dense.weight": np.ones(
                    [32, 16], np.float32
                ),
            },
            r"encoder.layer.0.output.dense.weight has the shape \(16, 32\) "
            r"where config.json asks for \(32, 16\)",
        ),
    ],
)
def test_weights_that_do_not_fit(fault, message, tmp_path, reference):
    folder = write_model(tmp_path / "m", fault(torch_layout(reference)))
    with pytest.raises(InputError, match=message):
        loaded(folder)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("shards", "damage", "message"),
    [
        (
            1,
            lambda f: truncate(f / "model.safetensors"),
            "whole safetensors file. Received: .*model.safetensors:",
        ),
        (
            2,
            lambda f: (f / "model-00002-of-00002.safetensors").unlink(),
            "whole safetensors file. Received: .*model-00002-of-00002",
        ),
        (
            2,
            lambda f: (f / "model.safetensors.index.json").write_text("[]"),
            "must be JSON with a `weight_map`",
        ),
        (
            1,
            lambda f: (f / "config.json").write_text("{"),
            "config.json must be readable JSON",
        ),
        (
            1,
            lambda f: (f / "config.json").write_text('{"model_type": "gpt2"}'),
            "must be of type 'bert'. Received: 'gpt2'",
        ),
        (
            1,
            lambda f: (f / "config.json").unlink(),
            "must hold config.json",
        ),
    ],
)
def test_damaged_folders(shards, damage, message, tmp_path, reference):
    tensors = torch_layout(reference)
    folder = write_model(tmp_path / "m", tensors, shards=shards)
    damage(folder)
    with pytest.raises(InputError, match=message):
        loaded(folder)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        (
            {"backbone_config": BERT, "pooling": "max"},
            "must be one of mean, cls, last_token, attention. Received: 'max'",
        ),
        (
            {"backbone_config": {**BERT, "model_type": "t5"}},
            "must describe a bert. Received: model_type='t5'",
        ),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(InputError, match=message):
        BertAdEncoder(**kwargs)


def test_too_many_tokens():
    inputs = {
        "token_ids": tf.ones([1, 25], tf.int32),
        "token_mask": tf.ones([1, 25], bool),
    }
    with pytest.raises(InputError, match=r"at most 24 tokens.*Received: 25"):
        BertAdEncoder(BERT)(inputs)


@pytest.mark.network
def test_minilm_equals_transformers():
    from transformers import BertConfig, TFBertModel

    from tfadrec.core import pretrained
    from tfadrec.data.copy.tokenizer import Tokenizer

    try:
        folder = pretrained.locate("minilm")
    except TfadrecError as error:
        pytest.skip(str(error))
    encoder = BertAdEncoder.from_pretrained("minilm")
    inputs = Tokenizer.from_pretrained("minilm")(
        ["Running shoes for wet trails", "Sneakers", "A loan from your bank"]
    )
    tensors = safetensors.numpy.load_file(folder / "model.safetensors")
    model = TFBertModel(
        BertConfig.from_pretrained(folder), add_pooling_layer=False
    )
    model.build_in_name_scope()
    for variable in model.weights:
        name = variable.name.removesuffix(":0").split("/bert/")[1]
        for old, new in (
            ("/kernel", "/weight"),
            ("/gamma", "/weight"),
            ("/beta", "/bias"),
            ("embeddings/embeddings", "embeddings/weight"),
            ("layer_._", "layer/"),
        ):
            name = name.replace(old, new)
        value = tensors[name.replace("/", ".")]
        variable.assign(value.T if "kernel" in variable.name else value)
    tokens = model(
        input_ids=inputs["token_ids"],
        attention_mask=inputs["token_mask"].astype(np.int32),
    ).last_hidden_state.numpy()
    weights = inputs["token_mask"][..., None].astype(np.float32)
    expected = (tokens * weights).sum(1) / weights.sum(1)
    vectors = encoder(inputs).numpy()
    np.testing.assert_allclose(vectors, expected, atol=1e-5)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
