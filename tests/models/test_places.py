"""A layer is accepted in its own place of a model, and in no other."""

import pytest

from tests.layers.test_checked_layer import LAYERS as CHECKED
from tests.test_conformance import CASES
from tfadrec import layers, models, towers
from tfadrec.core.door import keras
from tfadrec.layers.place import require_layers
from tfadrec.models.ad_ranker import _PLACES
from tfadrec.towers.places import TEXT_ENCODER
from tfadrec.towers.user_tower import _ENCODER

#: Place -> where its layers are.
ROOMS = {
    "matching": "layers.matching.",
    "interaction": "layers.interaction.",
    "multitask": "layers.multitask.",
    "text_matching": "layers.text_matching.text_matching",
    "fold_in": "layers.fold_in",
    "encoder": "layers.behavior.",
    "text": "layers.text.",
    "ad_tower": "towers.ad_tower",
    "user_tower": "towers.user_tower",
}
PLACES = {**_PLACES, "encoder": _ENCODER, "text": TEXT_ENCODER}


@pytest.mark.parametrize("place", ROOMS)
def test_every_layer_in_every_place(place):
    accepted = 0
    for name, case in CASES.items():
        layer = CHECKED.get(name) or case.make(name="layer")
        room = type(layer).__module__.removeprefix("tfadrec.")
        fits = room.startswith(ROOMS[place]) and name != "CTRHead"
        accepted += fits
        # What says nothing of its inputs is taken at its word.
        told = hasattr(layer, "wants") or PLACES[place].asks
        if fits or not told:
            require_layers(**{place: (layer, PLACES[place])})
            continue
        said = (
            f"^`{place}` must be a layer such as tfadrec.* Received: "
            rf"{type(layer).__name__}, which .*\.$"
        )
        with pytest.raises(ValueError, match=said):
            require_layers(**{place: (layer, PLACES[place])})
    assert accepted


def tower(encoder=None):
    return towers.UserTower(encoder or layers.GRU(), num_event_types=2)


def ads():
    return towers.AdTower({"num_ads": 2, "features": []})


@pytest.mark.parametrize(
    ("make", "said"),
    {
        "an encoder as matching": (
            lambda: models.AdRanker(ads(), tower(), layers.DIN()),
            "`matching` must be .*Received: DIN, which reads events, mask, tar",
        ),
        "a matching as encoder": (
            lambda: tower(layers.AttentionMatching()),
            "`encoder` must be .*Received: AttentionMatching, which reads user",
        ),
        "towers swapped": (
            lambda: models.AdRanker(tower(), ads()),
            "`ad_tower` must be .*Received: UserTower, which has no `encode`",
        ),
        "towers of a retriever swapped": (
            lambda: models.AdRetriever(tower(), ads()),
            "`ad_tower` must be .*Received: UserTower, which has no `encode`",
        ),
        "no tower": (
            lambda: models.AdRanker(ads(), None),
            r"`user_tower` must be a layer that is made.*Received: None\.",
        ),
        "a class": (
            lambda: models.AdRanker(ads(), tower(), layers.CosineMatching),
            r"`matching` .* that is made.*Received: CosineMatching\.",
        ),
        "a layer of Keras among experts": (
            lambda: models.AdRanker(
                ads(), tower(), multitask=keras.layers.Dense(2)
            ),
            "`multitask` must be .*Received: Dense, which has no `num_tasks`",
        ),
        "an encoder of histories for texts": (
            lambda: towers.AdTower(
                {"num_ads": 2, "features": []}, text=layers.DIN()
            ),
            "`text` must be .*Received: DIN, which has no `max_tokens`",
        ),
        "a name of a language model": (
            lambda: models.ContrastiveModel("minilm"),
            r"`encoder` must be a layer that is made.*Received: 'minilm'\.",
        ),
    }.values(),
)
def test_refused_where_a_model_is_made(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_a_layer_of_ones_own_need_not_say_what_it_wants():
    class Own(keras.layers.Layer):
        def call(self, inputs):
            return inputs["user"][:, 0, 0]

    assert models.AdRanker(ads(), tower(), Own()).matching is not None
