"""A tiny BERT, and its weights in the layouts that are found in the wild."""

import json

import numpy as np
import safetensors.numpy

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
