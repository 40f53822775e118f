"""Files of language models are bounded, and those of their own folder."""

import json
import os

import numpy as np
import pytest
import safetensors.numpy

from tfadrec.core.errors import InputError
from tfadrec.core.model_files import (
    check_sizes,
    check_weights,
    require_whole,
    weight_files,
)
from tfadrec.core.owned_folder import OwnedFolder

#: 50 x 16 + 2 x 16 x 16 numbers of four bytes.
CONFIG = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2}


@pytest.fixture
def folder(tmp_path):
    tensors = {
        "words": np.zeros([50, 16], np.float32),
        "layers": np.zeros([2, 16, 16], np.float32),
    }
    safetensors.numpy.save_file(tensors, tmp_path / "model.safetensors")
    return tmp_path


def index(folder, weight_map):
    (folder / "model.safetensors").unlink(missing_ok=True)
    file = folder / "model.safetensors.index.json"
    file.write_text(json.dumps({"weight_map": weight_map}))


def refused(call, *arguments):
    with pytest.raises(InputError) as error:
        call(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_index_names_files_of_its_folder(folder):
    names = ["b.safetensors", "a.safetensors"]
    index(folder, {"x": names[0], "y": names[1], "z": names[0]})
    assert weight_files(folder) == [folder / name for name in sorted(names)]


@pytest.mark.parametrize(
    "name",
    [
        "../model.safetensors",
        "/etc/model.safetensors",
        "deep/model.safetensors",
        "..\\model.safetensors",
        "model.bin",
        "a\0.safetensors",
        "",
        7,
        None,
        ["a.safetensors"],
        {"a": "b"},
    ],
)
def test_an_index_that_names_others(folder, name):
    index(folder, {"x": name})
    said = refused(weight_files, folder)
    assert "model.safetensors.index.json" in said


@pytest.mark.parametrize("weight_map", [[1], None, "x", 7])
def test_an_index_without_names(folder, weight_map):
    index(folder, weight_map)
    assert "weight_map" in refused(weight_files, folder)


def test_a_config_of_the_weights(folder):
    check_sizes(CONFIG, folder)
    check_sizes({**CONFIG, "task_specific": {"max_length": 10**12}}, folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vocab_size", 10**12),
        ("hidden_size", 10**9),
        ("num_hidden_layers", 10**6),
        ("max_position_embeddings", 10**10),
        ("intermediate_size", 10**10),
        ("type_vocab_size", 10**10),
        ("relative_attention_num_buckets", 10**9),
        ("vocab_size", "many"),
        ("vocab_size", -1),
        ("hidden_size", 1e300),
    ],
)
def test_a_config_of_a_larger_model(folder, name, value):
    """Nothing is made of it, or this would take all memory."""
    said = refused(check_sizes, {**CONFIG, name: value}, folder)
    assert f"{name}=" in said


def header(path, text, length=None):
    data = text.encode()
    size = len(data) if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + data)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("{}", 2**62),
        ("{}", 3),
        ("[" * 100_000, None),
        ('{"x": {"data_offsets": [0, 1000]}}', None),
        ('{"x": {"data_offsets": [5, 2]}}', None),
        # Or a small file would hold the weights of a large model.
        ('{"x":{"data_offsets":[0,4]},"y":{"data_offsets":[0,4]}}1234', 55),
        ('{"x": 7}', None),
        ("[]", None),
    ],
)
def test_headers_that_are_none(tmp_path, text, length):
    header(tmp_path / "x.safetensors", text, length)
    assert "x.safetensors" in refused(check_weights, tmp_path / "x.safetensors")


def test_a_pipe_and_a_folder(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused(check_weights, tmp_path / "pipe")
    refused(check_weights, tmp_path)


def test_a_model_that_tfadrec_wrote_and_somebody_changed(tmp_path):
    with OwnedFolder(tmp_path / "m", "language model").replacing() as fresh:
        (fresh / "config.json").write_text("{}")
    require_whole(tmp_path / "m")
    (tmp_path / "m" / "config.json").write_text("[]")
    assert "config.json is not" in refused(require_whole, tmp_path / "m")
    # One that is not of tfadrec says nothing.
    (tmp_path / "m" / "manifest.json").write_text('{"version": 3}')
    require_whole(tmp_path / "m")
