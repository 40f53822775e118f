"""Requests that come at the same time: merged in the graph, before it, or not.

    python benchmarks/batching.py [ADS] [SECONDS]

The ranker and the slates of `serving.py`. In the graph a signature is wrapped
in `tf.nondifferentiable_batch_function`, which holds requests for a moment and
runs those that have come as one; a server merges them before it calls a graph
that knows nothing of it. All are asked by as many threads as there are clients,
each with a user of its own, through TensorFlow's C library in a process without
its Python.
"""

import json
import os
import pathlib
import sys
import tempfile
import time

import behavior
import numpy as np
from machine import describe, told_by
from serving import LENGTH, make_dataset, make_slate

_ADS, _SECONDS, _ROUNDS = 100, 3.0, 3
_CLIENTS = (1, 2, 4, 8, 16)
_MERGED = 8
#: How long a request may wait for others, in microseconds; None: no batches.
_WAITS = {"as it is": None, "in the graph": 0, "in the graph, 1 ms": 1000}


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(_measure(float(sys.argv[2]), sys.argv[3:])))
        return
    ads = int(sys.argv[1]) if len(sys.argv) > 1 else _ADS
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else _SECONDS
    print(describe(), flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folders = [pathlib.Path(scratch, str(n)) for n in range(len(_WAITS))]
        _export(folders, ads)
        found = [
            told_by(__file__, "measure", seconds, *folders)
            for _ in range(_ROUNDS)
        ]
    print(
        f"{ads} ads, T = {LENGTH}, {_ROUNDS} rounds: requests a second; 50th / "
        "99th percentile, ms; processor, ms a request; medians"
    )
    for place, name in enumerate((*_WAITS, f"{_MERGED} as one")):
        for number, clients in enumerate(_CLIENTS):
            if place == len(_WAITS) and number:
                break  # a server asks for them in one thread
            rate, p50, p99, used = np.median(
                [each[place][number] for each in found], axis=0
            )
            asked = f"{clients:2} clients" if place < len(_WAITS) else ""
            print(
                f"{name:18} {asked:10} {rate:6.0f}; {p50:6.2f} / {p99:6.2f}; "
                f"{used:.2f}"
            )


def _export(folders, ads) -> None:
    """A bundle for each of `_WAITS`, with a request of each client."""
    from tfadrec import serving
    from tfadrec.core.door import keras, tf
    from tfadrec.serving.warm_up import write_warm_up

    keras.utils.set_random_seed(0)
    dataset = make_dataset()
    ranker = behavior.make_ranker("DIN", {}, LENGTH)
    service = serving.RankingService(ranker, dataset)
    (plain,) = service.signatures("score_slate").values()
    asked = [
        ("score_slate", make_slate(dataset, user, ads))
        for user in range(max(_CLIENTS))
    ]
    answers = []
    for folder, wait in zip(folders, _WAITS.values(), strict=True):
        answer = plain if wait is None else _in_batches(plain, wait)
        signatures = {"score_slate": answer}
        tf.saved_model.save(service, folder, signatures)
        write_warm_up(folder, "ours", signatures, asked)
        loaded = serving.open_bundle(folder)["score_slate"]
        answers.append(loaded(**asked[0][1])["pctr"])
        np.testing.assert_allclose(answers[-1], answers[0], rtol=1e-5)


def _in_batches(function, wait):
    """The same, whose calls of one moment are run as one."""
    from tfadrec.core.door import tf

    specs = function.structured_input_signature[1]
    outputs = sorted(function.structured_outputs)

    def together(*values):
        found = function(**dict(zip(specs, values, strict=True)))
        return [found[name] for name in outputs]

    merged = tf.nondifferentiable_batch_function(
        num_batch_threads=len(os.sched_getaffinity(0)),
        max_batch_size=_MERGED,
        batch_timeout_micros=wait,
        max_enqueued_batches=100,
    )(together)

    def answer(**request):
        found = merged(*(request[name] for name in specs))
        return dict(zip(outputs, found, strict=True))

    return tf.function(answer, autograph=False).get_concrete_function(**specs)


def _measure(seconds, folders):
    """By folder and number of clients, and of merged requests at the end."""
    from tfadrec.native.bundle_session import BundleSession
    from tfadrec.native.replay import WARM_UP, measure
    from tfadrec.native.warm_up_file import requests

    found, asked, session = [], [], None
    for folder in map(pathlib.Path, folders):
        session = BundleSession(folder)
        asked = list(requests(folder / WARM_UP))
        told = [
            _told(measure, [session.call(*each) for each in asked[:n]], seconds)
            for n in _CLIENTS
        ]
        found.append(told)
        if len(found) == 1:
            alone = session
    some = [request for _, request in asked[:_MERGED]]
    merged = {k: np.concatenate([r[k] for r in some]) for k in some[0]}
    call = alone.call(asked[0][0], merged)
    found.append([_told(measure, [call], seconds, _MERGED)])
    return found


def _told(measure, calls, seconds, requests_a_call=1):
    begun = time.process_time(), time.perf_counter()
    told = measure(calls, 10**9, seconds)
    used = time.process_time() - begun[0]
    rate = requests_a_call * told["per_second"]
    count = rate * (time.perf_counter() - begun[1])
    return [rate, told["p50_ms"], told["p99_ms"], 1000 * used / count]


if __name__ == "__main__":
    main()
