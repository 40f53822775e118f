import pytest
from data.features.reading import describe

from tfadrec.core.errors import InputError
from tfadrec.core.feature import Feature

KNOWN = {
    "topics": Feature("topics", "ad", "categories", vocabulary=("a",)),
    "terms": Feature("terms", "context", "categories", share="topics"),
    "liked": Feature("liked", "user", "category", share="topics"),
    "brand": Feature("brand", "ad", "category", share="topics"),
    "own": Feature("own", "user", "categories", vocabulary=("a",)),
    "age": Feature("age", "user", "number"),
}


def overlap(*of, entity="candidate", **settings):
    return describe("overlap", None, KNOWN, of=of, entity=entity, **settings)


@pytest.mark.parametrize("of", [("terms", "topics"), ("liked", "terms")])
@pytest.mark.parametrize("measure", ["share", "count", "jaccard"])
def test_an_overlap(of, measure):
    assert overlap(*of, measure=measure).measure == measure


@pytest.mark.parametrize(
    ("of", "listed"),
    [
        (("terms", "topics"), ()),
        (("liked", "terms"), (False, True)),
        (("liked", "brand"), (False, False)),
    ],
)
def test_which_are_lists(of, listed):
    assert overlap(*of).listed == listed


def test_the_default_is_the_share():
    assert overlap("terms", "topics").measure == "share"


def test_features_that_have_one_name():
    # The name of a reference is qualified where two entities have the name.
    known = {
        "ad.topics": Feature("topics", "ad", "categories"),
        "user.topics": Feature(
            "topics", "user", "categories", share="ad.topics"
        ),
    }
    of = ("user.topics", "ad.topics")
    feature = describe("overlap", None, known, of=of, entity="candidate")
    assert feature.of == of


@pytest.mark.parametrize(
    ("of", "settings", "message"),
    [
        (("terms",), {}, "an overlap is of two features"),
        (("terms", "none"), {}, "Received: 'none', which is unknown"),
        (("topics", "topics"), {}, "'topics' twice for the overlap 'x'"),
        (("own", "topics"), {}, "that share a vocabulary. Received: 'own'"),
        (("age", "topics"), {}, r"Received: 'age' \(number\) and 'topics'"),
        (("terms", "topics"), {"measure": "all"}, "`measure` must be one of"),
        (
            ("terms", "topics"),
            {"entity": "ad"},
            "can read features of the ad. Received: 'terms'",
        ),
    ],
)
def test_bad_overlaps(of, settings, message):
    with pytest.raises(InputError, match=message):
        overlap(*of, **settings)
