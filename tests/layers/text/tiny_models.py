"""Tiny language models, and their weights as they are found in the wild."""

import functools
import json
import warnings

import numpy as np
import safetensors.numpy

from tfadrec.core.door import tf
from tfadrec.layers import text

BERT = {
    "model_type": "bert",
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 24,
}
GPT2 = {
    "model_type": "gpt2",
    "vocab_size": 50,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": 24,
}
T5 = {
    "model_type": "t5",
    "vocab_size": 50,
    "d_model": 16,
    # Heads that are not a share of the width, as in some of the T5s.
    "d_kv": 6,
    "d_ff": 32,
    "num_layers": 2,
    "num_heads": 2,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 10,
    "n_positions": 24,
}
#: Two heads of keys and values for four of queries.
LLAMA = {
    "model_type": "llama",
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 24,
    "rope_theta": 100.0,
    "rms_norm_eps": 1e-4,
}
CONFIGS = {
    "bert": BERT,
    "gpt2": GPT2,
    "t5": T5,
    "llama": LLAMA,
    "t5-gated": {**T5, "feed_forward_proj": "gated-gelu"},
}
ENCODERS = {
    "bert": text.BertAdEncoder,
    "gpt2": text.GPT2AdEncoder,
    "t5": text.T5AdEncoder,
    "llama": text.LlamaAdEncoder,
    "t5-gated": text.T5AdEncoder,
}
PREFIXES = {
    "bert": "bert.",
    "gpt2": "transformer.",
    "t5": "",
    "llama": "model.",
    "t5-gated": "",
}


def batch():
    """Six ads of up to 12 tokens; the last has none."""
    random = np.random.default_rng(3)
    lengths = np.array([12, 1, 5, 9, 12, 0])
    return {
        "token_ids": random.integers(0, 50, (6, 12)).astype(np.int32),
        "token_mask": np.arange(12) < lengths[:, None],
    }


def spread(model):
    """Gives transformers' model weights large enough to tell apart."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*initializer RandomNormal")
        model.build_in_name_scope()
    random = np.random.default_rng(7)
    for variable in model.weights:
        variable.assign(random.normal(0, 0.5, variable.shape))
    return model


@functools.cache
def reference(kind):
    """transformers' own model, `spread`."""
    import transformers

    config_class, made, kwargs = {
        "bert": (
            transformers.BertConfig,
            transformers.TFBertModel,
            {"add_pooling_layer": False},
        ),
        "gpt2": (transformers.GPT2Config, transformers.TFGPT2Model, {}),
        "t5": (transformers.T5Config, transformers.TFT5EncoderModel, {}),
        # A Llama whose weights go by the same names.
        "llama": (transformers.MistralConfig, transformers.TFMistralModel, {}),
    }[kind.partition("-")[0]]
    return spread(made(config_class.from_dict(CONFIGS[kind]), **kwargs))


def torch_layout(model, prefix=""):
    """The weights as PyTorch names and orders them, written by its rules."""
    tensors = {}
    for variable in model.weights:
        name = variable.name.removesuffix(":0").partition("/")[2]
        for before in ("bert/", "transformer/", "model/"):
            name = name.removeprefix(before)
        parts = name.split("/")
        value = variable.numpy()
        if parts[-1] == "kernel":
            value = np.ascontiguousarray(value.T)
        if parts[-1] == "bias":
            value = value.reshape(-1)
        last = {
            "kernel": "weight",
            "gamma": "weight",
            "embeddings": "weight",
            "beta": "bias",
        }
        parts[-1] = last.get(parts[-1], parts[-1])
        tensors[prefix + ".".join(parts).replace("_._", ".")] = value
    return tensors


def write_model(folder, tensors, *, config=BERT, shards=1):
    """A model folder of PyTorch layout."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    if shards == 1:
        safetensors.numpy.save_file(tensors, folder / "model.safetensors")
        return folder
    names = sorted(tensors)
    weight_map = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = {name: tensors[name] for name in names[shard::shards]}
        safetensors.numpy.save_file(part, folder / file)
        weight_map.update(dict.fromkeys(part, file))
    index = json.dumps({"metadata": {}, "weight_map": weight_map})
    (folder / "model.safetensors.index.json").write_text(index)
    return folder


def encoder(kind, **kwargs):
    """An encoder with the weights of the reference, and others at random."""
    made = ENCODERS[kind](CONFIGS[kind], **kwargs)
    made.build(None)
    random = np.random.default_rng(5)
    for variable in made.trainable_weights:
        variable.assign(random.normal(0, 0.3, variable.shape))
    copied = zip(made._backbone.weights, reference(kind).weights, strict=True)
    for variable, value in copied:
        variable.assign(value)
    return made


def gradients(made, inputs, variables, **kwargs):
    """The weights that have a gradient which is not zero."""
    with tf.GradientTape() as tape:
        vectors = made(inputs, **kwargs)
        random = np.random.default_rng(1).normal(size=vectors.shape)
        loss = tf.reduce_sum(vectors * random)
    found = tape.gradient(loss, {v.name: v for v in variables})
    return {
        name
        for name, value in found.items()
        if value is not None and np.abs(tf.convert_to_tensor(value)).max() > 0
    }
