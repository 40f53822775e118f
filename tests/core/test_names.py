"""Names of tensors: legal, unique and free, whatever features are called."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfadrec.core.feature import ENTITIES
from tfadrec.core.names import RESERVED, SUFFIXES, tensor_names

ENTITY = st.sampled_from(ENTITIES)
# Odd texts, and names that come close to each other or to what is reserved.
NAME = st.text(max_size=60) | st.sampled_from(
    ["a", "A", "a_2", "a b", "a_b", "title", "a_weights", "new_a", "é", "1"]
)


@pytest.mark.parametrize(
    ("entity", "name", "expected"),
    [
        ("ad", "brand", "brand"),
        ("ad", "Brand_2", "Brand_2"),
        ("ad", "dev x brand", "dev_x_brand"),
        ("ad", "  prix (€) ", "prix"),
        ("ad", "Größe", "Groe"),  # NFKD knows no plain form of ß
        ("ad", "Café Ålesund", "Cafe_Alesund"),
        ("ad", "2nd", "f_2nd"),
        ("ad", "_hidden", "hidden"),
        ("user", "", "user_feature"),
        ("context", "価格", "context_feature"),
        ("candidate", "taste!", "taste"),
        ("event", "dwell", "history_dwell"),
        ("event", "🙂", "history_event_feature"),
        ("ad", "title", "title_2"),
        ("ad", "class", "class_2"),  # no name of an argument
        ("context", "None", "None_2"),
        ("ad", "Title", "Title_2"),
        # An event's column `ads` would be that of the history's ads.
        ("event", "ads", "history_ads_2"),
        # What the towers call their own tensors.
        ("event", "category", "history_category_2"),
        ("event", "vectors", "history_vectors_2"),
        ("user", "target", "target_2"),
        ("ad", "numbers", "numbers_2"),
        ("ad", "x" * 60, "x" * 48),
        ("ad", "a/b:c", "a_b_c"),
    ],
)
def test_names(entity, name, expected):
    assert tensor_names([(entity, name)]) == [expected]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a b", "a_b", "a-b"], ["a_b", "a_b_2", "a_b_3"]),
        (["a", "A"], ["a", "A_2"]),
        # The parts of a list or map are called after it.
        (["a", "a_weights"], ["a", "a_weights_2"]),
        (["a_keys", "a"], ["a_keys", "a_2"]),
        # A new ad's column has a prefix.
        (["a", "new_a"], ["a", "new_a_2"]),
    ],
)
def test_names_that_are_taken(names, expected):
    assert tensor_names([("ad", name) for name in names]) == expected


def test_labels_are_taken():
    assert tensor_names([("ad", "revenue")], ["Revenue"]) == ["revenue_2"]


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(ENTITY, NAME), max_size=8), st.lists(NAME, max_size=2)
)
def test_every_name_is_legal_unique_and_free(features, labels):
    names = tensor_names(features, labels)
    assert len(names) == len(features)
    used = [
        f"{prefix}{name}{suffix}".lower()
        for name in names
        for prefix in ("", "new_")
        for suffix in SUFFIXES
    ]
    assert len(set(used)) == len(used)
    taken = {name.lower() for name in (*RESERVED, *labels)}
    assert not taken & set(used)
    for name, (entity, _) in zip(names, features, strict=True):
        assert re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name, re.ASCII)
        assert entity != "event" or name.startswith("history_")
    # The same features, and any first few of them, have the same names.
    assert tensor_names(features, labels) == names
    assert tensor_names(features[:-1], labels) == names[:-1]


def test_names_of_events_alone_begin_with_history():
    """So that a request's history is told from what else it holds."""
    given = [
        ("event", "x"),
        ("event", "history_x"),
        ("user", "history_x"),
        ("context", "History_days"),
    ]
    assert tensor_names(given) == [
        "history_x",
        "history_history_x",
        "f_history_x",
        "f_History_days",
    ]
