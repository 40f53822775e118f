"""Malformed requests, made of good ones."""

import base64
import json

import numpy as np

#: What the server is started with: 1 MB.
BODY = 2**20


def requests(good, seed):
    """Endless (what is wrong, method, where, body).

    Args:
      good: signature -> its inputs in JSON, by column.
      seed: of the order and the places.
    """
    random = np.random.default_rng(seed)
    kinds = [*_IN_VALUES, *_IN_BODIES]
    while True:
        signature = str(random.choice(sorted(good)))
        inputs = json.loads(json.dumps(good[signature]))
        kind = kinds[random.integers(len(kinds))]
        method, where = "POST", ":predict"
        if kind in _IN_VALUES:
            if not kind(inputs, random):
                continue
            body = json.dumps(
                {"signature_name": signature, "inputs": inputs}
            ).encode()
        else:
            method, where, body = kind(signature, inputs, random)
        yield kind.__name__.strip("_"), method, where, body


def _pick(inputs, random, names=None):
    there = sorted(set(inputs if names is None else names) & set(inputs))
    return str(random.choice(there)) if there else None


def _leaf(inputs, name, random):
    """A list that holds values, and a place in it; None where it is empty."""
    values = inputs[name]
    while values and isinstance(values[0], list):
        values = values[random.integers(len(values))]
    return (values, random.integers(len(values))) if values else None


def _put(inputs, name, random, value):
    leaf = name and _leaf(inputs, name, random)
    if not leaf:
        return False
    values, place = leaf
    values[place] = value
    return True


def _wrong_type(inputs, random):
    name = _pick(inputs, random)
    leaf = _leaf(inputs, name, random)
    if not leaf:
        return False
    old = leaf[0][leaf[1]]
    # A number may stand for a float, but for nothing else here.
    wrong = [None, {}, {"b64": 3}, {"x": "y"}, []]
    if isinstance(old, (str, dict)):
        wrong += [1, 1.5, True]
    elif isinstance(old, bool):
        wrong += ["true", 1, 0.0]
    else:
        wrong += ["1", True] + ([1.5] if isinstance(old, int) else [])
    return _put(inputs, name, random, wrong[random.integers(len(wrong))])


def _wrong_depth(inputs, random):
    name = _pick(inputs, random)
    deeper = random.integers(2)
    inputs[name] = [inputs[name]] if deeper else inputs[name][0]
    # A row of a list of examples is a plain value, and no list.
    return True


def _no_list(inputs, random):
    wrong = [7, "x", None, {"a": [1]}, True]
    inputs[_pick(inputs, random)] = wrong[random.integers(len(wrong))]
    return True


def _missing(inputs, random):
    del inputs[_pick(inputs, random)]
    return True


def _unknown(inputs, random):
    name = _pick(inputs, random)
    inputs[f"{name}{random.integers(9)}"] = inputs[name]
    return True


def _nan(inputs, random):
    name = _pick(
        inputs,
        random,
        ["user_id", "history_ages", "history_length", "candidate_ads", "bids"],
    )
    value = [float("nan"), float("inf"), -float("inf")][random.integers(3)]
    return _put(inputs, name, random, value)


def _huge_number(inputs, random):
    name = _pick(inputs, random, ["user_id", "history_ages", "candidate_ads"])
    value = [2**70, -(2**70), 2**63, 10**400][random.integers(4)]
    return _put(inputs, name, random, value)


def _wrong_length(inputs, random):
    width = len(inputs.get("history_ads", [[]])[0])
    wrong = [-1, -(2**31), width + 1, 2**31 - 1, 2**31]
    value = wrong[random.integers(len(wrong))]
    name = _pick(inputs, random, ["history_length"])
    return _put(inputs, name, random, value)


def _negative(inputs, random):
    name = _pick(inputs, random, ["k", "bids"])
    return _put(inputs, name, random, -1)


def _negative_age(inputs, random):
    if not inputs.get("history_length", [0])[0]:
        return False
    inputs["history_ages"][0][0] = -5
    return True


def _ragged(inputs, random):
    deep = [k for k, v in inputs.items() if len(v) > 1 and _deep(v)]
    name = _pick(inputs, random, deep)
    if not deep:
        return False
    inputs[name][0].append(inputs[name][0][0])
    return True


def _deep(values):
    return isinstance(values[0], list) and values[0]


def _uneven_rows(inputs, random):
    name = _pick(inputs, random)
    if len(inputs) < 2:
        return False
    inputs[name].append(inputs[name][0])
    return True


def _uneven_history(inputs, random):
    name = _pick(inputs, random, ["history_events", "history_ages"])
    if name is None:
        return False
    for row in inputs[name]:
        row.append("view" if name == "history_events" else 1)
    return True


def _no_rows(inputs, random):
    for name in inputs:
        inputs[name] = []
    return True


def _many_rows(inputs, random):
    for name in inputs:
        inputs[name] = inputs[name][:1] * 257
    return True


def _many_values(inputs, random):
    if "candidate_ads" not in inputs or not _deep(inputs["candidate_ads"]):
        return False
    inputs["candidate_ads"] = [[1] * 65_537]
    return True


def _broken_text(inputs, random):
    name = _pick(inputs, random, ["history_events", "device"])
    wrong = [
        "\ud800",
        {"b64": base64.b64encode(b"\xff\xfe").decode()},
        {"b64": base64.b64encode(b"caf\xc3").decode()},
        {"b64": "no base64!"},
        {"b64": "abc"},
    ]
    return _put(inputs, name, random, wrong[random.integers(len(wrong))])


_IN_VALUES = [
    _wrong_type,
    _wrong_depth,
    _no_list,
    _missing,
    _unknown,
    _nan,
    _huge_number,
    _wrong_length,
    _negative,
    _negative_age,
    _ragged,
    _uneven_rows,
    _uneven_history,
    _no_rows,
    _many_rows,
    _many_values,
    _broken_text,
]


def _body(signature, inputs):
    return json.dumps({"signature_name": signature, "inputs": inputs}).encode()


def _truncated(signature, inputs, random):
    body = _body(signature, inputs)
    return "POST", ":predict", body[: random.integers(len(body))]


def _garbage(signature, inputs, random):
    body = bytes(random.integers(0, 256, random.integers(1, 200), np.uint8))
    return "POST", ":predict", body


def _byte_changed(signature, inputs, random):
    """One that is no UTF-8, anywhere."""
    body = bytearray(_body(signature, inputs))
    body[random.integers(len(body))] = 0xFF
    return "POST", ":predict", bytes(body)


def _after_the_end(signature, inputs, random):
    return "POST", ":predict", _body(signature, inputs) + b"}"


def _nested(signature, inputs, random):
    depth = int(random.integers(2_000, 200_000))
    opening = [b"[", b'{"a":'][random.integers(2)]
    return "POST", ":predict", b'{"inputs":' + opening * depth


def _no_object(signature, inputs, random):
    bodies = [b"", b"[]", b"3", b'"x"', b"null", b"NaN", b"{}"]
    return "POST", ":predict", bodies[random.integers(len(bodies))]


def _wrong_keys(signature, inputs, random):
    bodies = [
        {"signature_name": signature},
        {"inputs": inputs, "instances": [inputs]},
        {"inputs": inputs, "signature": signature},
        {"inputs": inputs, "signature_name": 3},
        {"inputs": inputs, "signature_name": None},
        {"inputs": inputs, "signature_name": "nonsense"},
        {"inputs": inputs, "signature_name": "__saved_model_init_op"},
        {"signature_name": signature, "instances": inputs},
        {"signature_name": signature, "instances": []},
        {"signature_name": signature, "instances": [inputs, 3]},
        {"signature_name": signature, "instances": [{}]},
    ]
    body = bodies[random.integers(len(bodies))]
    return "POST", ":predict", json.dumps(body).encode()


def _twice(signature, inputs, random):
    body = _body(signature, inputs)
    name = _pick(inputs, random)
    more = json.dumps({name: inputs[name]})[1:-1].encode()
    return "POST", ":predict", body[:-2] + b", " + more + b"}}"


def _digits(signature, inputs, random):
    name = _pick(inputs, random)
    body = json.dumps({"signature_name": signature, "inputs": {name: ["@"]}})
    return "POST", ":predict", body.replace('"@"', "9" * 9999).encode()


def _oversized(signature, inputs, random):
    size = BODY + int(random.integers(1, BODY))
    return "POST", ":predict", b" " * size


def _wrong_place(signature, inputs, random):
    places = [
        ("POST", "x:predict"),
        ("POST", "/versions/99:predict"),
        ("POST", "/versions/-1:predict"),
        ("POST", "/versions/one:predict"),
        ("POST", f"/versions/{'9' * 400}:predict"),
        ("POST", "/labels/nobody:predict"),
        ("POST", ":classify"),
        ("POST", ":predict:predict"),
        ("POST", ""),
        ("PUT", ":predict"),
        ("DELETE", ":predict"),
        ("GET", ":predict"),
        ("GET", "/versions/99"),
        ("GET", "/labels/nobody/metadata"),
        ("GET", "/%00%ff"),
    ]
    method, where = places[random.integers(len(places))]
    body = None if method == "GET" else _body(signature, inputs)
    return method, where, body


_IN_BODIES = [
    _truncated,
    _garbage,
    _byte_changed,
    _after_the_end,
    _nested,
    _no_object,
    _wrong_keys,
    _twice,
    _digits,
    _oversized,
    _wrong_place,
]
