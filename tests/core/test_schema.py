"""The schema as JSON and back, version 1 too, and names of its features."""

import dataclasses
import json

import pytest

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature
from tfadrec.core.schema import Schema

SCHEMA = Schema(
    source="made",
    user_id_type="string",
    ad_id_type="int64",
    event_types=("view", "achat é"),
    labels=("clicked", "converted"),
    features=(
        Feature("brand", "ad", "category", vocabulary=("a", "b")),
        Feature("prix (€)", "ad", "number", mean=2.5, std=0.1, low=1.0),
        Feature("copy", "ad", "vector", width=8),
        Feature("hour", "context", "number", bounds=(6.0, 12.0)),
        Feature("liked", "user", "category", vocabulary=("a",), share="brand"),
        Feature("by brand", "user", "lookup", width=3, of=("brand",)),
        Feature("dwell", "event", "number", log1p=True),
        Feature(
            "both", "candidate", "cross", buckets=9, of=("ad.brand", "hour")
        ),
    ),
    negatives_kept=0.25,
)


def test_round_trip():
    text = SCHEMA.to_json()
    assert json.loads(text)["version"] == 2
    assert "achat é" in text
    assert "prix (€)" in text
    again = Schema.from_json(text)
    # What shares a vocabulary is read back with that of its owner.
    assert again.of("user")[1].vocabulary == ("a", "b")
    assert Schema.from_json(again.to_json()) == again
    assert [f.name for f in again.features] == [f.name for f in SCHEMA.features]
    assert again.negatives_kept == 0.25


def test_what_is_at_its_default_is_not_written():
    features = json.loads(SCHEMA.to_json())["features"]
    assert features[0] == {
        "name": "both",
        "entity": "candidate",
        "kind": "cross",
        "tensor": "both",
        "column": "both",
        "buckets": 9,
        "of": ["brand", "hour"],
    }


def test_features_have_names_of_tensors_and_follow_references():
    made = {
        f.name: (f.tensor, f.column, f.of, f.share) for f in SCHEMA.features
    }
    assert made == {
        "both": ("both", "both", ("brand", "hour"), ""),
        "brand": ("brand", "brand", (), ""),
        "by brand": ("by_brand", "by_brand", ("brand",), ""),
        "copy": ("copy", "copy", (), ""),
        "dwell": ("history_dwell", "history_dwell", (), ""),
        "hour": ("hour", "hour", (), ""),
        "liked": ("liked", "liked", (), "brand"),
        "prix (€)": ("prix", "prix", (), ""),
    }
    assert [f.tensor for f in SCHEMA.features] == sorted(
        tensor for tensor, *_ in made.values()
    )


def test_the_features_of_some_entities():
    assert [f.name for f in SCHEMA.of("user")] == ["by brand", "liked"]
    assert [f.name for f in SCHEMA.of("event", "context")] == ["dwell", "hour"]
    assert SCHEMA.of() == ()


def test_categories_of_ads_are_found_by_their_names():
    assert SCHEMA.ad_category("brand").vocabulary == ("a", "b")
    for name in ("liked", "copy", "hue"):  # a user's, a vector, none
        with pytest.raises(InputError, match=f"one of brand. .*'{name}'"):
            SCHEMA.ad_category(name)


def schema(*features):
    return Schema("made", "string", "string", (), features=features)


def brand(entity="ad", **changes):
    return Feature("brand", entity, "category", **changes)


def test_a_name_that_several_entities_have():
    made = schema(
        brand(),
        brand("user"),
        Feature("b", "event", "category", share="ad.brand"),
    )
    tensors = {f"{f.entity}.{f.name}": f.tensor for f in made.features}
    assert tensors == {
        "ad.brand": "brand",
        "user.brand": "brand_2",
        "event.b": "history_b",
    }
    assert made.of("event")[0].share == "brand"


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([brand("advertiser")], r"context, candidate, event\. .*'advertiser'"),
        ([brand(), brand()], "Received: 'brand' twice for the ad"),
        ([brand(), brand("user"), brand("event", share="brand")],
         "Received: 'brand', which names features of several entities"),
        ([brand(), brand("event", share="size")],
         r"Received: 'size', which names no feature\. Name one of brand, ad\."),
    ],
)  # fmt: skip
def test_features_that_do_not_go_together(features, message):
    with pytest.raises(InputError, match=message):
        schema(*features)


def test_defaults():
    text = json.dumps(
        {
            "source": "made",
            "user_id_type": "string",
            "ad_id_type": "string",
            "event_types": [],
            "labels": ["clicked"],
        }
    )
    schema = Schema.from_json(text)
    assert schema == Schema("made", "string", "string", ())
    assert schema.labels == ("clicked",)
    assert schema.negatives_kept == 1.0


def test_version_1():
    """It had features of ads and of the context, and no version."""
    text = json.dumps(
        {
            "source": "made",
            "user_id_type": "string",
            "ad_id_type": "int64",
            "event_types": ["view"],
            "labels": ["clicked", "converted"],
            "ad_features": [
                {"name": "brand", "kind": "categorical", "vocabulary": ["x"]},
                {"name": "text length", "kind": "numeric", "mean": 3.0,
                 "std": 2.0, "vocabulary": [], "width": 0},
                {"name": "image", "kind": "vector", "width": 4},
            ],
            "context": [{"name": "hour", "kind": "categorical",
                         "vocabulary": ["0", "1"]}],
        }
    )  # fmt: skip
    schema = Schema.from_json(text)
    assert schema.labels == ("clicked", "converted")
    found = [(f.name, f.entity, f.kind, f.column) for f in schema.features]
    assert found == [
        ("brand", "ad", "category", "brand"),
        ("hour", "context", "category", "hour"),
        ("image", "ad", "vector", "image"),
        ("text length", "ad", "number", "text length"),
    ]
    length = schema.features[-1]
    assert (length.mean, length.std, length.tensor) == (3.0, 2.0, "text_length")
    assert Schema.from_json(schema.to_json()) == schema


@pytest.mark.parametrize(
    ("text", "received"),
    [
        ("", "JSONDecodeError"),
        ("[]", "TypeError"),
        ("{}", "KeyError"),
        ('{"version": 2, "event_types": [], "labels": []}', "TypeError"),
        ('{"version": 3, "event_types": []}', "ValueError.*version 3"),
        (SCHEMA.to_json().replace('"width"', '"size"'), "TypeError"),
        (SCHEMA.to_json().replace('"source"', '"origin"'), "TypeError"),
        (SCHEMA.to_json().replace('"share": "brand"', '"share": "b"'),
         "KeyError"),
        ('{"ad_features": 3}', "TypeError"),
        ('{"ad_features": [{"name": "a", "kind": "odd"}]}', "KeyError"),
    ],
)  # fmt: skip
def test_bad_json(text, received):
    with pytest.raises(
        InputError, match=rf"must hold a tfadrec schema\. Received: {received}"
    ):
        Schema.from_json(text)


@pytest.mark.parametrize("name", ["user_id", "ad_id"])
def test_ids_are_read_as_what_they_are(name):
    texts = getattr(
        dataclasses.replace(SCHEMA, **{f"{name}_type": "string"}), name
    )
    numbers = getattr(
        dataclasses.replace(SCHEMA, **{f"{name}_type": "int64"}), name
    )
    assert (texts("7"), texts(7)) == ("7", "7")
    assert (numbers("7"), numbers(7)) == (7, 7)
    assert numbers(str(-(2**63))) == -(2**63)
    for wrong in ("u7", "7.5", "", str(2**63), "9" * 5000):
        with pytest.raises(InputError, match=f"^{name[:-3]} ids .* 64-bit"):
            numbers(wrong)
    # As Python has a byte of a command line that is not UTF-8.
    with pytest.raises(InputError, match=f"^{name[:-3]} ids are texts in UTF"):
        texts("shoe\udcff")
