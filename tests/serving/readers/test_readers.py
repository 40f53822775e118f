"""Files and requests: one value is read alike, whatever it is."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tfadrec.core.door import tf
from tfadrec.core.feature import Feature
from tfadrec.data.features import KINDS, decode, encode
from tfadrec.serving.readers import READERS, readers_of

WORDS = (
    "a",
    "b",
    "A",
    "é",
    "e\u0301",
    "日本",
    "a\0",
    "\0",
    " ",
    "🙂",
    "long" * 99,
)
TEXTS = st.one_of(
    st.sampled_from((*WORDS, "", "nobody", "a ", "\0\0", "x" * 5000)),
    st.text(max_size=9),
    st.none(),
)
NUMBERS = st.one_of(
    st.sampled_from(
        (0.0, -0.0, 1.0, 2.5, 1e100, 1.1e100, -1e101, 5e-324, -5e-324, 1e-310)
    ),
    st.floats(),
    st.floats(-9, 9),
    st.none(),
)
LOGITS = st.none() | st.floats(-30, 30).map(lambda x: round(x, 9))
SMALL = st.one_of(
    st.sampled_from((0.0, 1.0, -2.0, 1e-45, 3.4e38)), st.floats(width=32)
)
ROWS, EXAMPLES = 80, 15
#: The same values each time; failures are not made smaller, which takes long.
PROFILE = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def feature(kind, **settings):
    return Feature("x", "user", kind, tensor="x", column="x", **settings)


def lists(*entries):
    return st.lists(st.tuples(*entries), max_size=5)


#: name -> the feature, and what is generated for one value.
CASES = {
    "category": (feature("category", vocabulary=WORDS), TEXTS),
    "nothing known": (feature("category"), TEXTS),
    "hashed": (feature("category", buckets=7), TEXTS),
    "categories": (
        feature("categories", vocabulary=WORDS, width=3),
        lists(TEXTS),
    ),
    "hashed list": (feature("categories", buckets=99, width=4), lists(TEXTS)),
    "weighted": (
        feature("categories", vocabulary=WORDS, width=2, weighted=True),
        lists(TEXTS, SMALL),
    ),
    "number": (
        feature("number", low=-3.0, high=7.5, mean=1.3, std=0.7),
        NUMBERS,
    ),
    "unbounded": (feature("number", mean=-2.0, std=3.0), NUMBERS),
    "log1p": (
        feature("number", log1p=True, low=-1e30, high=1e40, mean=2.0, std=9.0),
        NUMBERS,
    ),
    "buckets": (
        feature("number", bounds=(-1e99, -1.0, 0.0, 1e-320, 2.5)),
        NUMBERS,
    ),
    "vector": (
        feature("vector", width=3),
        st.one_of(st.tuples(SMALL, SMALL, SMALL), st.none()),
    ),
    "lookup": (
        feature(
            "lookup", vocabulary=WORDS, width=3, log1p=True, low=-4.0, high=5.0
        ),
        lists(TEXTS, NUMBERS),
    ),
    "hashed lookup": (
        feature("lookup", buckets=5, width=2, mean=1.0, std=2.0),
        lists(TEXTS, NUMBERS),
    ),
    "rate": (feature("rate"), LOGITS),
    "count": (feature("count"), LOGITS),
}
generated = dict.fromkeys(CASES, 0)


def from_file(of, values):
    """The columns, as `prepare` and `open_dataset` make them."""
    if of.kind == "lookup" or of.weighted:
        # A key that is null stands in no map.
        values = [
            [("" if k is None else k, v) for k, v in entries]
            for entries in values
        ]
        column = pa.array(values, pa.map_(pa.string(), pa.float64()))
    elif of.kind == "categories":
        column = pa.array([[v for (v,) in entries] for entries in values])
        column = column.cast(pa.list_(pa.string()))
    elif of.kind == "vector":
        column = pa.array(values, pa.list_(pa.float32()))
    else:
        is_number = of.kind in ("number", "rate", "count")
        kind = pa.float64() if is_number else pa.string()
        column = pa.array(values, kind)
    kind = KINDS[of.kind]
    parsed, _ = kind.parse(pa.chunked_array([column]), " ", {})
    return encode({"x": parsed}, [of])


def raw_of(of, values):
    """The same in a request; lists are filled up with empty entries."""
    [reader] = readers_of([of])
    specs = reader.specs([None])
    empty = {tf.string: "", tf.float64: np.nan, tf.float32: 0.0}
    raw = {}
    for place, (name, spec) in enumerate(specs.items()):
        blank = empty[spec.dtype]
        if reader.is_list:
            longest = max(map(len, values), default=0)
            made = [
                [blank if e[place] is None else e[place] for e in entries]
                + [blank] * (longest - len(entries))
                for entries in values
            ]
            shape = [len(values), longest]
        elif of.kind == "vector":
            made = [[0.0] * of.width if v is None else v for v in values]
            shape = [len(values), of.width]
        else:
            made = [blank if v is None else v for v in values]
            shape = [len(values)]
        raw[name] = tf.constant(made, spec.dtype, shape)
    return reader, raw


def assert_equal(found, expected, rtol=0.0):
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name].dtype == values.dtype, name
        assert found[name].shape == values.shape, name
        np.testing.assert_allclose(found[name], values, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("case", CASES)
def test_a_request_is_read_as_a_file_is(case):
    of, value = CASES[case]

    @PROFILE
    @given(st.lists(value, min_size=ROWS, max_size=ROWS))
    def check(values):
        generated[case] += len(values)
        expected = from_file(of, values)
        reader, raw = raw_of(of, values)
        # The logarithm's last bit is each library's own.
        assert_equal(reader.read(raw), expected, 1e-6 * of.log1p)

    check()
    assert generated[case] >= ROWS * EXAMPLES


def test_ten_thousand_values_are_compared():
    assert ROWS * EXAMPLES * len(CASES) >= 10_000
    assert {of.kind for of, _ in CASES.values()} == set(READERS)
    assert set(READERS) == {k for k, v in KINDS.items() if not v.derived}


@pytest.mark.parametrize("case", CASES)
def test_what_is_decoded_is_read_as_it_was(case):
    """Also with two axes before the value, as in a history."""
    of, value = CASES[case]

    @settings(PROFILE, max_examples=3)
    @given(st.lists(value, min_size=ROWS, max_size=ROWS))
    def check(values):
        expected = {
            name: column.reshape(ROWS // 2, 2, *column.shape[1:])
            for name, column in from_file(of, values).items()
        }
        [reader] = readers_of([of])
        specs = reader.specs([None, None])
        raw = {
            name: tf.constant(v.tolist(), specs[name].dtype, v.shape)
            for name, v in decode(expected, [of]).items()
        }
        assert set(raw) == set(specs)
        assert_equal(reader.read(raw), expected, 1e-6 * of.log1p)

    check()


@pytest.mark.parametrize("case", CASES)
def test_what_is_empty_is_missing_and_not_given(case):
    of, _ = CASES[case]
    [reader] = readers_of([of])
    missing = reader.read(reader.empty(tf.constant([2, 3])))
    nothing = [] if reader.is_list else None
    expected = from_file(of, [nothing])
    for name, values in expected.items():
        row = np.broadcast_to(values, (2, 3, *values.shape[1:]))
        np.testing.assert_array_equal(missing[name], row)
    assert not reader.is_given(reader.empty(tf.constant([2]))).numpy().any()


@pytest.mark.parametrize(
    ("case", "values", "is_given"),
    [
        ("category", ["a", "", "who?"], [True, False, True]),
        ("categories", [[("",)], [("",), ("who?",)]], [False, True]),
        ("number", [0.0, np.nan, np.inf], [True, False, False]),
        ("vector", [(0, 0, 1), (0, 0, 0), (np.nan, 1, 1)], [1, 0, 0]),
        ("lookup", [[("a", 1.0)], [("", 1.0)], []], [True, False, False]),
    ],
)
def test_what_is_given(case, values, is_given):
    """Also a value that is unknown; not one that cannot be read."""
    reader, raw = raw_of(CASES[case][0], values)
    np.testing.assert_array_equal(reader.is_given(raw), is_given)


@pytest.mark.parametrize(
    ("case", "name"), [("weighted", "x_weights"), ("lookup", "x_values")]
)
@pytest.mark.parametrize("length", [1, 4])
def test_parts_of_a_list_have_one_length(case, name, length):
    """One weight for three values would count for all of them."""
    reader, raw = raw_of(CASES[case][0], [[("a", 1.0)] * 3])
    raw[name] = tf.ones([1, length], raw[name].dtype)
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=rf"`{name}` must have an entry for each of `x",
    ):
        reader.read(raw)


def test_entries_that_count_for_nothing_take_no_place():
    """Derived by hand: the first two known entries of each list."""
    of = feature("categories", vocabulary=("a", "b", "c"), width=2)
    reader, raw = raw_of(
        of, [[("",), ("c",), ("?",), ("a",), ("b",)], [("b",)], []]
    )
    found = reader.read(raw)
    np.testing.assert_array_equal(found["x"], [[3, 1], [2, 0], [0, 0]])


def test_numbers_by_hand():
    """(clip(x, 0, 10) - 5) / 2; buckets that begin at 1 and 5."""
    values = [9.0, 99.0, -1.0, np.nan, -np.inf, 2e100]
    of = feature("number", low=0.0, high=10.0, mean=5.0, std=2.0)
    reader, raw = raw_of(of, values)
    expected = [2.0, 2.5, -2.5, np.nan, np.nan, np.nan]
    np.testing.assert_array_equal(reader.read(raw)["x"], expected)
    of = feature("number", bounds=(1.0, 5.0))
    reader, raw = raw_of(of, [0.9, 1.0, 4.9, 5.0, np.nan])
    np.testing.assert_array_equal(reader.read(raw)["x"], [1, 2, 2, 3, 0])


@pytest.mark.parametrize(
    ("kind", "read"), [("rate", [-20, 20, 1]), ("count", [0, 44, 1])]
)
def test_a_rate_is_no_further_off_than_a_log_can_tell(kind, read):
    bare = Feature("x", "candidate", kind, tensor="x", column="x")
    described = KINDS[kind].describe(bare, None, {}, ids=("ad_id",))
    raw = tf.constant([-1e30, 1e30, 1], tf.float64)
    found = READERS[kind](described).read({"x": raw})["x"]
    assert found.numpy().tolist() == read
    column = pa.array([-1e30, 1e30, 1])
    encoded = KINDS[kind].encode(column, described)["x"]
    assert encoded.tolist() == read
