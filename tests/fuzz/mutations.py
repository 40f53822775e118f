"""Files as they were not meant, made from good ones by hypothesis."""

import copy
import json

import hypothesis.strategies as st

#: What readers stumble over, put into a file at any place.
TOKENS = [
    *(
        b"\0",
        b"\xff",
        b"\xc3",
        b"\xef\xbb\xbf",
        b"\r",
        b"\n",
        b"\t",
        b"\x1b[2J",
    ),
    *(b"\xef\xbf\xbf", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xf4\x8f\xbf\xbf"),
    *(b'"', b"'", b",", b";", b"\\", b"{", b"}", b"[", b"]", b"(", b":", b"#"),
    *(
        b"*a",
        b"&a ",
        b"- ",
        b"!!int ",
        b"<<: *a",
        b"%",
        b"~",
        b"? ",
        b"| ",
        b"---",
    ),
    *(
        b"NaN",
        b"inf",
        b"-inf",
        b"1e999",
        b"-0",
        b"+1",
        b"1_000",
        b"0x1F",
        b"null",
    ),
    *(b"9" * 20, b"9" * 5000, b"9223372036854775808", b"-9223372036854775808"),
    *(
        b"2020-13-45",
        b"0000-00-00",
        b"9999-12-31T23:59:60Z",
        b"true",
        b"\\ud800",
    ),
    *(b"../../etc/passwd", b"/dev/zero", b"~nouser/x", b"data:,a", b"[" * 300),
]
#: What is put in the place of a value, whatever it was.
VALUES = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**30),
    *(0.5, -0.0, 1e308, float("nan"), float("inf"), "", "a", "\0", "\ud800"),
    *("é" * 40, "x" * 5000, "../x", "/dev/zero", "9" * 500, "1", "true"),
    *([], {}, [[]], [None], {"": None}, {"a": {"a": {}}}, [[1], ["a"]], [{}]),
    [1] * 1000,
]
_MOST_CHANGES = 4
_CUTS = ["cut", "put", "over", "double", "bit", "end"]
_SWAPS = ["value", "value", "value", "drop", "name", "wrap"]


@st.composite
def changed_bytes(draw, seeds):
    """A good file with pieces cut, put in, doubled and overwritten.

    Args:
      seeds: good files, bytes.
    """
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, _MOST_CHANGES))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.integers(0, 40)))
        token = draw(st.sampled_from(TOKENS))
        kind = draw(st.sampled_from(_CUTS))
        if kind == "bit" and start < len(data):
            flipped = data[start] ^ (1 << draw(st.integers(0, 7)))
            data = data[:start] + bytes([flipped]) + data[start + 1 :]
        else:
            data = {
                "bit": data,
                "end": data[:start],
                "cut": data[:start] + data[stop:],
                "put": data[:start] + token + data[start:],
                "over": data[:start] + token + data[stop:],
                "double": data[:stop] + data[start:stop] * 2 + data[stop:],
            }[kind]
    return data


@st.composite
def changed_tree(draw, seeds):
    """Good values of dicts and lists, some of them replaced or taken away.

    Args:
      seeds: the values.
    """
    root = copy.deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, _MOST_CHANGES))):
        places = [(None, None), *_places(root)]
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        value = copy.deepcopy(draw(st.sampled_from(VALUES)))
        kind = draw(st.sampled_from(_SWAPS))
        if holder is None:
            root = value if kind == "drop" else root
        elif kind == "drop":
            del holder[key]
        elif kind == "wrap":
            holder[key] = [holder[key]]
        elif kind == "name" and isinstance(holder, dict):
            holder[str(value)] = holder.pop(key)
        else:
            holder[key] = value
    return root


def _places(root):
    """Every (list or dict, key) in a value."""
    waiting = [root] if isinstance(root, dict | list) else []
    found = []
    while waiting:
        holder = waiting.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    return found


def changed_json(seeds):
    """JSON texts as bytes, changed as values or as text."""
    texts = [json.dumps(seed).encode() for seed in seeds]
    trees = changed_tree(seeds).map(lambda tree: json.dumps(tree).encode())
    return trees | changed_bytes(texts)
