"""LoRA, AdaLoRA, adapters and prefixes: what they compute, train and save."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy

import tfadrec
from tests.layers.text.tiny_models import (
    CONFIGS,
    ENCODERS,
    encoder,
    gradients,
    reference,
)
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.layers.text import adapter, lora, prefix, top_layers
from tfadrec.layers.text.tuning import as_tuning, tuning_config
from tfadrec.layers.text.tuning.bottlenecks import Bottlenecks
from tfadrec.layers.text.tuning.low_rank import LowRank

ALL = ("query", "key", "value", "output", "expand", "contract")
ADALORA = {"final_rank": 1, "last_step": 9}


def of_each_kind(*cases):
    """Each case and each type of model once; the other pairs are slow."""
    kinds = list(CONFIGS)
    quick = {(n % len(cases), kinds[n % 4]) for n in range(max(4, len(cases)))}
    return [
        pytest.param(
            kind, *case, marks=() if (n, kind) in quick else pytest.mark.slow
        )
        for n, case in enumerate(cases)
        for kind in kinds
    ]


@pytest.mark.parametrize(
    ("way", "config"),
    [
        ("full", "full"),
        (top_layers(2), {"class": "top_layers", "k": 2}),
        (
            lora(4, targets=["query"]),
            {
                "class": "lora",
                "rank": 4,
                "alpha": 16.0,
                "targets": ["query"],
                "final_rank": None,
                "first_step": 0,
                "last_step": None,
            },
        ),
        (adapter(8), {"class": "adapter", "bottleneck": 8}),
        (prefix(3), {"class": "prefix", "length": 3}),
    ],
)
def test_configs(way, config):
    assert tuning_config(way) == config
    assert as_tuning(json.loads(json.dumps(config))) == way


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: lora(0), "`rank` must be an integer >= 1. Received: rank=0"),
        (lambda: lora(alpha=0), "`alpha` must be > 0. Received: alpha=0"),
        (lambda: lora(targets="query"), "`targets` must be a list of matrices"),
        (lambda: lora(targets=[]), "`targets` must be a list of matrices"),
        (lambda: lora(last_step=3), "go with `final_rank`"),
        (lambda: lora(first_step=3), "go with `final_rank`"),
        (lambda: lora(2, final_rank=3, last_step=9), "be at most `rank`"),
        (lambda: lora(2, final_rank=1), "0 <= first_step < last_step. Rec"),
        (
            lambda: lora(2, final_rank=1, first_step=9, last_step=9),
            "first_step=9, last_step=9",
        ),
        (lambda: adapter(0), "`bottleneck` must be an integer >= 1"),
        (lambda: prefix(-1), "`length` must be an integer >= 1"),
        (
            lambda: encoder("bert", tuning=lora(targets=["gate", "query"])),
            "of query, key, value, output, expand, contract. Received: gate",
        ),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(
    ("kind", "way", "per_block"),
    of_each_kind(
        (lora(2), 4),
        (lora(2, targets=ALL), 12),
        (lora(2, **ADALORA), 6),
        (adapter(3), 8),
        (prefix(3), 2),
    ),
)
def test_what_is_trained(kind, way, per_block, batch):
    made = encoder(kind, tuning=way)
    names = {variable.name for variable in made.trainable_weights}
    assert len(names) == len(made.trainable_weights) == 2 * per_block
    assert all(name.startswith(f"{made.name}/added/") for name in names)
    assert gradients(made, batch, made.trainable_weights) == names
    assert made.num_frozen_layers == 0
    counted = sum(v.shape.num_elements() for v in made.trainable_weights)
    assert made.num_weights()["trainable"] == counted


def test_numbers_of_weights():
    # Per block: A [16, 2] and B [2, 16] for query, and [16, 2], [2, 32].
    made = encoder("bert", tuning=lora(2, targets=["query", "expand"]))
    assert made.num_weights()["trainable"] == 2 * (64 + 96)
    # After each sublayer: D [16, 3], b [3], U [3, 16], c [16].
    made = encoder("bert", tuning=adapter(3))
    assert made.num_weights()["trainable"] == 2 * 2 * (48 + 3 + 48 + 16)
    # T5's keys are 2 heads x 6 wide: key and value, 3 long.
    made = encoder("t5", tuning=prefix(3))
    assert made.num_weights()["trainable"] == 2 * 2 * 3 * 12


@pytest.mark.parametrize(
    ("kind", "way"),
    of_each_kind((lora(2, 3.0),), (lora(2, **ADALORA),), (adapter(3),)),
)
def test_new_ones_change_nothing(kind, way, batch):
    made = ENCODERS[kind](CONFIGS[kind], tuning=way)
    made.build(None)
    plain = encoder(kind)
    for name, variable in made._named.items():
        variable.assign(plain._named[name])
    np.testing.assert_allclose(made(batch), plain(batch), atol=1e-6)


MATRICES = {
    "bert": "encoder.layer.1.attention.self.value",
    "gpt2": "h.1.attn.c_attn",
    "t5": "encoder.block.1.layer.0.SelfAttention.v",
    "llama": "layers.1.self_attn.v_proj",
    "t5-gated": "encoder.block.1.layer.0.SelfAttention.v",
}


@pytest.mark.parametrize(
    ("kind", "way"),
    of_each_kind((lora(2, 3.0, ALL),), (lora(2, 3.0, ALL, **ADALORA),)),
)
def test_lora_merges(kind, way, batch):
    made = encoder(kind, tuning=way, pooling="attention")
    if way.final_rank:
        made._added._kept.assign([[1, 0], [0, 1]] * 6)
    plain = made.merge()
    assert plain.tuning == "frozen"
    assert len(plain.trainable_weights) == 1  # the query of the pooling
    expected = made(batch).numpy()
    base = made.token_vectors(batch) - encoder(kind).token_vectors(batch)
    assert np.abs(base).max() > 0.01
    np.testing.assert_allclose(plain(batch), expected, atol=2e-5)
    # One of the matrices by hand: W + 3 / 2 A B, in GPT-2 the last third.
    more = (
        plain._named[f"{MATRICES[kind]}.weight"]
        - made._named[f"{MATRICES[kind]}.weight"]
    ).numpy()
    a, b, *scale = (
        variable.numpy()
        for variable in made._added.weights
        if "block_1/value/" in variable.name
    )
    kept = made._added._kept.numpy()[8] if way.final_rank else np.ones(2)
    product = (a * (scale[0] if scale else 1) * kept) @ b * 1.5
    columns = slice(32, 48) if kind == "gpt2" else slice(None)
    np.testing.assert_allclose(more[:, columns], product, atol=1e-5)


@pytest.mark.parametrize("way", ["frozen", "full", top_layers(1)])
def test_what_was_tuned_itself_merges(way, batch):
    made = encoder("gpt2", tuning=way, dtype="mixed_bfloat16")
    plain = made.merge()
    assert plain.trainable_weights == []
    assert plain.dtype_policy.name == "mixed_bfloat16"
    np.testing.assert_array_equal(plain(batch), made(batch))


@pytest.mark.parametrize("way", [adapter(3), prefix(3)])
def test_what_does_not_merge(way):
    with pytest.raises(
        InputError, match=r"merges into plain weights. Received"
    ):
        encoder("bert", tuning=way).merge()


def test_a_bottleneck_by_hand():
    layer = Bottlenecks(["x", "y"], 4, adapter(3))
    rows = np.random.default_rng(0).normal(size=[5, 4]).astype(np.float32)
    layer(rows, place="y")
    random = np.random.default_rng(1)
    layer.set_weights([random.normal(size=v.shape) for v in layer.weights])
    down, b, up, c = (variable.numpy() for variable in layer.weights[4:])
    inner = rows @ down + b
    gelu = keras.activations.gelu(tf.constant(inner)).numpy()
    np.testing.assert_allclose(
        layer(rows, place="y"), rows + gelu @ up + c, rtol=1e-5, atol=1e-5
    )


def test_an_adapter_follows_each_sublayer(batch):
    """With U = 0 and an offset, what is added is the offset, four times."""
    plain, made = encoder("gpt2"), encoder("gpt2", tuning=adapter(3))
    for variable in made._added.weights:
        variable.assign(tf.zeros(variable.shape))
        if variable.name.endswith("up/bias:0"):
            variable.assign(tf.ones(variable.shape))
    biases = [name for name in plain._named if name.endswith("c_proj.bias")]
    assert len(biases) == 4
    for name in biases:
        plain._named[name].assign_add(tf.ones([1, 16]))
    np.testing.assert_allclose(made(batch), plain(batch), atol=1e-5)


def test_a_prefix_is_gpt2s_past(batch):
    """transformers takes keys and values of what came before, too."""
    made = encoder("gpt2", tuning=prefix(3))
    past = tuple(
        tf.stack(
            [
                tf.transpose(
                    tf.reshape(part[block], [1, 3, 2, 8]), [0, 2, 1, 3]
                )
                for part in (made._added._keys, made._added._values)
            ]
        )
        for block in range(2)
    )
    mask = batch["token_mask"]
    for row in range(5):
        ids = batch["token_ids"][row, mask[row]][np.newaxis]
        expected = reference("gpt2")(
            input_ids=ids,
            past_key_values=past,
            position_ids=tf.range(ids.shape[1])[tf.newaxis],
            use_cache=True,
        ).last_hidden_state
        tokens = made.token_vectors(batch)[row][mask[row]]
        np.testing.assert_allclose(tokens, expected[0], atol=1e-5)


def test_a_prefix_has_no_distance_in_t5(batch):
    """A prefix of zero keys and values only takes away attention.

    With one token and a prefix of one, softmax([q k + bias, 0]) is left for it.
    """
    made = encoder("t5", tuning=prefix(1))
    for variable in made._added.weights:
        variable.assign(tf.zeros(variable.shape))
    one = {name: rows[1:2, :1] for name, rows in batch.items()}
    named = {n: v.numpy() for n, v in made._named.items()}

    def norm(rows, name):
        return rows / np.sqrt(np.mean(rows**2) + 1e-6) * named[name]

    row = named["shared.weight"][one["token_ids"][0, 0]]
    bias = named[
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    ][0]
    for block in range(2):
        name = f"encoder.block.{block}.layer"
        attention = f"{name}.0.SelfAttention"
        normed = norm(row, f"{name}.0.layer_norm.weight")
        query, key, value = (
            (normed @ named[f"{attention}.{m}.weight"]).reshape(2, 6)
            for m in "qkv"
        )
        share = 1 / (1 + np.exp(-((query * key).sum(1) + bias)))
        gathered = (share[:, np.newaxis] * value).reshape(12)
        row = row + gathered @ named[f"{attention}.o.weight"]
        normed = norm(row, f"{name}.1.layer_norm.weight")
        inner = normed @ named[f"{name}.1.DenseReluDense.wi.weight"]
        outer = named[f"{name}.1.DenseReluDense.wo.weight"]
        row = row + np.maximum(inner, 0) @ outer
    expected = norm(row, "encoder.final_layer_norm.weight")
    np.testing.assert_allclose(made(one)[0], expected, atol=1e-4)


def made_low_rank(**settings):
    """Two matrices of 3 x 2, with rank 2."""
    layer = LowRank(
        {(0, "a"): (3, 2), (1, "b"): (3, 2)},
        lora(2, 2.0, final_rank=1, **settings),
    )
    layer.build(None)
    return layer


def stepped(layer, rows, upstream):
    """One step of training with a given gradient of the outputs."""

    @tf.function
    def step():
        layer.begin_step()
        with tf.GradientTape() as tape:
            loss = tf.add_n(
                [
                    tf.reduce_sum(
                        upstream[i] * layer(rows, place=place, training=True)
                    )
                    for i, place in enumerate([(0, "a"), (1, "b")])
                ]
            )
        return tape.gradient(loss, layer.trainable_weights)

    return step()


def test_sensitivities_by_hand():
    layer = made_low_rank(first_step=2, last_step=10)
    random = np.random.default_rng(0)
    for variable in layer.trainable_weights:
        variable.assign(random.normal(size=variable.shape))
    rows = random.normal(size=[4, 3]).astype(np.float32)
    upstream = random.normal(size=[2, 4, 2]).astype(np.float32)
    state = np.zeros([2, 2, 3], object)  # average, matrix, part
    for _ in range(3):
        stepped(layer, rows, upstream)
        for i in range(2):
            p, scale, q = (
                part[i].numpy()
                for part in (layer._left, layer._scales, layer._right)
            )
            # alpha / rank = 1: y = x P diag(l) Q.
            found = (
                rows.T @ upstream[i] @ (scale[:, None] * q).T,
                np.diag((rows @ p).T @ upstream[i] @ q.T),
                (rows @ p * scale).T @ upstream[i],
            )
            for part, (w, g) in enumerate(
                zip((p, scale, q), found, strict=True)
            ):
                new = np.abs(w * g)
                mean = 0.85 * state[0, i, part] + 0.15 * new
                state[1, i, part] = 0.85 * state[1, i, part] + 0.15 * np.abs(
                    new - mean
                )
                state[0, i, part] = mean
    expected = [
        (state[0, i, 0] * state[1, i, 0]).mean(0)
        + state[0, i, 1] * state[1, i, 1]
        + (state[0, i, 2] * state[1, i, 2]).mean(1)
        for i in range(2)
    ]
    np.testing.assert_allclose(layer._scores(), expected, rtol=1e-4)


def test_ranks_fall_to_the_most_sensitive():
    layer = made_low_rank(first_step=2, last_step=6)
    rows = np.ones([4, 3], np.float32)
    # The second matrix moves the loss much more than the first.
    upstream = np.ones([2, 4, 2], np.float32) * [[[0.01]], [[1.0]]]
    upstream = upstream.astype(np.float32)
    counts = []
    for _ in range(9):
        for scale in layer._scales:
            scale.assign_add([0.5, 0.2])
        stepped(layer, rows, upstream)
        counts.append(int(layer._kept.numpy().sum()))
    # 4 triplets, then ceil(2 + 2 (1 - (t - 2) / 4)^3) at t = 3, 4, 5, 6: 2.84,
    # 2.25, 2.03 and 2.
    assert counts == [4, 4, 3, 3, 3, 2, 2, 2, 2]
    np.testing.assert_array_equal(layer._kept, [[0, 0], [1, 1]])
    # What is left out is zero in the product, and was set to zero.
    np.testing.assert_array_equal(layer._scales[0], [0, 0])
    assert not layer.product((0, "a")).numpy().any()
    assert layer.product((1, "b")).numpy().any()


MIRRORED = """
import numpy as np
import tfadrec
from tfadrec.core.door import keras, tf

cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
from tests.cases.text import tokens
from tests.layers.text.tiny_models import encoder
from tfadrec import models
from tfadrec.layers.text import lora

def train(strategy, copies):
    keras.utils.set_random_seed(0)
    way = lora(3, 3.0, ["query"], final_rank=1, first_step=2, last_step=6)
    with strategy.scope():
        model = models.LanguageModel(encoder("gpt2", tuning=way, dropout=0.0))
        model.build()
        model.compile(keras.optimizers.SGD(0.5))
    x = {k: np.concatenate([v] * copies) for k, v in tokens(5, 6).items()}
    batch = (x, (x["token_ids"], x["token_mask"]))
    model.fit(tf.data.Dataset.from_tensors(batch).repeat(8), verbose=0)
    return model.encoder._added

one = train(tf.distribute.get_strategy(), 1)
two = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), 2)
assert one._step.numpy() == two._step.numpy() == 8
assert one._kept.numpy().sum() == 2
np.testing.assert_array_equal(one._kept.numpy(), two._kept.numpy())
for a, b in zip(one.trainable_weights, two.trainable_weights, strict=True):
    np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-4)
# A replica's gradient is its share of the whole.
for a, b in zip(one._averages, two._averages, strict=True):
    for mine, theirs in zip(a[0], b[0], strict=True):
        np.testing.assert_allclose(mine / 2, theirs.numpy(), rtol=1e-2)
print("same")
"""


@pytest.mark.slow
def test_two_replicas_leave_out_the_ranks_of_one_device():
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED],
        capture_output=True,
        text=True,
        cwd=pathlib.Path(tfadrec.__file__).parents[1],
        check=False,
    )
    assert done.stdout.endswith("same\n"), done.stderr[-2000:]


def test_what_is_not_finite_is_not_noted():
    layer = made_low_rank(last_step=6)
    for scale in layer._scales:
        scale.assign([1, 1])
    rows, ones = np.ones([4, 3], np.float32), np.ones([2, 4, 2], np.float32)
    stepped(layer, rows, ones)
    before = layer._scores().numpy()
    stepped(layer, rows, ones * np.inf)
    after = layer._scores().numpy()
    assert np.isfinite(after).all()
    assert before.any()


def test_orthogonality_is_a_loss():
    layer = made_low_rank(last_step=6)
    np.testing.assert_allclose(sum(layer.losses), 0, atol=1e-5)
    # P with columns of length 2: |4 1 - 1|^2 = 9 per column.
    layer._left[0].assign(2 * layer._left[0])
    np.testing.assert_allclose(sum(layer.losses), 0.1 * 18, rtol=1e-5)
    plain = LowRank({(0, "a"): (3, 2)}, lora(2))
    plain.build(None)
    assert plain.losses == []


@pytest.mark.parametrize(
    "way", [lora(2), lora(2, **ADALORA), adapter(3), prefix(3)]
)
def test_a_saved_adapter(way, tmp_path, batch):
    made = encoder("bert", tuning=way, pooling="attention", name="one")
    if isinstance(way, type(lora())) and way.final_rank:
        made._added._kept.assign([[1, 0]] * 4)
    made.save_adapter(tmp_path / "new" / "a.safetensors")
    (file,) = (tmp_path / "new").iterdir()
    tensors = safetensors.numpy.load_file(file)
    numbers = sum(value.size for value in tensors.values())
    assert numbers < 0.25 * made.num_weights()["total"]
    assert not any("backbone" in name for name in tensors)
    other = encoder("bert", tuning=way, pooling="attention", name="two")
    for variable in other.trainable_weights:
        variable.assign(tf.ones(variable.shape))
    other.load_adapter(file)
    np.testing.assert_array_equal(other(batch), made(batch))


def another_base(made):
    made._named["encoder.layer.0.output.dense.bias"].assign(tf.ones(16))


@pytest.mark.parametrize(
    ("kind", "kwargs", "change", "message"),
    [
        ("bert", {}, another_base, "with base_sha256=.*, for base_sha256="),
        ("gpt2", {}, lambda made: None, "with base_sha256=.*"),
        ("bert", {"tuning": lora(3)}, lambda made: None, "with tuning=.*2"),
        ("bert", {"pooling": "cls"}, lambda made: None, "with pooling=mean"),
        ("bert", {"tuning": "full"}, lambda made: None, "tuning=full. Save"),
    ],
)
def test_an_adapter_for_something_else(kind, kwargs, change, message, tmp_path):
    encoder("bert", tuning=lora(2)).save_adapter(tmp_path / "a")
    other = encoder(kind, **{"tuning": lora(2), **kwargs})
    change(other)
    before = other.get_weights()
    with pytest.raises(InputError, match=message):
        other.load_adapter(tmp_path / "a")
    for one, two in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, two)


def lose_a_weight(path):
    with safetensors.safe_open(path, "numpy") as file:
        told = file.metadata()
    tensors = safetensors.numpy.load_file(path)
    tensors.pop("added/block_0/query/a")
    safetensors.numpy.save_file(tensors, path, metadata=told)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda p: p.write_bytes(p.read_bytes()[:-9]),
            "whole safetensors file",
        ),
        (lambda p: p.unlink(), "whole safetensors file"),
        (
            lambda p: safetensors.numpy.save_file({"a": np.ones(1)}, p),
            "with base_sha256=None",
        ),
        (lose_a_weight, "which differs in added/block_0/query/a. Save"),
    ],
)
def test_a_damaged_adapter(damage, message, tmp_path):
    made = encoder("bert", tuning=lora(2))
    made.save_adapter(tmp_path / "a")
    damage(tmp_path / "a")
    with pytest.raises(InputError, match=message):
        made.load_adapter(tmp_path / "a")
