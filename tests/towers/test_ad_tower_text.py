"""AdTower with an encoder that is trained, against the encoder's own call."""

import dataclasses

import numpy as np
import pytest

from tests.layers.text.tiny_models import BERT as CONFIG
from tests.towers import test_ad_tower as plain
from tfadrec.core.door import keras, tf
from tfadrec.core.errors import InputError
from tfadrec.data.copy.lower_layers import lower_layers
from tfadrec.data.tokens import Tokens
from tfadrec.layers.text import BertAdEncoder
from tfadrec.layers.text.tuning import top_layers
from tfadrec.towers import AdTower

D = 4
#: Ad 2 has no text.
LENGTHS = [3, 0, 9, 1, 2, 6]
ROWS = np.array([[1, 6, 6, 0], [3, 1, 2, 5]], np.int32)


def catalogue():
    random = np.random.default_rng(5)
    ids = [random.integers(1, 50, length).tolist() for length in LENGTHS]
    return dataclasses.replace(plain.catalogue(), tokens=Tokens.from_lists(ids))


def make(tuning="full", *, dtype=None, **arguments):
    """A tower whose weights are all random, without dropout."""
    keras.utils.set_random_seed(0)
    encoder = BertAdEncoder(
        CONFIG, tuning=tuning, dropout=0.0, name="text", dtype=dtype
    )
    tower = AdTower(
        catalogue(), D, text=encoder, id_dropout=0.0, dtype=dtype, **arguments
    )
    tower(tf.constant([1]))
    random = np.random.default_rng(1)
    for variable in tower.weights:
        if variable.dtype.is_floating and "table" not in variable.name:
            variable.assign(random.normal(0, 0.3, variable.shape))
    return tower


def text_field(tower, rows):
    """Each row's text encoded by itself, repeats too: [n, D]."""
    tokens = catalogue().tokens
    longest = max(LENGTHS)
    ids = np.zeros([rows.size, longest], np.int32)
    mask = np.zeros([rows.size, longest], bool)
    for place, row in enumerate(rows.flat):
        if row:
            own = tokens.ids[tokens.starts[row - 1] : tokens.starts[row]]
            ids[place, : len(own)] = own
            mask[place, : len(own)] = True
    vectors = tower.text({"token_ids": ids, "token_mask": mask}, training=True)
    norms = tf.maximum(tf.norm(vectors + 1e-30, axis=-1, keepdims=True), 1e-6)
    return tower._text_projection(vectors / norms)


def value_and_gradients(tower, encode, *, traced=True, **options):
    """A random sum of the text field, and its gradients by name."""
    factors = np.random.default_rng(2).normal(size=[ROWS.size, D])

    def run():
        with tf.GradientTape() as tape:
            field = encode(tf.constant(ROWS))
            total = tf.reduce_sum(tf.reshape(field, [-1, D]) * factors)
        return field, tape.gradient(total, tower.trainable_weights)

    field, gradients = (tf.function(run, **options) if traced else run)()
    return np.reshape(field, [-1, D]), {
        variable.name: tf.convert_to_tensor(gradient).numpy()
        for variable, gradient in zip(
            tower.trainable_weights, gradients, strict=True
        )
        if gradient is not None
    }


def tower_field(tower):
    return lambda rows: tower(rows, training=True)["fields"][:, :, -1]


def assert_as_plain(tower, found):
    """Values and gradients are those of every row encoded by itself."""
    field, gradients = found
    wanted, expected = value_and_gradients(
        tower, lambda _: text_field(tower, ROWS), traced=False
    )
    np.testing.assert_allclose(field, wanted, rtol=1e-5, atol=1e-6)
    assert sum(name.startswith("text/") for name in expected) >= 16
    for name in expected:
        # Relative to the whole weight: an element may be a sum near zero.
        error = np.linalg.norm(gradients[name] - expected[name])
        assert error <= 1e-5 * np.linalg.norm(expected[name]) + 1e-7, name


@pytest.mark.parametrize(
    ("tuning", "way"),
    [
        ("full", {"traced": False}),
        pytest.param("full", {}, marks=pytest.mark.slow),
        pytest.param(top_layers(1), {}, marks=pytest.mark.slow),
        pytest.param("full", {"jit_compile": True}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_gradients_are_those_of_every_row_encoded(tuning, way):
    """Below they are traced by default, with lower layers from a file."""
    tower = make(tuning)
    found = value_and_gradients(tower, tower_field(tower), **way)
    assert_as_plain(tower, found)


def encoded_shapes(tower, encode):
    """The shape of what each call of the encoder's upper part is given."""
    shapes, upper = [], tower.text.upper

    def recording(hidden, mask, training):
        shapes.append(tuple(mask.shape))
        return upper(hidden, mask, training)

    tower.text.upper = recording
    encode()
    del tower.text.upper
    return shapes


def test_each_distinct_text_is_encoded_once_beside_others_of_its_length():
    tower = make()
    wanted = {"rows": (tf.constant(ROWS), ["vector"])}
    shapes = encoded_shapes(tower, lambda: tower.encode(wanted))
    # Rows 0, 1, 2, 3, 5, 6 have 0, 3, 0, 9, 2, 6 tokens: sorted and in four
    # groups 0 | 0 2 | 3 | 6 9, and a group has at least one position.
    assert shapes == [(1, 1), (2, 2), (1, 3), (2, 9)]


@pytest.mark.slow
@pytest.mark.parametrize(("room", "encoded"), [(6, 6), (5, 7)])
def test_room_for_distinct_texts_under_xla(room, encoded):
    tower = make(max_distinct=room)
    assert_as_plain(
        tower,
        value_and_gradients(tower, tower_field(tower), jit_compile=True),
    )
    # The distinct rows, and row 0 in the last of the catalogue's seven places:
    # the sixth has a text, so a step with room for five encodes all places.
    rows = tf.constant([0, 1, 2, 3, 5, 6, 0])
    shapes = encoded_shapes(tower, lambda: tower._copy.encode_padded(rows))
    assert shapes == [(encoded, max(LENGTHS))]


def test_lower_layers_are_read_from_a_file(tmp_path):
    tower = make(top_layers(1))
    expected = value_and_gradients(tower, tower_field(tower), traced=False)
    path = lower_layers(
        catalogue().tokens, tower.text, cache=tmp_path, progress=False
    )
    tower.read_lower_layers(path)
    tower.text.lower = None  # it is not run again
    field, gradients = value_and_gradients(tower, tower_field(tower))
    np.testing.assert_allclose(field, expected[0], rtol=1e-5, atol=1e-6)
    assert gradients.keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        error = np.linalg.norm(gradients[name] - gradient)
        assert error <= 1e-5 * np.linalg.norm(gradient) + 1e-7, name


def test_half_precision_lower_layers_are_kept_in_half_precision(tmp_path):
    tower = make(top_layers(1), dtype="mixed_bfloat16")
    expected = tower(tf.constant(ROWS))["fields"]
    path = lower_layers(
        catalogue().tokens, tower.text, cache=tmp_path, progress=False
    )
    # Two bytes for each of 16 numbers, of 21 tokens and one in padding.
    assert path.stat().st_size == 2 * 16 * 22
    tower.read_lower_layers(path)
    found = tower(tf.constant(ROWS))["fields"]
    np.testing.assert_allclose(
        tf.cast(found, tf.float32), tf.cast(expected, tf.float32), atol=0.02
    )


@pytest.mark.parametrize(
    "name", ["model.keras", pytest.param("model", marks=pytest.mark.slow)]
)
def test_a_saved_model_does_not_need_the_file(tmp_path, name):
    tower = make(top_layers(1))
    path = lower_layers(
        catalogue().tokens, tower.text, cache=tmp_path, progress=False
    )
    tower.read_lower_layers(path)
    rows = keras.Input([None], dtype=tf.int32)
    model = keras.Model(rows, tower(rows)["vector"])
    expected = model(tf.constant(ROWS))
    model.save(tmp_path / name)
    path.unlink()
    loaded = keras.models.load_model(tmp_path / name)
    np.testing.assert_allclose(loaded(tf.constant(ROWS)), expected, atol=1e-6)
    if name == "model":
        loaded = tf.saved_model.load(str(tmp_path / name))
        np.testing.assert_allclose(
            loaded(tf.constant(ROWS)), expected, atol=1e-6
        )


def test_a_frozen_encoder_is_a_vector_column():
    tower = make("frozen")
    tokens = catalogue().tokens
    vectors = [
        tower.text(
            {
                "token_ids": tokens.ids[None, begin:end],
                "token_mask": np.ones([1, end - begin], bool),
            }
        )[0]
        if end > begin
        else np.zeros(16, np.float32)
        for begin, end in zip(tokens.starts, tokens.starts[1:], strict=False)
    ]
    ads = dataclasses.replace(plain.catalogue(), tokens=None)
    column = AdTower(ads.with_vectors("text", np.stack(vectors)), D)
    column(tf.constant([1]))
    of_tower = {
        v.name.partition("/")[2]: v.numpy() for v in tower.trainable_weights
    }
    for variable in column.trainable_weights:
        name = variable.name.partition("/")[2]
        # Here it is the projection of a feature.
        name = name.replace("features/text_projection", "text_projection")
        variable.assign(of_tower[name])
    np.testing.assert_allclose(
        tower(tf.constant(ROWS))["vector"],
        column(tf.constant(ROWS))["vector"],
        atol=1e-5,
    )


def test_a_file_for_another_catalogue(tmp_path):
    tower = make(top_layers(1))
    other = Tokens.from_lists([[1, 2]])
    path = lower_layers(other, tower.text, cache=tmp_path, progress=False)
    # 21 tokens and padding, times 16 numbers of four bytes; 2 tokens there.
    with pytest.raises(InputError, match=r"1408 bytes\. Received: .* with 192"):
        tower.read_lower_layers(path)


def test_a_file_for_no_encoder(tmp_path):
    with pytest.raises(
        InputError, match=r"`text`\. Received: built=True, text"
    ):
        plain.filled()[0].read_lower_layers(tmp_path / "any")
    tower = AdTower(catalogue(), text=BertAdEncoder(CONFIG))
    with pytest.raises(InputError, match=r"Received: built=False"):
        tower.read_lower_layers(tmp_path / "any")


@pytest.mark.parametrize(
    ("spec", "arguments", "message"),
    [
        ({"tokens": None}, {}, "Received: a catalogue without tokens"),
        (
            {"features": [{"name": "text", "kind": "vector", "width": 3}]},
            {},
            "Received: a catalogue with both",
        ),
        (
            {"tokens": {"count": 30, "longest": 25}},
            {},
            r"50 ids, and at most 24 .* Received: the id 0, and 25 tokens",
        ),
        ({}, {"max_distinct": 0}, r"or None\. Received: max_distinct=0"),
    ],
)
def test_bad_arguments(spec, arguments, message):
    with pytest.raises(ValueError, match=message):
        AdTower(
            {**catalogue().spec(), **spec},
            text=BertAdEncoder(CONFIG),
            **arguments,
        )


def test_tokens_of_another_vocabulary():
    ads = dataclasses.replace(
        plain.catalogue(), tokens=Tokens.from_lists([[1], [50], *[[]] * 4])
    )
    with pytest.raises(ValueError, match=r"Received: the id 50, and 1 tokens"):
        AdTower(ads, text=BertAdEncoder(CONFIG))


def test_an_ad_of_nothing_but_text():
    spec = {**plain.EMPTY, "tokens": {"count": 5, "longest": 2}}
    tower = AdTower(spec, D, text=BertAdEncoder(CONFIG), use_id=False)
    assert tower.num_fields == 1
    assert tower(tf.constant(ROWS % 4))["fields"].shape == [2, 4, 1, D]
