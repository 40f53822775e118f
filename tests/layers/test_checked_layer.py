"""Every layer names the input that it cannot read, in one line."""

import re

import numpy as np
import pytest

from tests.test_conformance import CASES
from tfadrec import layers
from tfadrec.core.door import keras, tf
from tfadrec.layers.checked_layer import CheckedLayer

OTHER = {"bool": ("int32", "float32"), "float": ("int32",), "int": ("float32",)}


def checked():
    """Layer by name; a model checks by the layers that it is made of."""
    made = {name: case.make(name="layer") for name, case in CASES.items()}
    return {n: m for n, m in made.items() if isinstance(m, CheckedLayer)}


LAYERS = checked()


def tensors(layer):
    """Pairs of what is wanted: a name, None for the only tensor, and text."""
    if isinstance(layer.wants, str):
        return [(None, layer.wants)]
    return [*layer.wants.items(), *layer.may_have.items()]


def refusal(layer, inputs):
    """What the layer says of inputs, before it is built."""
    with pytest.raises(ValueError) as error:  # noqa: PT011  (looked at by all)
        layer(inputs)
    said = str(error.value)
    assert "\n" not in said
    assert said.startswith(f"{type(layer).__name__} 'layer': ")
    assert not layer.built
    return said


def replaced(name, inputs, change):
    if name is None:
        return change(inputs)
    return {**inputs, name: change(inputs[name])}


def test_all_are_checked():
    others = {"Dropout", "AdTower", "UserTower", "AdRanker", "AdRetriever"}
    others |= {"CrossEncoder"}
    others |= {"LanguageModel", "ContrastiveModel"}
    assert set(CASES) - set(LAYERS) == others


@pytest.mark.parametrize("name", LAYERS)
def test_what_is_wanted_is_documented(name):
    layer = LAYERS[name]
    if name in ("FeatureFields", "Traits"):
        return  # its features tell
    told = " ".join(type(layer).__mro__[0].__doc__.split())
    if name.endswith("AdEncoder"):
        told = " ".join(type(layer).__mro__[1].__doc__.split())
    told = re.sub(r"int(32|eger)", "int", told)
    for key, wanted in tensors(layer):
        if key in ("ages", "category", "target_category"):
            assert f"`{key}`" in told
        else:
            assert wanted in told, key


@pytest.mark.parametrize("name", LAYERS)
def test_missing_inputs(name):
    layer, inputs = LAYERS[name], CASES[name].inputs(3, 2)
    if isinstance(layer.wants, str):
        assert "must be float" in refusal(layer, {"x": inputs}) or "int" in (
            layer.wants
        )
        return
    for key, wanted in layer.wants.items():
        without = {k: v for k, v in inputs.items() if k != key}
        said = refusal(layer, without)
        assert f"must have `{key}`, {wanted}. Received: " in said
    said = refusal(layer, next(iter(inputs.values())))
    assert "must be a dict of `" in said
    assert said.endswith("Received: ndarray.")


@pytest.mark.parametrize("name", LAYERS)
def test_wrong_types(name):
    layer, inputs = LAYERS[name], CASES[name].inputs(3, 2)
    for key, wanted in tensors(layer):
        what = "the input" if key is None else f"`{key}`"
        for dtype in OTHER[wanted.partition(" ")[0]]:
            wrong = replaced(
                key, inputs, lambda v, t=dtype: np.nan_to_num(v).astype(t)
            )
            said = refusal(layer, wrong)
            assert f"{what} must be {wanted}. Received: {dtype} [3, " in said


@pytest.mark.parametrize("name", LAYERS)
def test_wrong_ranks(name):
    layer, inputs = LAYERS[name], CASES[name].inputs(3, 2)
    for key, wanted in tensors(layer):
        if wanted.endswith("[...]"):
            continue  # any rank
        what = "the input" if key is None else f"`{key}`"
        least = wanted.replace("..., ", "").count(",")
        for rank in range(least, least + 1 + ("..." in wanted)):
            wrong = replaced(
                key,
                inputs,
                lambda v, s=[1] * rank: np.resize(v, s).astype(v.dtype),
            )
            said = refusal(layer, wrong)
            assert f"{what} must be {wanted}. Received: " in said


def test_rows_of_features_are_no_fields():
    said = refusal(layers.FM(name="layer"), np.ones([3, 4], np.float32))
    assert said.endswith("must be float [..., N, D]. Received: float32 [3, 4].")


def test_lists_of_several_lengths():
    said = refusal(layers.FM(name="layer"), [[[1.0, 2.0]], [[1.0]]])
    assert said.endswith("the input must be float [..., N, D]. Received: list.")


def test_sizes_that_do_not_go_together():
    inputs = CASES["DIN"].inputs(3, 2)
    said = refusal(LAYERS["DIN"], {**inputs, "mask": np.ones([3, 5], bool)})
    assert said == (
        "DIN 'layer': `mask` must be bool [B, T] with T = 2, as in `events`. "
        "Received: bool [3, 5]."
    )


def test_keras_inputs_and_unknown_shapes():
    """Rows and ranks that are not known yet are let pass."""
    events, mask = keras.Input([None, 4]), keras.Input([None], dtype="int32")
    target = keras.Input([None, 4])
    inputs = {"events": events, "mask": mask, "target": target}
    assert refusal(layers.DIN(name="layer"), inputs).endswith(
        "`mask` must be bool [B, T]. Received: int32 [?, ?]."
    )

    @tf.function(input_signature=[tf.TensorSpec(None)])
    def crossed(features):
        return layers.FM(name="fm")(features)

    assert crossed(tf.ones([2, 3, 4])).shape == [2, 4]


def test_a_column_that_is_not_there():
    brand = {"name": "brand", "kind": "category", "num_codes": 4}
    image = {"name": "image", "kind": "vector", "width": 3}
    layer = layers.FeatureFields([brand, image], 8, name="layer")
    codes = np.array([1, 2])
    assert refusal(layer, {"brand": codes}) == (
        "FeatureFields 'layer': the inputs must have `image`, float [..., 3]. "
        "Received: brand."
    )
    said = refusal(layer, {"brand": codes, "image": np.ones([2, 4], "float32")})
    assert said.endswith(
        "`image` must be float [..., 3]. Received: float32 [2, 4]."
    )
