"""What a YAML file may hold, and that asking for more costs nothing."""

import datetime
import os
import resource
import time

import hypothesis
import hypothesis.strategies as st
import pytest
import yaml

from tfadrec.core.errors import InputError
from tfadrec.core.read_yaml import MOST_BYTES, read_yaml, yaml_bytes

BOMB = "a: [&a0 [x, x, x, x, x, x, x, x, x]" + "".join(
    f", &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)
)


def test_plain_values():
    text = "\ufeffa: 1\nb: [1e-3, x, 2020-01-02, null, true]\nc: {d: ä}\n"
    assert read_yaml(text.encode()) == {
        "a": 1,
        "b": [0.001, "x", datetime.date(2020, 1, 2), None, True],
        "c": {"d": "ä"},
    }
    assert read_yaml("") is None


def test_aliases_and_merged_keys_are_read():
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nd: *a"
    assert read_yaml(text) == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "d": {"x": 1, "y": 2},
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB + "]", "line 1, where at most 100,000 values are allowed"),
        ("a: &a [*a]", "no alias of what it stands in"),
        ("a: &a {b: {c: *a}}", "no alias of what it stands in"),
        ("a: *b", "undefined alias"),
        ("a: " + "[" * 60 + "]" * 60, "at most 50 levels"),
        ("[" * 500_000, "maximum nesting depth|at most 50 levels"),
        ("- " * 500_000, "at most 50 levels"),
        ("{a: " * 100_000, "at most 50 levels"),
        ("a:\n" + "- 1\n" * 100_001, "at most 100,000 values"),
        ("x" * (MOST_BYTES + 1), "more than 1,048,576 bytes"),
        ("a: 1\nb: 2\na: 3", "the key 'a' twice, in line 1 and in line 3"),
        ("{a: 1, 'a': 2}", "the key 'a' twice, in line 1 and in line 1"),
        ("x: {y: [{k: 1,\n k: 1}]}", "the key 'k' twice, in line 1 and in line 2"),
        ("a: 2020-13-45", "'2020-13-45' in line 1, instead of a value"),
        ("\n- 2020-01-01 25:00:00", "'2020-01-01 25:00:00' in line 2"),
        ("a: " + "9" * 5000, "999999… in line 1"),
        ("a: 9223372036854775808", "instead of integers of at most 64 bits"),
        ("a: 0x" + "f" * 5000, "instead of integers of at most 64 bits"),
        ("a: 1" + ":59" * 5000, "in line 1, instead of"),
        ("a: !!int x", "'x' in line 1, instead of"),
        ("a: !!int ''", "'' in line 1, instead of"),
        ("a: !!bool x", "'x' in line 1, instead of"),
        ("a: !!float x", "'x' in line 1, instead of"),
        ("a: !!timestamp x", "'x' in line 1, instead of"),
        ("a: !!binary ä", "non-ascii|failed to convert"),
        ("a: !!python/object/apply:os.system [ls]", "not determine a constr"),
        ("? [a]\n: 1", "unhashable key"),
        ("a: 1\n---\nb: 2", "expected a single document"),
        ("a: \0", "must be YAML"),
        ("%YAML 9.9\n---\na", "must be YAML"),
        (b"\xff\xfea\0", "must be YAML"),
        (b"a: \xc3", "must be YAML.* position 3"),
        ("a: \ud800", "must be YAML"),
        ('a: "\\ud800"', "must be YAML"),
    ],
)
def test_what_is_refused(text, message):
    before = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=message) as error:
        read_yaml(text)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600
    assert time.process_time() - before < 2
    # In KiB. A file of a megabyte is some tokens of it, and no more.
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert grown < 200_000


def test_the_bomb_takes_no_time_and_no_memory():
    before = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError):
        read_yaml(BOMB + "]")
    assert time.process_time() - before < 1
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert grown < 8_000


def test_a_message_names_the_rule_and_the_file():
    with pytest.raises(InputError, match=r"^a space is YAML. Received: f.y \("):
        read_yaml("a: [", "a space is YAML", "f.y")


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("abc~1: é", max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@hypothesis.given(PLAIN)
def test_what_was_written_is_read(value):
    # libyaml refuses some characters that it writes unescaped.
    written = yaml.safe_dump({"value": value}, allow_unicode=False)
    assert read_yaml(written) == {"value": value}


@hypothesis.given(st.text("a1:-[]{}&*!|>'\"%,?#\n \t<", max_size=40))
def test_any_text_is_read_or_is_one_line(text):
    try:
        read_yaml(text)
    except InputError as error:
        assert "\n" not in str(error)


@hypothesis.given(st.binary(max_size=40))
def test_any_bytes_are_read_or_are_one_line(data):
    try:
        read_yaml(data)
    except InputError as error:
        assert "\n" not in str(error)


def test_a_file_is_a_regular_one(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", "/dev/zero", tmp_path / "none"):
        with pytest.raises(OSError, match="no regular file|No such file"):
            yaml_bytes(path)
    (tmp_path / "long").write_bytes(b"x" * (MOST_BYTES + 100))
    assert len(yaml_bytes(tmp_path / "long")) == MOST_BYTES + 1
