"""Raw columns of any type and content, for property tests."""

import math

import pyarrow as pa
from hypothesis import strategies as st

#: Text that means something to a parser, beside text that does not.
TEXTS = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        [
            "",
            " ",
            ":",
            "a",
            "b",
            "a b",
            "a:1",
            "b:2 a:-1e3",
            "1 2",
            "3 4",
            "+.5",
        ]
    ),
    st.from_regex(r"\A[+-]?[0-9]{1,3}\.?[0-9]*([eE][+-]?[0-9]{1,3})?\Z"),
    st.floats().map(str),
)
_SCALARS = {
    pa.string(): TEXTS,
    pa.large_string(): TEXTS,
    pa.float64(): st.floats(),
    pa.float32(): st.floats(width=32),
    pa.float16(): st.floats(width=16),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.int8(): st.integers(-128, 127),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(),
    pa.timestamp("us"): st.datetimes(),
    pa.decimal128(10, 2): st.decimals(-999, 999, places=2),
    pa.null(): st.none(),
}
NUMBERS = st.one_of(
    st.floats(-1e3, 1e3),
    st.floats(),
    st.sampled_from([0.0, 1.0, -1.0, 1e100, 1e15, 5e-324, math.inf]),
)


def plain():
    """Columns of texts, numbers and times."""
    return st.sampled_from(list(_SCALARS)).flatmap(
        lambda kind: _column(kind, _SCALARS[kind])
    )


def lists():
    """Columns of lists of these."""
    return st.sampled_from(list(_SCALARS)).flatmap(
        lambda kind: _column(
            pa.list_(kind), st.lists(st.none() | _SCALARS[kind], max_size=4)
        )
    )


def texts():
    return _column(pa.string(), TEXTS)


def numbers():
    return _column(pa.float64(), NUMBERS)


def vectors():
    def of_width(width):
        few = st.lists(NUMBERS, min_size=width, max_size=width)
        any_width = st.lists(NUMBERS, max_size=3)
        return _column(pa.list_(pa.float64()), few | any_width)

    return st.integers(1, 3).flatmap(of_width)


def maps():
    entry = st.tuples(TEXTS, NUMBERS)
    return _column(
        pa.map_(pa.string(), pa.float64()), st.lists(entry, max_size=4)
    )


def _column(kind, values):
    return st.lists(st.none() | values, max_size=12).map(
        lambda rows: pa.chunked_array([pa.array(rows, kind)], kind)
    )
