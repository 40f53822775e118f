"""A value is read alike whatever the other rows of its column hold."""

import copy
import json
import math
import pathlib
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfadrec.core.errors import InputError
from tfadrec.data.features import KINDS
from tfadrec.data.intake import checks
from tfadrec.data.intake.read_table import read_batches
from tfadrec.data.intake.row_filter import read_filters

TEXTS = ["", " ", "a", " a ", "a b", "5", " 5 ", "5.0", "07", "1e3", "x:1"]
TEXTS += ["true", "NaN", "inf", "é😀", "2020-01-31", "[1]", '[" b"]', "{c,d}"]
INTEGERS = [0, 5, -3, 2**53 + 1, 2**63, 10**400]
FLOATS = [0.5, 5.0, -0.0, 1e16, 1e-7, 1e300, 5e-324, math.nan, math.inf]
LISTS = [[], ["a"], [" a", "b "], ["", None], ["5", " 5"], ["a:1 ", "[1]"]]
LISTS += [[1, 2], [True, 0.5], [2**64, 2**53 + 1], [math.nan, math.inf]]
DEEP = [[[1]], ["a", ["b", None]], [{"a": 1}]]
MAPS = [{}, {"a": 1}, {" a ": 0.5, "b": 2}, {"a": "x"}, {"a": "2"}, {"": 1}]
MAPS += [{"a": " 2 ", "b": 1}, {"a": None}, {"a": True}, {"a": math.nan}]
MAPS += [{"a": [1], "b": 2}, {"a": {"b": 1}}, {"a": 10**400}, {"b:2": "1:2"}]
#: Values of one sort, of which columns have types where all are alike.
SORTS = {
    "texts": TEXTS,
    "integers": INTEGERS[:4],
    "long integers": INTEGERS,
    "floats": FLOATS,
    "truths": [True, False],
    "lists": LISTS,
    "lists of numbers": [[1, 0.5], [1.0], [], [1e16, -0.0]],
    "deep lists": LISTS + DEEP,
    "maps": MAPS,
}
#: One more value, which may change the type of a column of one sort.
OTHERS = [None, "x", 7, 0.5, True, 2**70, ["q"], [0.5], [[1]], {"q": 1}]
OTHERS += [{"q": "z"}]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(" \",:[]{}'a5é", max_size=4),
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(st.text(" :a5", max_size=2), values, max_size=2)
    ),
    max_leaves=4,
)


def feature(kind, **given):
    def read(rows):
        column = rows.numbers("f") if KINDS[kind].is_number else rows["f"]
        values, broken = KINDS[kind].parse(column, " ", given)
        return zip(map(alike, values.to_pylist()), broken, strict=True)

    return read


def checked(check, *args, **given):
    def read(rows):
        rows = copy.deepcopy(rows)  # of which some are refused
        values = check(rows, "f", *args, **given).to_pylist()
        pairs = zip(map(alike, values), rows.kept, strict=True)
        return [value if kept else "refused" for value, kept in pairs]

    return read


def wanted(condition):
    (found,) = read_filters({"f": condition}, "where")
    return lambda rows: found.wanted(rows)


READERS = {
    "category": feature("category"),
    "categories": feature("categories"),
    "weighted categories": feature("categories", weighted=True),
    "lookup": feature("lookup"),
    "number": feature("number"),
    "string ids": checked(checks.ids, "string"),
    "int64 ids": checked(checks.ids, "int64"),
    "label": checked(checks.labels),
    "real label": checked(checks.numbers),
    "text": checked(checks.texts),
    "tags": checked(checks.lists, " "),
    "time": checked(checks.timestamps, unit="s"),
    "a text": wanted("a"),
    "a number": wanted(5),
    "a long number": wanted(2**53 + 1),
    "true": wanted(True),
    "any value": wanted({"not": ""}),
    "a number above": wanted(">0"),
}


def readings(path, size=None):
    """By each reader what it has for each row of a file; None for an error."""
    found = {}
    batches = list(read_batches(path, "rows", ["f"], size=size))
    for name, read in READERS.items():
        found[name] = []
        try:
            for rows in batches:
                found[name].extend(read(rows))
        except InputError as error:
            found[name] = None
            if "a column must hold texts" not in str(error):
                raise
    return found


def alike(value):
    """0 and -0 are one number."""
    return value + 0.0 if isinstance(value, float) else value


def as_jsonl(folder, values):
    path = folder / "f.jsonl"
    # One more key, as a file of one object of lists is refused.
    lines = [json.dumps({"f": value, "other": 1}) for value in values]
    path.write_text("\n".join(lines))
    return path


def as_parquet(folder, values):
    """None where Arrow has no type that leaves them as they are."""
    maps = all(isinstance(value, dict | None) for value in values)
    try:
        kind = pa.map_(pa.string(), pa.float64()) if maps else None
        column = pa.array(values, kind)
    except (pa.ArrowException, TypeError, OverflowError):
        return None
    if not maps and repr(column.to_pylist()) != repr(values):
        return None
    path = folder / "f.parquet"
    pq.write_table(pa.table({"f": column}), path, row_group_size=2)
    return path


def require_alike(values, found, alone):
    """Compares the readings of a column with those of each of its values."""
    for name, column in found.items():
        for row, value in enumerate(values):
            once = alone[row][name]
            if column is None or once is None:
                # Nothing but lists, or nothing but maps, is no plain column.
                given = [value] if once is None else values
                assert all(isinstance(v, list | dict | None) for v in given)
                continue
            allowed = [once[0]]
            if name == "categories" and isinstance(value, dict):
                # Left out, and told, where the column is not one of maps.
                allowed.append(([], True))
            assert column[row] in allowed, (name, value)


def require_alike_in_files(folder, values, alone):
    """In a file of either kind, of Parquet in batches of a group of rows."""
    require_alike(values, readings(as_jsonl(folder, values)), alone)
    path = as_parquet(folder, values)
    if path is not None:
        require_alike(values, readings(path, 2), alone)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The readings of each value in a file of its own, by its spelling."""
    folder = tmp_path_factory.mktemp("alone")
    values = [value for sort in [OTHERS, *SORTS.values()] for value in sort]
    return {repr(v): readings(as_jsonl(folder, [v])) for v in values}


@pytest.mark.parametrize("sort", SORTS)
def test_a_value_alone_and_beside_others(tmp_path, alone, sort):
    for other in OTHERS:
        values = [other, *SORTS[sort]]
        once = [alone[repr(value)] for value in values]
        require_alike_in_files(tmp_path, values, once)


def test_any_sorts_together(tmp_path, alone):
    values = [value for sort in SORTS.values() for value in sort]
    once = [alone[repr(value)] for value in values]
    require_alike_in_files(tmp_path, values, once)


@settings(max_examples=15)
@given(st.lists(VALUES, min_size=1, max_size=4))
def test_any_value_alone_and_in_any_column(values):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        once = [readings(as_jsonl(folder, [value])) for value in values]
        require_alike_in_files(folder, values, once)
