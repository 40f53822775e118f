"""A folder says which encoder is for it."""

import json

import numpy as np
import pytest

from tests.layers.text.tiny_models import (
    CONFIGS,
    ENCODERS,
    PREFIXES,
    reference,
    torch_layout,
    write_model,
)
from tfadrec.core.errors import InputError
from tfadrec.layers.text import load_encoder, top_layers


@pytest.mark.parametrize("kind", ENCODERS)
def test_the_model_type_decides(tmp_path, kind):
    tensors = torch_layout(reference(kind), PREFIXES[kind])
    write_model(tmp_path, tensors, config=CONFIGS[kind])
    loaded = load_encoder(tmp_path, tuning=top_layers(1), name="text")
    assert type(loaded) is ENCODERS[kind]
    assert (loaded.name, loaded.num_frozen_layers) == ("text", 1)
    direct = ENCODERS[kind].from_pretrained(tmp_path)
    inputs = {"token_ids": np.array([[3, 9]]), "token_mask": [[True, True]]}
    np.testing.assert_array_equal(loaded(inputs), direct(inputs))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"model_type": "mamba"},
            "of a type of bert, gpt2, t5, llama.*'mamba'",
        ),
        ({}, r"name its `model_type`\. Received: .*KeyError"),
        ([], r"name its `model_type`\. Received: .*TypeError"),
    ],
)
def test_a_folder_of_no_known_type(tmp_path, config, message):
    write_model(tmp_path, {"a": np.zeros(1)})
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=message):
        load_encoder(tmp_path)
