import pytest
from data.features.reading import describe

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature

KNOWN = {
    "brand": Feature("brand", "ad", "category", vocabulary=("a",)),
    "price": Feature("price", "ad", "number", bounds=(1.0,)),
    "year": Feature("year", "ad", "number"),
    "gender": Feature("gender", "user", "category", vocabulary=("f",)),
    "device": Feature("device", "context", "category", vocabulary=("tv",)),
    "page": Feature("page", "event", "category", vocabulary=("p",)),
}


def cross(entity, *of, **settings):
    return describe("cross", None, KNOWN, of=of, entity=entity, **settings)


def test_a_pair_and_a_triple():
    pair = cross("ad", "brand", "price")
    assert (pair.of, pair.num_codes) == (("brand", "price"), 10_001)
    triple = cross("candidate", "brand", "gender", "device", buckets=50)
    assert triple.num_codes == 51


@pytest.mark.parametrize(
    ("entity", "of", "settings", "message"),
    [
        ("ad", ("brand",), {}, "a cross is of two or three features"),
        ("ad", ("brand",) * 4, {}, "a cross is of two or three features"),
        ("ad", ("brand", "brand"), {}, "'brand' twice for the cross 'x'"),
        ("ad", ("brand", "year"), {}, "a cross is of categories, or of numb"),
        (
            "ad",
            ("brand", "gender"),
            {},
            "a feature of the ad can read features of the ad. Received: "
            "'gender', which is of the user, for the cross 'x'. What is of "
            "several entities is the candidate's: move 'x' to impressions."
            "candidate_features",
        ),
        (
            "candidate",
            ("brand", "page"),
            {},
            "can read features of the ad or user or context or candidate. "
            "Received: 'page', which is of the event, for the cross 'x'. Name "
            "a feature of the ad or user or context or candidate",
        ),
        ("ad", ("brand", "none"), {}, "Received: 'none', which is unknown"),
        ("ad", ("brand", "price"), {"buckets": 0}, "`buckets` must be an int"),
        ("ad", ("brand", "price"), {"buckets": "9"}, "`buckets` must be an "),
    ],
)
def test_bad_crosses(entity, of, settings, message):
    with pytest.raises(InputError, match=message):
        cross(entity, *of, **settings)
