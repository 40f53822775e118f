import json

import numpy as np
import pyarrow as pa
import pytest

from tfadrec.data.columns import as_lists, as_text
from tfadrec.data.list_text import read_entries, read_list, read_map


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("[]", []),
        ("[2122, 243]", ["2122", "243"]),
        ("[2122.0, 243.5, 1e-3]", ["2122", "243.5", "0.001"]),
        ('["a", "b c", "d,e"]', ["a", "b c", "d,e"]),
        ('["\\u00e9", null, true, NaN]', ["é", "", "true", ""]),
        ("['a', 'it\\'s', \"it's\"]", ["a", "it's", "it's"]),
        ("['a', None, nan, False]", ["a", "", "", "false"]),
        ("[ 'a' ,\n 'b' ]", ["a", "b"]),
        # NumPy writes no commas; Python would join these two texts.
        ("['a' 'b']", ["a", "b"]),
        ("[0.5 1.0\n 2e3]", ["0.5", "1", "2000"]),
        ("[9007199254740993]", ["9007199254740993"]),
        ("[007, +5]", ["007", "+5"]),
        ("[1e-7, 0.00001]", ["1e-7", "0.00001"]),
        ("[1e-07 1e-05]", ["1e-7", "0.00001"]),
        ("[1e16, -1e300]", ["1" + "0" * 16, str(int(-1e300))]),
        # What is in a list is apart already.
        ("[[1], [2]]", ["[1]", "[2]"]),
        ('[["new york", "rome"], "a b"]', ['["new york", "rome"]', "a b"]),
        ("[['new york'], ('a b',)]", ['["new york"]', '["a b"]']),
        ('[{"a": "b c"}]', ['{"a": "b c"}']),
        ("[{(1, 2): 'a b'}]", None),
        ('[["\\ud800"]]', ['["?"]']),
        ("(1, 2)", ["1", "2"]),
        ("('a',)", ["a"]),
        ("()", []),
        ("(red)", None),
        ("(red, blue)", None),
        ("{1, 2.0}", ["1", "2"]),
        ("{'a', 'b c'}", ["a", "b c"]),
        # As databases write arrays.
        ("{1,2,NULL}", ["1", "2", ""]),
        (
            '{run,"New York","say \\"hi\\"",a\'s}',
            ["run", "New York", 'say "hi"', "a's"],
        ),
        ("{New York, Bonn}", ["New York", "Bonn"]),
        ("{{1,2},{3}}", None),
        ("{a,,b}", None),
        ('{"a" b}', None),
        ("[sport, run]", ["sport", "run"]),
        ("[sale] of [hats]", None),
        ("['a', 'b]", None),
        ("['\\xZZ']", None),
        ("[" * 5000 + "]" * 5000, None),
        ('["\\ud800"]', ["?"]),
    ],
)
def test_lists_as_they_are_written(text, entries):
    assert read_list(text) == entries


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("array([1, 2], dtype=int32)", ["1", "2"]),
        ("frozenset({'a'})", ["a"]),
        ("deque(['a', 'b'])", ["a", "b"]),
        ("set()", []),
        ("f(1)", None),
        ("Counter({'a b': 2})", ["{'a b': 2}"]),
        ('{"a": "b c"}', ['{"a": "b c"}']),
        ("{a b", None),
    ],
)
def test_what_is_written_around_a_list(text, entries):
    assert read_entries(text) == entries


def test_what_is_written_around_a_map():
    assert read_entries("Counter({'a': 2})", maps=True) == ["a:2"]


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("{}", []),
        (
            '{"a": 1, "b c": 0.50, "d:e": -2e-3}',
            ["a:1", "b c:0.5", "d:e:-0.002"],
        ),
        (
            "{'it\\'s': 1.0, 2122: True, 'x': None}",
            ["it's:1", "2122:true", "x:"],
        ),
        ("{'a': 1,\n 'b': 2,}", ["a:1", "b:2"]),
        ("{'\\d': 1}", ["\\d:1"]),
        ("{'a', 'b'}", None),
        # No number is read of these, nor of the 2 of a text.
        ("{'a': [1], 'b': 2}", ["a:", "b:2"]),
        ('{"a": {"b": 1}}', ["a:"]),
        ('{"a": "1:2", " b ": " 3 "}', ["a:", " b : 3 "]),
        ("{'a': f(1)}", None),
        ("{a: 1}", None),
        ("{[1]: 2}", None),
        ("{" * 5000 + "}" * 5000, None),
    ],
)
def test_maps_as_they_are_written(text, entries):
    assert read_map(text) == entries


def test_a_column_of_maps():
    """Braces are a map where one is wanted, and nowhere else."""
    column = pa.chunked_array([['{"a": 1}', "b:2 c:3", "['d:4']", "{a: 1}"]])
    assert as_lists(column, " ", maps=True).to_pylist() == [
        ["a:1"],
        ["b:2", "c:3"],
        ["d:4"],
        ["a: 1"],
    ]
    assert as_lists(column, "|").to_pylist()[0] == ['{"a": 1}']


def test_blanks_around_entries():
    texts = [" run, sun ", "sun,,\u00a0", "[' a ']", "[ a, b ]"]
    column = pa.chunked_array([texts])
    assert as_lists(column, ",", stripped=True).to_pylist() == [
        ["run", "sun"],
        ["sun"],
        # In quotes they belong to it, as in a column of lists.
        [" a "],
        ["a", "b"],
    ]
    # An id may begin with a blank.
    assert as_lists(column, ",").to_pylist()[0] == [" run", " sun "]
    lists = pa.chunked_array([pa.array([[" run"]])])
    assert as_lists(lists, ",", stripped=True).to_pylist() == [[" run"]]


def test_a_column_of_lists_and_of_plain_texts():
    column = pa.chunked_array([["a b", "[1, 2]", "", None], ["[x] y", "[]"]])
    assert as_lists(column, " ").to_pylist() == [
        ["a", "b"],
        ["1", "2"],
        [],
        [],
        ["[x]", "y"],
        [],
    ]


def test_a_column_of_tuples_sets_and_arrays():
    texts = [
        "(1, 2)",
        "{1, 2}",
        "{1,2}",
        "array([1, 2])",
        "set()",
        "1 2",
        "(1)",
    ]
    assert as_lists(pa.chunked_array([texts]), " ").to_pylist() == [
        *[["1", "2"]] * 4,
        [],
        ["1", "2"],
        ["(1)"],
    ]


def test_empty_entries_are_kept_on_request():
    column = pa.chunked_array([["a||b", "", "['a', None]"]])
    assert as_lists(column, "|", keep_empty=True).to_pylist() == [
        ["a", "", "b"],
        [],
        ["a", ""],
    ]
    lists = pa.chunked_array([pa.array([["a", None], None])])
    assert as_lists(lists, "|", keep_empty=True).to_pylist() == [["a", ""], []]


def test_a_float_is_spelled_in_a_list_as_in_a_column():
    random = np.random.default_rng(0)
    values = random.normal(size=500) * 10.0 ** random.integers(-12, 20, 500)
    values = np.concatenate([values, [1e-4, 9.999e-5, 1e10 + 0.5, -0.0, 1e300]])
    spelled = as_text(pa.array(values)).to_pylist()
    assert read_list(json.dumps(values.tolist())) == spelled
    assert read_list(" ".join(["[", *map(repr, values.tolist()), "]"])) == (
        spelled
    )
