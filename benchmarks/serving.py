"""How fast a bundle answers, and how `tfadrec serve` bears load.

    pip install --no-deps deepctr==0.9.4
    python benchmarks/serving.py           # score_slate against DeepCTR's DIN
    python benchmarks/serving.py load      # eight clients of `tfadrec serve`
    python benchmarks/serving.py load 32 1 # as many, of one ad each

Made-up ids, all histories full (T = 50); a user id, an ad id and one category
of an ad, as in `behavior.py`. Slates are timed in TensorFlow's own loader and
without its Python, see `take_turns.py`. DeepCTR has no signature for a slate:
its SavedModel gets 500 rows, and codes in place of raw ids.
"""

import concurrent.futures
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import behavior
import numpy as np
from machine import describe, spread
from take_turns import CLOCKS, take_turns

LENGTH = 50
CANDIDATES = 500
_CALLS, _WARM_UP, _ROUNDS = 500, 50, 5
_CLIENTS, _REQUESTS, _DISTINCT, _SLATE = 8, 10_000, 200, 100
_SEED = 0
_PEERS = {"DeepCTR DIN": {}, "DeepCTR DIN, relu": {"att_activation": "relu"}}


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    command = sys.argv[1:] or ["slates"]
    if command[0] == "peer":
        _export_peer(*command[1:])
    elif command[0] == "load":
        _load(*map(int, command[1:]))
    else:
        _slates()


def _slates() -> None:
    print(describe())
    ours = "score_slate"
    with tempfile.TemporaryDirectory() as scratch:
        ranker = behavior.make_ranker("DIN", {}, LENGTH)
        folder = pathlib.Path(scratch, "ours")
        folders = {ours: export_slate(ranker, make_dataset(), folder)}
        for name in _PEERS:
            folders[name] = pathlib.Path(scratch, name.replace(" ", "_"))
            _call("peer", name, str(folders[name]))
        took = [take_turns(folders.values(), _CALLS) for _ in range(_ROUNDS)]
    print(
        f"One user, {CANDIDATES} candidates, T = {LENGTH}, {_CALLS} calls a "
        "round, ms: percentile, median (smallest to largest) of the rounds"
    )
    # [percentile, round, clock, contender]
    found = np.percentile(took, [50, 99], axis=-1)
    for place, name in enumerate(folders):
        for clock, told in enumerate(CLOCKS):
            p50, p99 = found[:, :, clock, place]
            print(f"{name:18} {told:9} 50th {spread(p50)}  99th {spread(p99)}")
            if name != ours:
                shares = found[:, :, clock, 0] / found[:, :, clock, place]
                p50, p99 = map(spread, shares)
                print(f"{'':12} ours of it {'':5} 50th {p50}  99th {p99}")


def _call(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{arguments}: {done.stderr[-2000:]}")
    return done.stdout


def export_slate(ranker, dataset, folder: pathlib.Path) -> pathlib.Path:
    """A bundle of `score_slate` alone, with one request to warm up with."""
    from tfadrec import serving
    from tfadrec.core.door import tf
    from tfadrec.serving.warm_up import write_warm_up

    service = serving.RankingService(ranker, dataset)
    signatures = service.signatures("score_slate")
    tf.saved_model.save(service, folder, signatures)
    slate = make_slate(dataset, 0, CANDIDATES)
    write_warm_up(folder, "ours", signatures, [("score_slate", slate)])
    return folder


def export(path: pathlib.Path, length: int = LENGTH) -> str:
    """The folder of a bundle's version; `serve` measures drift of it, too."""
    from tfadrec import serving

    ranker = behavior.make_ranker("DIN", {}, length)
    rows = make_dataset(length)
    return str(serving.export_bundle(ranker, rows, path, train=rows))


def _export_peer(name: str, folder: str) -> None:
    """DeepCTR's model, and the rows of the same slate in its codes."""
    import peers
    import tensorflow as tf

    from tfadrec.serving.warm_up import write_warm_up

    sizes = {
        "user": behavior.USERS,
        "ad": behavior.ADS,
        "category": behavior.CATEGORIES,
    }
    model = peers.make("DIN", sizes, LENGTH, **_PEERS[name])
    tf.saved_model.save(model, folder)
    slate = make_slate(make_dataset(), 0, CANDIDATES)
    # A row of a table is one more than the id, here.
    rows = peers.inputs(
        np.repeat(slate["user_id"] + 1, CANDIDATES),
        slate["candidate_ads"][0] + 1,
        np.repeat(slate["history_ads"] + 1, CANDIDATES, axis=0),
        np.repeat(slate["history_length"], CANDIDATES),
        {"category": behavior.categories()},
    )
    signatures = tf.saved_model.load(folder).signatures
    specs = signatures["serving_default"].structured_input_signature[1]
    request = {
        key: np.asarray(rows[key], spec.dtype.as_numpy_dtype).reshape(
            [CANDIDATES, *spec.shape[1:]]
        )
        for key, spec in specs.items()
    }
    asked = [("serving_default", request)]
    write_warm_up(folder, name, signatures, asked)


def make_dataset(length: int = LENGTH):
    """One impression per user, each with a full history of T events."""
    from tfadrec.core.schema import Schema
    from tfadrec.data import Dataset, EventLog, Impressions

    random = np.random.default_rng(_SEED)
    users = np.arange(1, behavior.USERS, dtype=np.int32)
    count = len(users)
    starts = np.arange(count) * length
    catalogue = behavior.make_catalogue()
    return Dataset(
        schema=Schema(
            "benchmark",
            "int64",
            "int64",
            ("view",),
            features=catalogue.features,
        ),
        catalogue=catalogue,
        user_ids=np.arange(count),
        users={},
        events=EventLog(
            users=np.repeat(users, length),
            ads=random.integers(1, behavior.ADS, count * length, np.int32),
            types=np.ones(count * length, np.int32),
            times=np.tile(np.arange(length, dtype=np.int64), count),
        ),
        impressions=Impressions(
            requests=np.arange(count),
            users=users,
            ads=random.integers(1, behavior.ADS, count, np.int32),
            times=np.full(count, 10**6),
            labels={"clicked": np.zeros(count, np.float32)},
            columns={},
            history_starts=starts,
            history_ends=starts + length,
            splits=None,
        ),
        history_length=length,
    )


def make_slate(dataset, user: int, size: int):
    """A request for `score_slate`."""
    from tfadrec import serving

    random = np.random.default_rng(user)
    request = serving.replay(dataset, np.array([user]))
    for feature in dataset.schema.of("candidate"):
        for name in set(feature.tensors) & set(request):
            request[name] = np.repeat(request[name][:, None], size, axis=1)
    ads = random.choice(dataset.catalogue.ad_ids, size, replace=False)
    return {**request, "candidate_ads": ads[None]}


def _load(clients: int = _CLIENTS, ads: int = _SLATE) -> None:
    from tfadrec import serving

    print(describe())
    with tempfile.TemporaryDirectory() as scratch:
        bundle = export(pathlib.Path(scratch, "ours"))
        dataset = make_dataset()
        requests = [make_slate(dataset, user, ads) for user in range(_DISTINCT)]
        ask = serving.open_bundle(bundle)["score_slate"]
        expected = [ask(**request) for request in requests]
        command = [sys.executable, "-m", "tfadrec", "serve"]
        ports = ["--port", "0", "--grpc-port", "0"]
        server = subprocess.Popen(
            [*command, os.path.dirname(bundle), *ports],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert server.stdout is not None
            server.stdout.readline()
            rest, grpc = (
                server.stdout.readline().split("//")[-1].split(": ")[-1].strip()
                for _ in range(2)
            )
            next(line for line in server.stdout if " is ready, " in line)
            for name, make in (
                ("REST", lambda: _rest(rest, requests)),
                ("gRPC", lambda: _grpc(grpc, requests)),
            ):
                begun = _used(server.pid)
                _press(name, make, expected, clients)
                used = 1000 * (_used(server.pid) - begun) / _REQUESTS
                print(f"{ads} ads: {used:.2f} ms of the server's processor")
        finally:
            server.send_signal(signal.SIGTERM)
            print(f"The server ended with {server.wait(60)}.")


def _used(pid: int) -> float:
    """Seconds of a processor that a process has taken."""
    told = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    return sum(map(int, told.split()[11:13])) / os.sysconf("SC_CLK_TCK")


def _press(name, make, expected, clients) -> None:
    """Sends all requests from as many threads as there are clients."""
    numbers = np.arange(_REQUESTS)

    def client(share):
        ask, read = make()
        answers, took = [], []
        for number in share:
            begun = time.perf_counter()
            answers.append((number, ask(number % _DISTINCT)))
            took.append(1000 * (time.perf_counter() - begun))
        return [(n, read(answer)) for n, answer in answers], took

    client(numbers[:_WARM_UP])
    begun = time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(clients) as threads:
        found = list(
            threads.map(client, [numbers[n::clients] for n in range(clients)])
        )
    # Reading the answers is the clients' work, and is in the time.
    rate = _REQUESTS / (time.perf_counter() - begun)
    took = np.concatenate([times for _, times in found])
    wrong = worst = answered = 0
    for number, answer in (pair for answers, _ in found for pair in answers):
        if answer is None:
            continue
        answered += 1
        wanted = expected[number % _DISTINCT]
        gap = max(np.abs(answer[k] - v).max() for k, v in wanted.items())
        worst, wrong = max(worst, gap), wrong + (not gap <= 1e-5)
    p50, p99 = np.percentile(took, [50, 99])
    print(
        f"{name}: {_REQUESTS} slates, {clients} clients: "
        f"{rate:.0f} requests/s, 50th {p50:.1f} ms, 99th {p99:.1f} ms; "
        f"{_REQUESTS - answered} errors, {wrong} wrong answers, largest "
        f"difference {worst:.2g}"
    )


def _rest(address, requests):
    place, _, path = address.partition("/")
    bodies = [
        json.dumps(
            {
                "signature_name": "score_slate",
                "inputs": {k: v.tolist() for k, v in request.items()},
            }
        ).encode()
        for request in requests
    ]
    connection = http.client.HTTPConnection(place, timeout=60)

    def ask(number):
        connection.request("POST", f"/{path}:predict", bodies[number])
        answer = connection.getresponse()
        return answer.status, answer.read()

    def read(answer):
        status, raw = answer
        if status != 200:
            return None
        return {k: np.array(v) for k, v in json.loads(raw)["outputs"].items()}

    return ask, read


def _grpc(address, requests):
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import (
        predict_pb2,
        prediction_service_pb2_grpc,
    )

    messages = []
    for request in requests:
        message = predict_pb2.PredictRequest()
        message.model_spec.name = "ours"
        message.model_spec.signature_name = "score_slate"
        for key, values in request.items():
            plain = values.tolist() if values.dtype == object else values
            message.inputs[key].CopyFrom(tf.make_tensor_proto(plain))
        messages.append(message)
    stub = prediction_service_pb2_grpc.PredictionServiceStub(
        grpc.insecure_channel(address)
    )

    def ask(number):
        try:
            return stub.Predict(messages[number], timeout=60)
        except grpc.RpcError as error:
            print(error.details())
            return None

    def read(answer):
        if answer is None:
            return None
        return {k: tf.make_ndarray(v) for k, v in answer.outputs.items()}

    return ask, read


if __name__ == "__main__":
    main()
