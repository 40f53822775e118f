"""The schema as JSON and back."""

import json

import pytest

from tfadrec.core.errors import InputError
from tfadrec.core.schema import Feature, Schema

SCHEMA = Schema(
    source="made",
    user_id_type="string",
    ad_id_type="int64",
    event_types=("view", "achat é"),
    labels=("clicked", "converted"),
    ad_features=(
        Feature("brand", "categorical", vocabulary=("a", "b")),
        Feature("price", "numeric", mean=2.5, std=0.1),
        Feature("copy", "vector", width=8),
    ),
    context=(Feature("hour", "numeric"),),
)


def test_round_trip():
    text = SCHEMA.to_json()
    assert Schema.from_json(text) == SCHEMA
    assert "achat é" in text


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


@pytest.mark.parametrize(
    ("text", "received"),
    [
        ("", "JSONDecodeError"),
        ("[]", "AttributeError"),
        ("{}", "KeyError"),
        ('{"event_types": [], "labels": []}', "TypeError"),
        (SCHEMA.to_json().replace('"width"', '"size"'), "TypeError"),
        (SCHEMA.to_json().replace('"source"', '"origin"'), "TypeError"),
        ('{"ad_features": 3}', "TypeError"),
    ],
)
def test_bad_json(text, received):
    with pytest.raises(
        InputError, match=rf"must hold a tfadrec schema\. Received: {received}"
    ):
        Schema.from_json(text)
