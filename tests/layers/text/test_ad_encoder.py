"""What holds for every language model, against transformers' own output."""

import itertools
import json
import re

import numpy as np
import pytest
import safetensors.numpy

from tests.layers.text.tiny_models import (
    CONFIGS,
    ENCODERS,
    PREFIXES,
    encoder,
    gradients,
    reference,
    torch_layout,
    write_model,
)
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.layers.text import backbone, top_layers

#: The gated one is T5 with another feed-forward layer.
KINDS = [
    pytest.param(kind, marks=pytest.mark.slow) if "gated" in kind else kind
    for kind in CONFIGS
]
#: The weights of each block, its norms among them, and those of embeddings.
IN_BLOCK = {"bert": 16, "gpt2": 12, "t5": 8, "llama": 9, "t5-gated": 9}
BELOW = {"bert": 5, "gpt2": 2, "t5": 1, "llama": 1, "t5-gated": 1}
ABOVE = {"bert": 0, "gpt2": 2, "t5": 1, "llama": 1, "t5-gated": 1}
#: T5's first block holds the distances of all.
FIRST = {"bert": 0, "gpt2": 0, "t5": 1, "llama": 0, "t5-gated": 1}


def spoken(kind, batch):
    """transformers' own hidden states, the embeddings first."""
    outputs = reference(kind)(
        input_ids=batch["token_ids"],
        attention_mask=tf.cast(batch["token_mask"], tf.int32),
        output_hidden_states=True,
    )
    return [state.numpy() for state in outputs.hidden_states]


def total(kind):
    return BELOW[kind] + FIRST[kind] + 2 * IN_BLOCK[kind] + ABOVE[kind]


@pytest.mark.parametrize("kind", CONFIGS)
def test_equal_to_transformers(kind, batch):
    expected = spoken(kind, batch)[-1]
    mask = batch["token_mask"]
    vectors = encoder(kind).token_vectors(batch).numpy()
    np.testing.assert_allclose(vectors[mask], expected[mask], atol=1e-5)
    np.testing.assert_array_equal(vectors[~mask], 0)
    means = [
        row[real].mean(0)
        for row, real in zip(expected[:5], mask[:5], strict=True)
    ]
    np.testing.assert_allclose(encoder(kind)(batch)[:5], means, atol=1e-5)


#: In the default run, each kind of model and each pooling once.
POOLED = {
    *(("bert", "cls"), ("bert", "attention")),
    *(("gpt2", "last_token"), ("t5", "mean"), ("llama", "mean")),
}


@pytest.mark.parametrize(
    ("kind", "pooling"),
    [
        pytest.param(*pair, marks=() if pair in POOLED else pytest.mark.slow)
        for pair in itertools.product(
            CONFIGS, ("mean", "cls", "last_token", "attention")
        )
    ],
)
def test_padding_on_either_side_is_the_bare_text(kind, pooling, batch):
    made = encoder(kind, pooling=pooling)
    lengths = batch["token_mask"].sum(1)
    bare = [
        made({name: rows[i : i + 1, :n] for name, rows in batch.items()})[0]
        for i, n in enumerate(lengths)
    ]
    for shift in (0, 7, 12):
        width = 12 + shift
        padded = {
            "token_ids": np.full([6, width], 10**6, np.int32),
            "token_mask": np.zeros([6, width], bool),
        }
        for i, n in enumerate(lengths):
            place = slice(min(shift, width - n), min(shift, width - n) + n)
            padded["token_ids"][i, place] = batch["token_ids"][i, :n]
            padded["token_mask"][i, place] = True
        np.testing.assert_allclose(made(padded), bare, atol=2e-5)


@pytest.mark.parametrize(
    ("way", "lower"), [("frozen", 2), (top_layers(1), 1), ("full", 0)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_lower_and_upper(kind, way, lower, batch):
    made = encoder(kind, tuning=way)
    assert made.num_frozen_layers == lower
    hidden = made.lower(batch)
    mask = batch["token_mask"]
    # The others say their last state after the last norm.
    if lower < 2 or kind == "bert":
        expected = spoken(kind, batch)[lower]
        np.testing.assert_allclose(
            hidden.numpy()[mask], expected[mask], atol=1e-5
        )
    np.testing.assert_allclose(
        made.upper(hidden, mask), encoder(kind)(batch), atol=1e-5
    )
    np.testing.assert_array_equal(made.upper(hidden, mask), made(batch))


@pytest.mark.parametrize(
    ("way", "trained"),
    [
        ("frozen", lambda kind: 0),
        ("full", total),
        (top_layers(1), lambda kind: IN_BLOCK[kind] + ABOVE[kind]),
        (
            {"class": "top_layers", "k": 2},
            lambda kind: total(kind) - BELOW[kind],
        ),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_trained(kind, way, trained, batch):
    made = encoder(kind, tuning=way)
    names = {variable.name for variable in made.trainable_weights}
    assert len(names) == len(made.trainable_weights) == trained(kind)
    assert gradients(made, batch, made.trainable_weights) == names
    below = [
        variable
        for name, variable in made._named.items()
        for block in range(made.num_frozen_layers)
        if name.startswith(f"{made._architecture.blocks}.{block}.")
        and "relative_attention_bias" not in name
    ]
    assert not gradients(made, batch, below)
    assert len({variable.name for variable in made.weights}) == len(
        made.weights
    )
    assert all(variable.name.startswith(made.name) for variable in made.weights)
    state = 0 if way == "frozen" else 1
    assert len(made.weights) == total(kind) + state
    assert made.num_weights()["total"] == sum(
        variable.shape.num_elements() for variable in reference(kind).weights
    )
    assert made.num_weights()["trainable"] == sum(
        variable.shape.num_elements() for variable in made.trainable_weights
    )


def test_the_top_is_the_last_block_and_what_follows():
    made = encoder("gpt2", tuning=top_layers(1))
    for variable in made.trainable_weights:
        assert re.search(r"/h_\._1/|/ln_f/", variable.name), variable.name


def test_attention_pooling_trains_its_query(batch):
    made = encoder("bert", pooling="attention")
    assert [v.name for v in made.trainable_weights] == [
        f"{made.name}/pooling/query:0"
    ]
    assert gradients(made, batch, made.trainable_weights)
    # softmax(h . q) h by hand.
    (query,) = made.get_weights()[:1]
    tokens = made.token_vectors(batch).numpy()[0]
    weights = np.exp(tokens @ query)
    expected = weights @ tokens / weights.sum()
    np.testing.assert_allclose(made(batch)[0], expected, atol=1e-5)


def test_a_new_query_gives_the_mean(batch, expected_mean):
    made = encoder("bert", pooling="attention")
    made._pooling_query.assign(tf.zeros(16))
    np.testing.assert_allclose(made(batch), expected_mean, atol=1e-5)


def test_trainable_switches_what_the_tuning_trains(batch):
    made = encoder("bert", tuning=top_layers(1))
    model = keras.Sequential([made])
    model(batch)
    trained = [v.name for v in made.trainable_weights]
    model.trainable = False
    assert made.trainable_weights == model.trainable_weights == []
    model.trainable = True
    assert [v.name for v in model.trainable_weights] == trained
    assert len(trained) == 16


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("way", "places"), [("frozen", 0), (top_layers(1), 2), ("full", 5)]
)
def test_dropout(kind, way, places, batch):
    made = encoder(kind, tuning=way, dropout=0.5)
    if not places:
        first = made(batch, training=True)
        np.testing.assert_array_equal(first, made(batch))
        return
    # Seed and step: a draw for each place.
    state = next(v for v in made.weights if "dropout" in v.name)
    state.assign([9, 0])
    first = made(batch, training=True).numpy()
    assert state.numpy().tolist() == [9, places]
    assert np.abs(first - made(batch, training=True))[:5].max() > 0.1
    state.assign([9, 0])
    np.testing.assert_array_equal(made(batch, training=True), first)
    np.testing.assert_array_equal(made(batch, training=False), made(batch))


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("bert", "hidden_dropout_prob"),
        ("gpt2", "resid_pdrop"),
        ("t5", "dropout_rate"),
    ],
)
def test_the_rate_of_the_model_is_the_default(kind, field):
    config = {**CONFIGS[kind], field: 0.25}
    made = ENCODERS[kind](config, tuning="full")
    made.build(None)
    assert made.dropout is None
    assert made._dropout.rate == 0.25


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("has_head", [False, True])
def test_torch_files(kind, shards, has_head, tmp_path, batch):
    tensors = torch_layout(reference(kind), PREFIXES[kind] if has_head else "")
    if has_head and kind.startswith("t5"):
        tensors["decoder.block.0.layer.0.layer_norm.weight"] = np.ones(16)
        tensors["encoder.embed_tokens.weight"] = tensors["shared.weight"].copy()
        tensors["lm_head.weight"] = np.ones([50, 16], np.float32)
    if has_head and kind == "llama":
        tensors["lm_head.weight"] = np.ones([50, 16], np.float32)
        name = "model.layers.0.self_attn.rotary_emb.inv_freq"
        tensors[name] = np.ones([2], np.float32)
    if has_head and kind == "gpt2":
        tensors["lm_head.weight"] = np.ones([50, 16], np.float32)
        tensors["transformer.h.0.attn.bias"] = np.ones([1, 1, 24, 24])
        tensors["transformer.h.0.attn.masked_bias"] = np.ones([1])
    folder = write_model(
        tmp_path / "m", tensors, config=CONFIGS[kind], shards=shards
    )
    made = ENCODERS[kind].from_pretrained(folder)
    np.testing.assert_array_equal(made(batch), encoder(kind)(batch))


def test_a_t5_whose_embeddings_go_by_their_other_name(tmp_path, batch):
    tensors = torch_layout(reference("t5"))
    tensors["encoder.embed_tokens.weight"] = tensors.pop("shared.weight")
    folder = write_model(tmp_path / "m", tensors, config=CONFIGS["t5"])
    made = ENCODERS["t5"].from_pretrained(folder)
    np.testing.assert_array_equal(made(batch), encoder("t5")(batch))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", ["1GB", "8KB"])
def test_tf_files(kind, size, tmp_path, batch):
    reference(kind).save_pretrained(
        tmp_path, safe_serialization=True, max_shard_size=size
    )
    # That of a Llama is saved as one of a Mistral.
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS[kind]))
    files = [path.name for path in tmp_path.glob("*.safetensors")]
    assert (files == ["model.safetensors"]) == (size == "1GB")
    made = ENCODERS[kind].from_pretrained(tmp_path)
    np.testing.assert_array_equal(made(batch), encoder(kind)(batch))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("gpt2", "h.1.attn.c_attn.weight"),
        ("t5", "shared.weight"),
        (
            "t5",
            "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
        ),
    ],
)
def test_a_weight_that_is_missing_or_has_another_shape(kind, name, tmp_path):
    tensors = torch_layout(reference(kind))
    value = tensors.pop(name)
    folder = write_model(tmp_path / "m", tensors, config=CONFIGS[kind])
    with pytest.raises(InputError, match=re.escape(f"{name} is missing")):
        ENCODERS[kind].from_pretrained(folder)
    # GPT-2's are not transposed: the other order is another matrix.
    tensors[name] = np.ascontiguousarray(value.T)
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    with pytest.raises(InputError, match=re.escape(f"{name} has the shape")):
        ENCODERS[kind].from_pretrained(folder)


@pytest.mark.parametrize(
    ("kind", "kwargs", "message"),
    [
        ("bert", {"dropout": 1.0}, r"`dropout` must lie in \[0, 1\)"),
        ("bert", {"tuning": "some"}, "must be frozen, full, or have a class"),
        ("bert", {"tuning": {"class": "x"}}, "Received: {'class': 'x'}"),
        (
            "bert",
            {"tuning": {"class": "top_layers", "n": 2}},
            "top_layers takes k. Received: {'n': 2}",
        ),
        ("gpt2", {"tuning": top_layers(3)}, r"2. Received: TopLayers\(k=3\)"),
    ],
)
def test_bad_arguments(kind, kwargs, message):
    with pytest.raises(InputError, match=message):
        ENCODERS[kind](CONFIGS[kind], **kwargs)


@pytest.mark.parametrize("k", [0, -1, 1.0, True, None])
def test_bad_counts(k):
    with pytest.raises(InputError, match=r"`k` must be an integer >= 1. Rec"):
        top_layers(k)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("bert", "position_embedding_type", "relative_key"),
        ("bert", "is_decoder", True),
        ("bert", "hidden_act", "mish"),
        ("gpt2", "scale_attn_by_inverse_layer_idx", True),
        ("gpt2", "scale_attn_weights", False),
        ("gpt2", "add_cross_attention", True),
        ("gpt2", "activation_function", "mish"),
        ("t5", "feed_forward_proj", "tanh"),
        ("llama", "rope_scaling", {"rope_type": "dynamic", "factor": 2.0}),
        ("llama", "attention_bias", True),
        ("llama", "mlp_bias", True),
        ("llama", "head_dim", 8),
        ("llama", "rope_theta", 0),
        ("llama", "hidden_act", "mish"),
    ],
)
def test_backbones_that_are_not_offered(kind, field, value):
    with pytest.raises(InputError, match=r"The backbone's .* must be"):
        ENCODERS[kind]({**CONFIGS[kind], field: value})


@pytest.mark.parametrize("shared", [0, 3, 8, 1.0])
def test_heads_that_cannot_be_shared(shared):
    config = {**CONFIGS["llama"], "num_key_value_heads": shared}
    with pytest.raises(InputError, match=f"must divide .* {shared} for 4"):
        ENCODERS["llama"](config)


def test_heads_of_an_odd_width():
    config = {**CONFIGS["llama"], "hidden_size": 12}
    with pytest.raises(InputError, match=r"an even width\. Received: 3"):
        ENCODERS["llama"](config)


def test_a_llama_without_shared_heads(batch):
    config = {**CONFIGS["llama"], "num_key_value_heads": None}
    made = ENCODERS["llama"](config)
    assert made(batch).shape == [6, 16]
    assert made._named["layers.0.self_attn.k_proj.weight"].shape == [16, 16]


@pytest.mark.parametrize("kind", KINDS)
def test_the_lowest_layers_of_a_file(kind, tmp_path, batch):
    """What follows the second block follows the first one."""
    tensors = torch_layout(reference(kind), PREFIXES[kind])
    folder = write_model(tmp_path / "m", tensors, config=CONFIGS[kind])
    made = ENCODERS[kind].from_pretrained(folder, kept_layers=1)
    whole = encoder(kind)
    assert made.num_layers == made.num_frozen_layers == 1
    below = whole.num_weights()["total"] - made.num_weights()["total"]
    assert below == sum(
        variable.shape.num_elements()
        for name, variable in whole._named.items()
        if whole._architecture.block_of(name) == 1
    )
    mask = batch["token_mask"]
    rows = tf.constant(spoken(kind, batch)[1][mask])
    expected = whole._architecture.last(whole._forward(False), rows)
    vectors = made.token_vectors(batch).numpy()
    np.testing.assert_allclose(vectors[mask], expected, atol=1e-5)
    assert type(made).from_config(made.get_config()).num_layers == 1
    assert made.merge().num_layers == 1


def test_no_other_weight_is_left_out(tmp_path):
    tensors = torch_layout(reference("llama"))
    tensors["layers.10.input_layernorm.weight"] = np.ones(16, np.float32)
    folder = write_model(tmp_path / "m", tensors, config=CONFIGS["llama"])
    with pytest.raises(InputError, match=r"layers\.10\.\S+ is unexpected in"):
        ENCODERS["llama"].from_pretrained(folder, kept_layers=1)


@pytest.mark.parametrize("number", [0, 3, 1.0, True])
def test_more_layers_than_there_are(number):
    with pytest.raises(InputError, match=r"integer in \[1, 2\], the blocks"):
        ENCODERS["llama"](CONFIGS["llama"], kept_layers=number)


def test_a_new_gate_is_another_matrix(recwarn):
    made = ENCODERS["t5"](CONFIGS["t5-gated"])
    made.build(None)
    name = "encoder.block.0.layer.1.DenseReluDense.wi"
    one, two = made._named[f"{name}_0.weight"], made._named[f"{name}_1.weight"]
    assert np.abs(one - two).max() > 0.1
    assert not recwarn.list


def test_a_weight_that_keras_does_not_track():
    """As under Keras 3, where a model of transformers is no layer."""
    one, two = tf.Variable(1.0), tf.Variable(2.0)
    backbone.require_tracked({"a": one, "b": two}, [two, one])
    with pytest.raises(RuntimeError, match="Received: a layer without b"):
        backbone.require_tracked({"a": one, "b": two}, [one])
    with pytest.raises(RuntimeError, match="a layer without weights"):
        backbone.require_tracked({}, [])


@pytest.mark.parametrize(
    ("kind", "depths"),
    [
        ("bert", {"embeddings.LayerNorm.bias": 0, "encoder.layer.1.x": 2}),
        ("gpt2", {"wte.weight": 0, "h.0.ln_1.bias": 1, "ln_f.bias": 3}),
        ("t5", {"shared.weight": 0, "encoder.block.1.layer.0.x": 2}),
        ("t5-gated", {"encoder.final_layer_norm.weight": 3}),
        ("llama", {"embed_tokens.weight": 0, "norm.weight": 3}),
    ],
)
def test_how_far_up_a_weight_stands(kind, depths):
    architecture = ENCODERS[kind].architecture_class(CONFIGS[kind])
    assert {n: architecture.depth_of(n) for n in depths} == depths


@pytest.mark.slow
def test_minilm_equals_transformers(tmp_path):
    import transformers

    from tfadrec.core import pretrained
    from tfadrec.data import Tokenizer

    inputs = Tokenizer.from_pretrained("minilm")(
        ["Trail shoes for wet days", "Toy Story (1995). Animation, Comedy", "a"]
    )
    config = transformers.BertConfig.from_pretrained(
        pretrained.locate("minilm")
    )
    made = ENCODERS["bert"].from_pretrained("minilm")
    model = transformers.TFBertModel(config, add_pooling_layer=False)
    model.build_in_name_scope()
    model.set_weights(made._backbone.get_weights())
    expected = model(
        input_ids=inputs["token_ids"],
        attention_mask=tf.cast(inputs["token_mask"], tf.int32),
    ).last_hidden_state.numpy()
    mask = inputs["token_mask"]
    vectors = made.token_vectors(inputs).numpy()
    np.testing.assert_allclose(vectors[mask], expected[mask], atol=1e-5)


@pytest.mark.slow
def test_smollm2_equals_transformers():
    """As a Mistral, whose weights go by the same names."""
    import transformers

    from tfadrec.data import Tokenizer

    inputs = Tokenizer.from_pretrained("smollm2")(
        ["Trail shoes for wet days", "Toy Story (1995). Animation, Comedy", "a"]
    )
    made = ENCODERS["llama"].from_pretrained("smollm2")
    told = made.backbone_config
    for name in ("model_type", "architectures"):
        told.pop(name)
    config = transformers.MistralConfig.from_dict(told)
    model = transformers.TFMistralModel(config)
    model.build_in_name_scope()
    model.set_weights(made._backbone.get_weights())
    expected = model(
        input_ids=inputs["token_ids"],
        attention_mask=tf.cast(inputs["token_mask"], tf.int32),
    ).last_hidden_state.numpy()
    mask = inputs["token_mask"]
    vectors = made.token_vectors(inputs).numpy()
    assert np.abs(expected[mask]).max() > 30
    np.testing.assert_allclose(vectors[mask], expected[mask], atol=2e-4)
