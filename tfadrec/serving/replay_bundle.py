"""Replays requests through a bundle, with TensorFlow and nothing of ours.

    python -I replay_bundle.py BUNDLE REQUESTS.npz ANSWERS.npz CALLS SECONDS

A script, which imports nothing of this package: it stands for a server. It
answers by the object API and by the session API, which TensorFlow Serving uses,
and prints one JSON object: milliseconds per request, by session. A request of
one size is timed CALLS times, or until SECONDS are over. The names in the files
are `signature/case/input` and `signature/api/case/output`.
"""

import json
import sys
import time

import numpy as np
import tensorflow as tf

_BATCHES = (1, 32, 256)
_SLATES = (100, 500)
_WARM_UP = 5


def main(
    bundle: str, requests: str, answers: str, calls: str, seconds: str
) -> None:
    """See the module."""
    limits = int(calls), float(seconds)
    asked: dict[tuple[str, str], dict[str, np.ndarray]] = {}
    with np.load(requests) as file:
        for key, values in file.items():
            signature, case, name = key.split("/")
            asked.setdefault((signature, case), {})[name] = _objects(values)
    rows = asked["serving_default", "plain"]
    found: dict[str, np.ndarray] = {}
    loaded = tf.saved_model.load(bundle)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], bundle)

        def by_session(signature, request):
            definition = meta.signature_def[signature]
            return session.run(
                {k: v.name for k, v in definition.outputs.items()},
                {definition.inputs[k].name: v for k, v in request.items()},
            )

        for (signature, case), request in asked.items():
            for name, value in by_session(signature, request).items():
                found[f"{signature}/session/{case}/{name}"] = _plain(value)
        timed = {
            f"serving_default, {size} rows": (
                "serving_default",
                _rows(rows, size),
            )
            for size in _BATCHES
        } | {
            f"score_slate, {size} ads": (
                "score_slate",
                _slate(rows, size, meta.signature_def["score_slate"].inputs),
            )
            for size in _SLATES
        }
        latency = {
            what: _time(lambda: by_session(*call), *limits)  # noqa: B023
            for what, call in timed.items()
        }
    for (signature, case), request in asked.items():
        function = loaded.signatures[signature]
        specs = function.structured_input_signature[1]
        tensors = {
            k: tf.constant(v.tolist(), specs[k].dtype, v.shape)
            for k, v in request.items()
        }
        for name, value in function(**tensors).items():
            found[f"{signature}/object/{case}/{name}"] = _plain(value.numpy())
    np.savez(answers, allow_pickle=False, **found)
    print(json.dumps(latency))


def _objects(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "U":
        return values
    # What marks the end of a text, which may be NUL, is taken off.
    return np.frompyfunc(lambda text: text[:-1], 1, 1)(values.astype(object))


def _plain(values: np.ndarray) -> np.ndarray:
    """Texts as bytes with a full stop behind, which keeps NULs at their end."""
    if values.dtype != object:
        return values
    texts = [text + b"." for text in values.flat]
    return np.array(texts, "S").reshape(values.shape)


def _rows(rows: dict[str, np.ndarray], size: int) -> dict[str, np.ndarray]:
    chosen = np.arange(size) % len(rows["history_length"])
    return {name: values[chosen] for name, values in rows.items()}


def _slate(
    rows: dict[str, np.ndarray], size: int, inputs
) -> dict[str, np.ndarray]:
    """The longest history, with as many candidates."""
    longest = int(np.argmax(rows["history_length"]))
    many = _rows(rows, size)
    return {
        # What belongs to a candidate has one axis more in a slate.
        name: many[name][None]
        if values.ndim < len(inputs[name].tensor_shape.dim)
        else values[[longest]]
        for name, values in rows.items()
    }


def _time(call, calls: int, seconds: float) -> dict[str, float]:
    took: list[float] = []
    for _ in range(_WARM_UP):
        call()
    end = time.perf_counter() + seconds
    while len(took) < calls and (not took or time.perf_counter() < end):
        start = time.perf_counter()
        call()
        took.append(1000 * (time.perf_counter() - start))
    p50, p90, p99 = np.percentile(took, (50, 90, 99))
    return {"p50": p50, "p90": p90, "p99": p99}


if __name__ == "__main__":
    main(*sys.argv[1:])
