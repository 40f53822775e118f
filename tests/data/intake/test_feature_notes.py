"""What is said of features that say nothing, or of which some is cut."""

import pyarrow as pa
import pytest

from tests.data import spilled
from tfadrec.core.schema import Schema
from tfadrec.data.intake.feature_columns import describe_features
from tfadrec.data.intake.feature_notes import note_features
from tfadrec.data.intake.feature_spec import FeatureSpec
from tfadrec.data.intake.ledger import Ledger

TEXTS, NUMBERS = pa.string(), pa.float64()
LISTS, MAPS = pa.list_(TEXTS), pa.map_(TEXTS, NUMBERS)
#: entity and name -> kind, column, and what else the spec says.
GOOD = {
    "ad.brand": ("category", pa.array(["x", "y", None], TEXTS)),
    "ad.price": ("number", pa.array([1.0, 2.0, None])),
    "ad.topics": ("categories", pa.array([["run"], ["sun"], []], LISTS)),
    "user.age": ("number", pa.array([30.0, 31.0])),
    "user.by_brand": (
        "lookup",
        pa.array([[("x", 1.0)], None], MAPS),
        {"of": ("brand",)},
    ),
    "context.terms": (
        "categories",
        pa.array([["sun", "odd"], [], ["odd"]], LISTS),
        {"share": "topics"},
    ),
    "candidate.bid": ("number", pa.array([0.5, 1.0, 1.5])),
    "candidate.hits": ("overlap", None, {"of": ("terms", "topics")}),
    "candidate.worth": (
        "expression",
        None,
        {
            "of": ("bid", "price", "age"),
            "settings": {"expression": "a * b + c"},
        },
    ),
    "event.query": (
        "category",
        pa.array([None, "run"], TEXTS),
        {"share": "topics"},
    ),
}
IDS = {
    "ad": {"ad_id": ["a", "b", "c"]},
    "user": {"user_id": ["u", "v"]},
    "event": {"user_id": ["u", "u"]},
    "shown": {"ad_id": ["a", "b", "c"], "user_id": ["u", "v", "v"]},
}


def notes(changes=None, large=False, is_piece=False):
    """The notes where some features are others than the good ones."""
    features = {
        key: (kind, column, *(more or [{}]))
        for key, (kind, column, *more) in {**GOOD, **(changes or {})}.items()
    }
    specs, tables = [], {name: dict(ids) for name, ids in IDS.items()}
    for key, (kind, column, more) in features.items():
        entity, name = key.split(".")
        columns = () if column is None else (name,)
        specs.append(FeatureSpec(name, entity, kind, columns, **more))
        if column is not None:
            shown = entity in ("context", "candidate")
            tables["shown" if shown else entity][key] = column
    users = ["u"] * len(tables["event"]["event.query"])
    tables["event"]["user_id"] = pa.array(users, TEXTS)
    made = {name: pa.table(columns) for name, columns in tables.items()}
    if large:
        made |= {n: spilled.spilled(made[n]) for n in ("event", "shown")}
    schema = Schema(
        source="made",
        user_id_type="string",
        ad_id_type="string",
        event_types=("view",),
        labels=("clicked",),
        features=describe_features(specs, made.values()),
    )
    by_entity = {name: made[name] for name in ("ad", "user", "event")}
    by_entity |= dict.fromkeys(("context", "candidate"), made["shown"])
    ledger = Ledger(is_piece=is_piece)
    note_features(schema.features, by_entity, ledger)
    return ledger.notes


def test_what_is_cut():
    few = {"settings": {"max_values": 1}}
    lists = pa.array([["run", "sun"], ["sun"], []], LISTS)
    found = notes(
        {
            "ad.topics": ("categories", lists, few),
            "event.query": (
                "category",
                pa.array(["run"] * 40 + [None], TEXTS),
                {"share": "topics"},
            ),
            "event.paid": ("number", pa.array([*range(40), 1e6])),
        }
    )
    assert found == [
        "the event's 'paid': 1 of 41 numbers lie outside [0, 39] and are cut "
        "to it",
        "the ad's 'topics': 1 of 3 lists have more than 1 values and are cut",
    ]


NOTHING = "so nothing can be learned of it; check"
CASES = {
    "user.age": [
        ("number", pa.array([30.0, 30.0])),
        f"the user's 'age' is 30.0 in all rows, {NOTHING} its column",
    ],
    "event.paid": [
        (
            "number",
            pa.array([1.0, 2.0]),
            {"settings": {"bounds": [1000, 2000]}},
        ),
        "the event's 'paid' is below 1000 in all rows, so nothing can be "
        "learned of it; give other buckets",
    ],
    "event.query": [
        ("category", pa.array([None, None], TEXTS)),
        f"the event's 'query' has no value in any row, {NOTHING} its column",
    ],
    "candidate.bid": [
        ("number", pa.array([None] * 3, NUMBERS)),
        f"the candidate's 'bid' has no value in any row, {NOTHING} its",
        "the candidate's 'worth' has no value in any row, so nothing can be ",
    ],
    "ad.brand": [
        (
            "category",
            pa.array(["x", "y", "z"], TEXTS),
            {"settings": {"min_count": 2}},
        ),
        "the ad's 'brand' has no value as often as `min_count` asks, so all "
        "of them count as unknown; lower `min_count`",
        "the user's 'by_brand' has no value of 'brand', whose vocabulary it ",
    ],
    "context.terms": [
        (
            "categories",
            pa.array([["odd"], ["hat"], []], LISTS),
            {"share": "topics"},
        ),
        "the context's 'terms' has no value of 'topics', whose vocabulary it "
        "reads, so all of them count as unknown; check both columns",
        "the candidate's 'hits' is of 'terms' and 'topics', which have no "
        "value in common, so nothing can be learned of it; check how both",
    ],
    "candidate.worth": [
        (
            "expression",
            None,
            {"of": ("bid", "age"), "settings": {"expression": "a < b + 9"}},
        ),
        "the candidate's 'worth' is 1 in all rows, so nothing can be "
        "learned of it; check its formula",
    ],
}


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("key", CASES)
def test_a_feature_that_tells_nothing(key, large):
    """Derived by hand: each change makes these lines and no others."""
    feature, *lines = CASES[key]
    found = notes({key: feature}, large)
    assert len(found) == len(lines), found
    for line in lines:
        assert sum(note.startswith(line) for note in found) == 1, found


def test_of_a_piece_of_a_log_only_what_its_rows_lack_is_told():
    """Others have other values, and a range that is wider."""
    for key, (feature, *lines) in CASES.items():
        found = notes({key: feature}, is_piece=True)
        told = [line for line in lines if "no value in any row" in line]
        assert len(found) == ("its" in "".join(told)), key
        assert all(
            f"has no value in any row, {NOTHING} its" in n for n in found
        )
    few = {"settings": {"max_values": 1}}
    lists = pa.array([["run", "sun"], ["sun"], []], LISTS)
    found = notes(
        {
            "ad.topics": ("categories", lists, few),
            "candidate.bid": ("number", pa.array([1.0, 1.0, 1e9])),
        },
        is_piece=True,
    )
    assert len(found) == 1
    assert "1 of 3 lists have more than 1 values" in found[0]


@pytest.mark.parametrize(
    ("numbers", "bounds", "said"),
    [
        ([1.0, 2.0], [0, 3], "is from 0 to below 3 in all rows"),
        ([1.0, 2.0], [0.5, 1], "is 1 or more in all rows"),
        ([1.0, 2.0], [2], ""),
        ([1.0, None], [5], ""),
        ([1.0], [5], ""),
    ],
)
def test_numbers_in_one_bucket(numbers, bounds, said):
    """A missing number tells something, and a single row nothing."""
    column = pa.array(numbers, NUMBERS)
    more = {"settings": {"bounds": bounds}}
    features = {
        "event.paid": ("number", column, more),
        "event.query": (
            "category",
            pa.array(["run", None][: len(numbers)], TEXTS),
            {"share": "topics"},
        ),
    }
    found = [note for note in notes(features) if "paid" in note]
    assert len(found) == bool(said)
    assert said in "".join(found)


def test_the_range_is_two_numbers_also_where_they_are_large():
    column = pa.array([1e15 + i for i in range(40)] + [1e16])
    brand = pa.array([None] * 41, TEXTS)
    (found,) = (
        note
        for note in notes(
            {
                "event.paid": ("number", column),
                "event.query": ("category", brand, {"share": "topics"}),
            }
        )
        if "paid" in note
    )
    assert "[1e+15, 1.00000000000004e+15]" in found


def test_features_that_tell_something():
    assert notes() == []


def test_nothing_is_said_of_an_empty_log():
    """A log without events has no features of events to speak of."""
    assert notes({"event.query": ("category", pa.array([], TEXTS))}) == []
