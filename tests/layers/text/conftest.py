"""A tiny BERT, and its weights in the layouts that are found in the wild."""

import json

import numpy as np
import pytest
import safetensors.numpy

from tfadrec.core.door import keras, tf

CONFIG = {
    "model_type": "bert",
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 24,
}


def torch_layout(backbone, prefix=""):
    """The weights as PyTorch names and orders them, written by its rules."""
    tensors = {}
    for variable in backbone.weights:
        parts = variable.name.removesuffix(":0").split("/bert/")[1].split("/")
        value = variable.numpy()
        if parts[-1] == "kernel":
            value = np.ascontiguousarray(value.T)
        last = {
            "kernel": "weight",
            "gamma": "weight",
            "embeddings": "weight",
            "beta": "bias",
        }
        parts[-1] = last.get(parts[-1], parts[-1])
        name = prefix + ".".join(parts).replace("layer_._", "layer.")
        tensors[name] = value
    return tensors


def write_model(folder, tensors, *, config=CONFIG, shards=1):
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


@pytest.fixture(scope="session")
def reference():
    """transformers' own model, with weights large enough to tell apart."""
    from transformers import BertConfig, TFBertModel

    keras.utils.set_random_seed(7)
    model = TFBertModel(BertConfig.from_dict(CONFIG), add_pooling_layer=False)
    model.build_in_name_scope()
    random = np.random.default_rng(7)
    for variable in model.weights:
        variable.assign(random.normal(0, 0.5, variable.shape))
    return model


@pytest.fixture(scope="session")
def batch():
    """Six ads of up to 12 tokens; the last has none."""
    random = np.random.default_rng(3)
    lengths = np.array([12, 1, 5, 9, 12, 0])
    return {
        "token_ids": random.integers(0, 50, (6, 12)).astype(np.int32),
        "token_mask": np.arange(12) < lengths[:, None],
    }


@pytest.fixture(scope="session")
def expected_mean(reference, batch):
    """Mean pooling written by hand over transformers' own output."""
    mask = batch["token_mask"]
    tokens = reference(
        input_ids=batch["token_ids"],
        attention_mask=tf.cast(mask, tf.int32),
    ).last_hidden_state.numpy()
    means = [
        row[real].mean(0) if real.any() else np.zeros(16)
        for row, real in zip(tokens, mask, strict=True)
    ]
    return np.stack(means)
