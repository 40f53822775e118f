import pyarrow as pa
import pytest

from tfadrec.data.columns import as_lists
from tfadrec.data.list_text import read_list


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
        ("[[1], [2]]", None),
        ('[{"a": 1}]', None),
        ("[sport, run]", None),
        ("['a', 'b]", None),
        ("['\\xZZ']", None),
        ("[" * 5000 + "]" * 5000, None),
        ('["\\ud800"]', ["?"]),
    ],
)
def test_lists_as_they_are_written(text, entries):
    assert read_list(text) == entries


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


def test_empty_entries_are_kept_on_request():
    column = pa.chunked_array([["a||b", "", "['a', None]"]])
    assert as_lists(column, "|", keep_empty=True).to_pylist() == [
        ["a", "", "b"],
        [],
        ["a", ""],
    ]
    lists = pa.chunked_array([pa.array([["a", None], None])])
    assert as_lists(lists, "|", keep_empty=True).to_pylist() == [["a", ""], []]
