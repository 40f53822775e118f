"""The lower layers' outputs: computed once, and again where it matters."""

import resource
import shutil

import numpy as np
import pytest

from tests.layers.text.tiny_models import BERT as CONFIG
from tfadrec.core.door import keras
from tfadrec.core.errors import InputError
from tfadrec.data.copy.lower_layers import lower_layers
from tfadrec.data.tokens import Tokens
from tfadrec.layers.text import BertAdEncoder
from tfadrec.layers.text.tuning import top_layers

TEXTS = [[7, 3, 9], [], [4], [8, 8, 1, 2, 40]]


def make(tuning=None, **arguments):
    keras.utils.set_random_seed(3)
    config = {**CONFIG, "num_hidden_layers": 3}
    encoder = BertAdEncoder(config, tuning=tuning or top_layers(1), **arguments)
    encoder.build(None)
    return encoder


@pytest.mark.parametrize("batch_size", [1, 3])
def test_one_row_for_each_token(tmp_path, batch_size):
    encoder = make()
    path = lower_layers(
        Tokens.from_lists(TEXTS),
        encoder,
        cache=tmp_path,
        batch_size=batch_size,
        progress=False,
    )
    table = np.fromfile(path, np.float32).reshape(-1, 16)
    expected = [
        encoder.lower(
            {"token_ids": np.array([row]), "token_mask": [[True] * len(row)]}
        )[0]
        for row in TEXTS
        if row
    ]
    expected.append(np.zeros([1, 16]))
    np.testing.assert_allclose(table, np.concatenate(expected), atol=1e-5)
    assert list(tmp_path.iterdir()) == [path.parent]


def test_what_is_known_is_not_computed_again(tmp_path):
    tokens, encoder = Tokens.from_lists(TEXTS), make()

    def path(tokens, encoder):
        return lower_layers(tokens, encoder, cache=tmp_path, progress=False)

    first = path(tokens, encoder)
    written = first.stat().st_mtime_ns
    # What is trained has no part in it.
    for variable in encoder.trainable_weights:
        variable.assign(variable + 1)
    same = [encoder, make(name="other"), make(pooling="cls")]
    assert {path(tokens, other) for other in same} == {first}
    assert first.stat().st_mtime_ns == written
    changed = make()
    changed.non_trainable_weights[0].assign_add(
        np.full(changed.non_trainable_weights[0].shape, 0.1, np.float32)
    )
    others = [changed, make(top_layers(2)), make(dtype="mixed_bfloat16")]
    paths = {path(tokens, other) for other in others}
    paths.add(path(Tokens.from_lists([*TEXTS, [1]]), encoder))
    # The same tokens, cut into other ads.
    paths.add(path(Tokens.from_lists([[7, 3], [9], [4], TEXTS[3]]), encoder))
    assert len(paths | {first}) == 6


def test_a_table_that_was_changed_is_not_used(tmp_path):
    tokens, encoder = Tokens.from_lists(TEXTS), make()
    path = lower_layers(tokens, encoder, cache=tmp_path, progress=False)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"table\.bin, which is not\. Remove"):
        lower_layers(tokens, encoder, cache=tmp_path, progress=False)


def test_a_file_where_the_folder_should_be(tmp_path):
    tokens, encoder = Tokens.from_lists(TEXTS), make()
    path = lower_layers(tokens, encoder, cache=tmp_path, progress=False)
    shutil.rmtree(path.parent)
    path.parent.write_text("mine")
    with pytest.raises(InputError, match="which is something else"):
        lower_layers(tokens, encoder, cache=tmp_path, progress=False)
    assert path.parent.read_text() == "mine"


def test_a_disk_that_is_full(tmp_path):
    """A limit on the size of files stands for it: an error, and no signal."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            lower_layers(Tokens.from_lists(TEXTS), make(), cache=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_computation_leaves_nothing(tmp_path, monkeypatch):
    encoder = make()

    def killed(inputs):
        raise KeyboardInterrupt

    monkeypatch.setattr(encoder, "lower", killed)
    with pytest.raises(KeyboardInterrupt):
        lower_layers(Tokens.from_lists(TEXTS), encoder, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_layer_is_frozen(tmp_path):
    with pytest.raises(
        InputError, match=r"where they are frozen\. Received: an"
    ):
        lower_layers(Tokens.from_lists(TEXTS), make("full"), cache=tmp_path)
