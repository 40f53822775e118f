"""Hostile clients of `tfadrec serve` beside good ones, while versions change.

    python benchmarks/load.py                            # 200 clients, 60 s
    python benchmarks/load.py --clients 20 --seconds 20
    python benchmarks/load.py --clients 16 --requests 1000000 --seconds 1800

One client in twenty (`--hostile`) sends headers byte by byte, half of a body,
malformed bodies and ones that are too large, does not read its answer, or
leaves in the middle. The others ask for slates, each of them compared with the
bundle's own answer. Three times a new version of the same weights takes the
place and the labels of the old one. Good clients share a few processes, as
Python would be in their way.

The server's memory is told at rest, after its first answers and once more when
all clients have left, and while it is pressed, where bodies are in it, and two
versions while one takes the place of the other.

With `--requests` all clients are good ones, who ask for one ad and a history of
five until the server has answered so many, or the time is over, and no version
changes. Then it is told how many bytes a request leaves behind.
"""

import argparse
import collections
import contextlib
import http.client
import json
import multiprocessing
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
from machine import describe
from serving import LENGTH, export, make_dataset, make_slate

_DISTINCT, _ADS, _SWAPS, _PROCESSES = 50, 100, 3, 4
#: What a request has of which there are very many.
_SHORT, _FEW_ADS = 5, 1
_TOLERANCE = 1e-5
#: A second apart. After some nothing is left of a version that was replaced.
_REST_READINGS = 20


def main() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hostile", type=float, default=0.05)
    parser.add_argument("--requests", type=int)
    options = parser.parse_args()
    hostile = max(1, round(options.hostile * options.clients))
    length, ads = LENGTH, _ADS
    if options.requests:
        hostile, length, ads = 0, _SHORT, _FEW_ADS
    print(describe())
    with tempfile.TemporaryDirectory() as scratch:
        bundle = pathlib.Path(export(pathlib.Path(scratch, "ours"), length))
        requests, expected = _good_requests(bundle, length, ads)
        with _served(bundle.parent) as (pid, place, path):
            found = _press(
                bundle, place, path, pid, requests, expected, options, hostile
            )
    _tell(found, options, hostile)


def _good_requests(bundle: pathlib.Path, length: int, ads: int):
    from tfadrec import serving

    dataset = make_dataset(length)
    requests = [make_slate(dataset, user, ads) for user in range(_DISTINCT)]
    ask = serving.open_bundle(bundle)["score_slate"]
    expected = [ask(**request)["pctr"].tolist() for request in requests]
    bodies = [
        json.dumps(
            {
                "signature_name": "score_slate",
                "inputs": {k: v.tolist() for k, v in request.items()},
            }
        ).encode()
        for request in requests
    ]
    return bodies, expected


@contextlib.contextmanager
def _served(bundles: pathlib.Path):
    """The process of a server, its host and port, and the model's path."""
    command = [sys.executable, "-m", "tfadrec", "serve", str(bundles)]
    server = subprocess.Popen(
        [*command, "--port", "0", "--grpc-port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        server.stdout.readline()
        address = server.stdout.readline().split("//")[-1].strip()
        place, _, path = address.partition("/")
        host, _, port = place.partition(":")
        next(line for line in server.stdout if " is ready, " in line)
        yield server.pid, (host, int(port)), f"/{path}"
    finally:
        server.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        _, errors = server.communicate(timeout=120)
        print(
            f"The server ended with {server.returncode} after "
            f"{time.monotonic() - begun:.1f} s, and said {len(errors)} bytes."
        )


def _press(bundle, place, path, pid, requests, expected, options, hostile):
    """Sends requests from all clients; what came of them, and RSS by time."""
    good = options.clients - hostile
    shares = [
        good // _PROCESSES + (n < good % _PROCESSES) for n in range(_PROCESSES)
    ]
    # A fresh start: TensorFlow's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    answers, ready = context.Queue(), context.Barrier(_PROCESSES + 1)
    over = context.Event()
    processes = [
        context.Process(
            target=_clients,
            args=(
                *(share, hostile * (n == 0), n),
                *(place, path, requests, expected),
                *(ready, over, answers),
            ),
            daemon=True,
        )
        for n, share in enumerate(shares)
    ]
    connection = http.client.HTTPConnection(*place, timeout=60)
    for pair in zip(requests, expected, strict=True):
        assert _ask(connection, path, *pair)
    connection.close()
    at_rest = [_rss_at_rest(pid)]
    for process in processes:
        process.start()
    ready.wait(300)
    begun = time.time()
    end = begun + options.seconds
    memory = []
    count, apart = 0, options.seconds / (_SWAPS + 1)
    swaps = [end - apart * (n + 1) for n in range(_SWAPS)]
    if options.requests:
        swaps = []
    while time.time() < end and count < (options.requests or np.inf):
        if options.requests:
            count = _answered(place)
        memory.append((count, _rss(pid)))
        if swaps and time.time() > swaps[-1]:
            swaps.pop()
            _swap(bundle.parent)
        time.sleep(0.5)
    over.set()
    elapsed = time.time() - begun
    found = collections.Counter()
    took: list[float] = []
    for _ in processes:
        counts, times = answers.get(timeout=120)
        found.update(counts)
        took += times
    for process in processes:
        process.join()
    at_rest.append(_rss_at_rest(pid))
    return found, took, elapsed, memory, at_rest


def _answered(place) -> int:
    """Requests that the server has answered well."""
    connection = http.client.HTTPConnection(*place, timeout=60)
    connection.request("GET", "/monitoring/prometheus/metrics")
    page = connection.getresponse().read().decode()
    connection.close()
    return int(re.search(r'request_count\{.*"OK"\} (\d+)', page)[1])


def _rss_at_rest(pid: int) -> float:
    """The smallest of some seconds in which nobody asks."""
    found = []
    for _ in range(_REST_READINGS):
        time.sleep(1)
        found.append(_rss(pid))
    return min(found)


def _rss(pid: int) -> float:
    """MB."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


def _swap(bundles: pathlib.Path) -> None:
    """Adds a version and gives it the labels, so that the old one leaves."""
    from tfadrec.serving.deployment import write_labels
    from tfadrec.serving.promotion import CANARY, STABLE

    newest = max(int(p.name) for p in bundles.iterdir() if p.name.isdigit())
    aside = bundles / ".fresh"
    shutil.copytree(bundles / str(newest), aside)
    aside.rename(bundles / str(newest + 1))
    write_labels(bundles, {STABLE: newest + 1, CANARY: newest + 1})


def _clients(
    good,
    hostile,
    seed,
    place,
    path,
    requests,
    expected,
    ready,
    over,
    answers,
):
    """Some clients, in threads of a process of their own."""
    ready.wait(300)
    counts: collections.Counter[str] = collections.Counter()
    took: list[float] = []
    lock = threading.Lock()

    def run(work, number):
        own: collections.Counter[str] = collections.Counter()
        times: list[float] = []
        work(random.Random(1000 * seed + number), own, times)
        with lock:
            counts.update(own)
            took.extend(times)

    def well(chance, own, times):
        connection = http.client.HTTPConnection(*place, timeout=60)
        while not over.is_set():
            number = chance.randrange(len(requests))
            begun = time.perf_counter()
            try:
                right = _ask(
                    connection, path, requests[number], expected[number]
                )
            except (OSError, http.client.HTTPException):
                connection.close()
                right = None
            times.append(1000 * (time.perf_counter() - begun))
            own[{True: "good", False: "wrong", None: "failed"}[right]] += 1

    def badly(chance, own, times):
        while not over.is_set():
            attack = chance.choice(_ATTACKS)
            own[attack.__name__.strip("_")] += 1
            with contextlib.suppress(OSError):
                attack(place, path, requests[0], chance)

    threads = [
        threading.Thread(target=run, args=(work, number))
        for number, work in enumerate([well] * good + [badly] * hostile)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers.put((counts, took))


def _ask(connection, path, body, expected):
    """Whether the answer is right; None where there is none."""
    connection.request("POST", f"{path}:predict", body)
    answer = connection.getresponse()
    raw = answer.read()
    if answer.status != 200:
        return None
    found = np.array(json.loads(raw)["outputs"]["pctr"])
    return bool(np.abs(found - expected).max() <= _TOLERANCE)


def _post(path, size):
    return (
        f"POST {path}:predict HTTP/1.1\r\nHost: a\r\n"
        f"Content-Length: {size}\r\n\r\n"
    ).encode()


def _dial(place):
    return socket.create_connection(place, timeout=20)


def _slow_headers(place, path, body, chance):
    with _dial(place) as sock:
        for byte in _post(path, 10):
            sock.sendall(bytes([byte]))
            time.sleep(0.3)


def _half_a_body(place, path, body, chance):
    with _dial(place) as sock:
        sock.sendall(_post(path, 15_000_000) + b" " * 10_000_000)
        time.sleep(2)


def _malformed(place, path, body, chance):
    with _dial(place) as sock:
        data = bytearray(body)
        data[chance.randrange(len(data))] = 0xFF
        sock.sendall(_post(path, len(data)) + data)
        sock.recv(1000)


def _lists(place, path, body, chance):
    with _dial(place) as sock:
        data = b'{"inputs":[' + b"[]," * 5_000_000 + b"[]]}"
        sock.sendall(_post(path, len(data)) + data)
        sock.recv(1000)


def _too_large(place, path, body, chance):
    with _dial(place) as sock:
        sock.sendall(_post(path, 10**9) + b" " * 1_000_000)
        sock.recv(1000)


def _cut_off(place, path, body, chance):
    with _dial(place) as sock:
        sock.sendall(_post(path, len(body)) + body[: len(body) // 2])
        sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
        )


def _unread(place, path, body, chance):
    with _dial(place) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(20):
            sock.sendall(_post(path, len(body)) + body)
        time.sleep(2)


_ATTACKS = [
    _slow_headers,
    _half_a_body,
    _malformed,
    _lists,
    _too_large,
    _cut_off,
    _unread,
]


def _tell(found, options, hostile) -> None:
    counts, took, elapsed, memory, at_rest = found
    attacks = sum(
        n for k, n in counts.items() if k not in ("good", "wrong", "failed")
    )
    print(
        f"{options.clients} clients for {elapsed:.0f} s, {hostile} of them "
        f"hostile ({attacks} attacks), "
        f"{0 if options.requests else _SWAPS} versions swapped in"
    )
    p50, p99 = np.percentile(took, [50, 99])
    print(
        f"good requests {counts['good']} "
        f"({counts['good'] / elapsed:.0f} a second, 50th {p50:.0f} ms, "
        f"99th {p99:.0f} ms), wrong answers {counts['wrong']}, failed good "
        f"requests {counts['failed']}"
    )
    requests, sizes = np.transpose(memory)
    tenths = np.array_split(sizes, 10)
    print(
        "RSS in MB, the smallest and the largest of each tenth: "
        + " ".join(f"{min(m):.0f}-{max(m):.0f}" for m in tenths)
    )
    before, after = at_rest
    print(
        f"RSS in MB, at rest: {before:.0f} before, {after:.0f} after "
        f"({100 * (after / before - 1):+.1f} %)"
    )
    if options.requests:
        slope, error = _left_behind(requests, sizes)
        print(f"{slope:+.2f} bytes a request, standard error {error:.2f}")


def _left_behind(requests, sizes) -> tuple[float, float]:
    """Bytes by which memory grows with each request, and its standard error.

    Of the readings after a tenth of the requests, in which heaps grow; in ten
    groups, as those that follow each other are alike.
    """
    late = requests >= requests[-1] / 10
    groups = [
        [part.mean() for part in np.array_split(values[late], 10)]
        for values in (requests, sizes)
    ]
    fit, covariance = np.polyfit(*groups, 1, cov=True)
    return 1e6 * fit[0], 1e6 * np.sqrt(covariance[0, 0])


if __name__ == "__main__":
    main()
