"""Clients that hold what they can, beside good ones, in a real process.

One server for all of it, with small bounds. Nobody reads its standard output,
and others can read its token.
"""

import contextlib
import gzip
import json
import os
import resource
import shutil
import signal
import socket
import threading
import time
import urllib.parse

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving import servers, worlds
from tests.serving.worlds import assert_equal
from tfadrec.core.door import tf

CONNECTIONS = 12
#: Seconds for headers, and to read an answer.
CLIENT = 2.0
#: Seconds for a request. A busy machine is late, but what is to end sooner than
#: a request does so.
REQUEST = 12
BODY = 2 * 2**20
BODIES = 4


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile") / "numbers"
    shutil.copytree(worlds.bundle("numbers"), path)
    token = path.parent / "token"
    token.write_text("sesame\n")
    token.chmod(0o644)
    options = {
        "--token-file": token,
        "--max-megabytes": BODY // 2**20,
        "--total-megabytes": BODIES * BODY // 2**20,
        "--max-connections": CONNECTIONS,
        "--client-timeout": CLIENT,
        "--timeout": REQUEST,
    }
    arguments = [part for option in options.items() for part in option]
    with servers.preview(path, *arguments) as found:
        found.process.stdout.close()
        found.path = path
        yield found


@pytest.fixture(scope="module")
def inputs(arrays):
    request = arrays["score_slate"]
    return {name: values.tolist() for name, values in request.items()}


@pytest.fixture
def good(server, inputs, expected):
    """Asks for what is known, and compares."""

    def ask(**options):
        body = json.dumps({"signature_name": "score_slate", "inputs": inputs})
        answer = talk(server, post(server, body.encode(), **options))
        assert answer.startswith(b"HTTP/1.1 200"), answer
        outputs = json.loads(answer.partition(b"\r\n\r\n")[2])["outputs"]
        found = {name: np.array(values) for name, values in outputs.items()}
        assert_equal(found, expected["score_slate"])

    return ask


def dial(server):
    parts = urllib.parse.urlsplit(server.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


def post(server, body, *, headers="", scheme="Bearer", close=True):
    """The bytes of a request."""
    path = urllib.parse.urlsplit(server.url).path
    headers += "Connection: close\r\n" * close
    return (
        f"POST {path}:predict HTTP/1.1\r\nHost: a\r\n{headers}"
        f"Authorization: {scheme} sesame\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def talk(server, data, *, half=False):
    """All that comes back until the server closes the connection."""
    with dial(server) as sock:
        send(sock, data)
        if half:
            sock.shutdown(socket.SHUT_WR)
        return rest(sock)


def admitted(server, data):
    """Its answer, once the server has room for it."""
    answers = []

    def is_admitted():
        answers.append(talk(server, data))
        return status(answers[-1]) not in (0, 503)

    wait_for(is_admitted)
    return answers[-1]


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def send(sock, data):
    """A server that has refused reads no more, and that is no failure."""
    with contextlib.suppress(ConnectionError):
        sock.sendall(data)


def rest(sock):
    answer = b""
    with contextlib.suppress(ConnectionError):
        while part := sock.recv(65536):
            answer += part
    return answer


def status(answer):
    """0 where the connection ended without one."""
    return int(answer.split(b" ")[1]) if answer else 0


def health(server):
    """Seconds that it took."""
    begun = time.monotonic()
    request = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert status(talk(server, request)) == 200
    return time.monotonic() - begun


def leave(sock):
    """Resets the connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def test_the_scheme_of_a_token_in_any_case(server, good):
    for scheme in ("Bearer", "bearer", "BEARER"):
        good(scheme=scheme)
    for scheme in ("Basic", "", "Bearer x"):
        answer = talk(server, post(server, b"{}", scheme=scheme))
        assert status(answer) == 401
        assert b"\r\nWWW-Authenticate: Bearer\r\n" in answer
    warned = [line for line in server.errors() if "chmod 600" in line]
    assert len(warned) == 1


@pytest.mark.parametrize(
    ("sent", "answered"),
    [(b"", b""), (b"GET /healthz HTTP/1.1\r\nHost: a", b"HTTP/1.1 408")],
    ids=["nothing", "half"],
)
def test_headers_come_in_time(server, sent, answered):
    begun = time.monotonic()
    assert talk(server, sent)[:12] == answered
    assert CLIENT < time.monotonic() - begun < REQUEST


def test_headers_that_come_byte_by_byte(server):
    begun = time.monotonic()
    with dial(server) as sock, contextlib.suppress(ConnectionError):
        for byte in b"GET / HTTP/1.1\r\nHost: " + b"a" * 300:
            sock.sendall(bytes([byte]))
            time.sleep(0.05)
    assert time.monotonic() - begun < REQUEST


def test_a_connection_that_is_kept_alive_for_nothing(server):
    begun = time.monotonic()
    answer = talk(server, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.endswith(b'{"status": "ok"}')
    assert CLIENT < time.monotonic() - begun < REQUEST


def test_a_client_that_has_said_all_is_answered(server, inputs, expected):
    body = json.dumps({"signature_name": "score_slate", "inputs": inputs})
    data = post(server, body.encode(), close=False)
    begun = time.monotonic()
    answer = talk(server, data, half=True)
    assert status(answer) == 200
    outputs = json.loads(answer.partition(b"\r\n\r\n")[2])["outputs"]
    np.testing.assert_allclose(
        outputs["pctr"], expected["score_slate"]["pctr"], atol=1e-6
    )
    answer = talk(server, data[:-9], half=True)
    assert status(answer) == 400
    assert b"its end before" in answer
    assert talk(server, data[:20], half=True) == b""
    assert time.monotonic() - begun < REQUEST


def test_compressed_bodies(server, good, inputs):
    headers = "Content-Encoding: gzip\r\n"
    body = json.dumps({"signature_name": "score_slate", "inputs": inputs})
    packed = gzip.compress(body.encode())
    answer = talk(server, post(server, packed, headers=headers))
    assert status(answer) == 200
    bomb = gzip.compress(b" " * 50_000_000)
    answer = talk(server, post(server, bomb, headers=headers))
    assert status(answer) == 413
    assert b"a body has at most 2097152 bytes" in answer
    wrong = {
        b"junk": b"by gzip, as it says",
        packed[:-1]: b"one gzip stream",
        packed + b"x": b"one gzip stream",
        gzip.compress(b"[" * 100_000): b"nested too deeply",
    }
    for data, word in wrong.items():
        answer = talk(server, post(server, data, headers=headers))
        assert status(answer) == 400
        assert word in answer
    for coding in ("br", "deflate", "gzip, gzip", "\x1b[31m"):
        headers = f"Content-Encoding: {coding}\r\n"
        assert (
            status(talk(server, post(server, packed, headers=headers))) == 400
        )


def test_more_connections_than_there_may_be(server, good):
    """A new one takes the place of one that waits, and of no good one."""
    half = post(server, b" " * 99)[:-9]  # its headers are there
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(dial(server)) for _ in range(CONNECTIONS)]
        for sock in held:
            sock.sendall(half)
        answer = b""
        while not answer:  # until the server has seen all of them
            answer = talk(server, b"")
        assert status(answer) == 503
        assert b"Retry-After: 1" in answer
        leave(held.pop())
        waiting = None
        while waiting is None:  # until the server has seen that one has left
            sock = stack.enter_context(dial(server))
            sock.settimeout(0.5)
            try:
                sock.recv(1)
            except TimeoutError:
                waiting = sock
        time.sleep(1.2)
        good()
        assert rest(waiting) == b""
        held[0].sendall(b" " * 9)
        assert status(rest(held[0])) == 400


def test_more_bytes_than_all_may_hold(server, good):
    word, answer = b"all requests together have 8388608 bytes", b""
    with contextlib.ExitStack() as stack:
        # One may be refused for what was held before and is given back later.
        for _ in range(2 * BODIES):
            sock = stack.enter_context(dial(server))
            send(sock, post(server, b" " * BODY)[:-9])
            time.sleep(0.2)
            answer = talk(server, post(server, b" " * 10_000))
            if word in answer:
                break
        assert word in answer
    assert status(admitted(server, post(server, b" " * BODY))) == 400
    good()


def test_what_is_parsed_does_not_stop_the_others(server, good):
    """Bodies of lists, and one that has as many as there may be."""
    most = b'{"inputs":[' + b"[]," * 500_000 + b"[]]}"
    more = b'{"inputs":[' + b"[]," * 600_000 + b"[]]}"
    answers = []

    def ask(body):
        answers.append(admitted(server, post(server, body)))

    threads = [
        threading.Thread(target=ask, args=[body])
        for body in (most, more, most, more)
    ]
    for thread in threads:
        thread.start()
    slowest = max(health(server) for _ in range(20))
    for thread in threads:
        thread.join()
    assert [status(answer) for answer in answers] == [400] * 4
    assert sum(b"brackets, braces" in answer for answer in answers) == 2
    assert slowest < 6
    good()


def test_an_answer_is_bounded(server, inputs):
    user = {k: v for k, v in inputs.items() if not k.startswith("candidate")}
    choice = {
        "k": [22_000] * 3,
        "exclude_ads": [[]] * 3,
        "exclude_history": [False] * 3,
    }
    body = {"signature_name": "recommend", "inputs": {**user, **choice}}
    answer = talk(server, post(server, json.dumps(body).encode()))
    assert status(answer) == 400
    assert b"`k` is at most 21845 in a request of 3 rows" in answer


def test_clients_that_leave_and_escapes_are_no_news(server, good):
    before = server.errors()
    for size in (1, 100, 200_000):
        sock = dial(server)
        sock.sendall(post(server, b" " * BODY)[:size])
        time.sleep(0.05)
        leave(sock)
    for data in (
        b"GET /\x1b[31mred HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \x1b[2J\r\nAuthorization: \x1b]0;x\7\r\n\r\n",
        post(server, b"{}", headers="Content-Encoding: \x1b[31m\r\n"),
    ):
        talk(server, data, half=True)
    good()
    assert server.errors() == before


def test_no_more_files_can_be_opened(server, good):
    """One line about it, and then it goes on."""
    pid = server.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    count = max(map(int, os.listdir(f"/proc/{pid}/fd"))) + 3
    before = len(server.errors())
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, limits[1]))
    try:
        with contextlib.ExitStack() as stack:
            for _ in range(CONNECTIONS - 2):
                stack.enter_context(dial(server))
            wait_for(lambda: len(server.errors()) > before)
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
    time.sleep(1.2)
    good()
    assert 1 <= len(server.errors()) - before <= 2


def test_what_stands_beside_the_versions(server, good):
    """Whatever it is, a new version is picked up, though nobody reads that."""
    config = server.path / "models.config"
    kept = config.read_bytes()
    # `tests/serving/test_deployment.py` reads more of them.
    for text in (b"\xff\0\x1b[31m" + os.urandom(1000), b"{" * 2_000_000):
        config.write_bytes(text)
        time.sleep(1.2)
        good()
    config.unlink()
    os.mkfifo(config)
    (server.path / ("9" * 23)).mkdir()
    (server.path / "3").mkdir()
    (server.path / "3" / "gone").symlink_to("nowhere")
    time.sleep(1.5)
    good()
    shutil.rmtree(server.path / "3")
    config.unlink()
    config.write_bytes(kept)
    shutil.copytree(server.path / "1", server.path / "2")
    path = urllib.parse.urlsplit(server.url).path
    request = (
        f"GET {path}/versions/2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        "Authorization: Bearer sesame\r\n\r\n"
    ).encode()
    wait_for(lambda: status(talk(server, request)) == 200)
    good()


@pytest.fixture(scope="module")
def stub(server):
    with grpc.insecure_channel(server.grpc) as channel:
        predict = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        yield lambda request, **options: predict.Predict.with_call(
            request,
            timeout=30,
            metadata=(("authorization", "bearer sesame"),),
            **options,
        )[0]


@pytest.fixture
def message(arrays):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "numbers"
    request.model_spec.signature_name = "score_slate"
    for name, values in arrays["score_slate"].items():
        dtype = tf.string if values.dtype == object else None
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values, dtype))
    return request


def test_texts_without_values(stub, message, arrays):
    """They are empty, as TensorFlow Serving has them."""
    del message.inputs["device"].string_val[:]
    answer = stub(message)
    request = arrays["score_slate"]
    empty = np.full_like(request["device"], b"")
    wanted = worlds.opened("numbers")["score_slate"](
        **{**request, "device": empty}
    )
    found = {k: tf.make_ndarray(v) for k, v in answer.outputs.items()}
    assert_equal(found, wanted)


def test_messages_are_bounded(stub, message):
    wrong = predict_pb2.PredictRequest.FromString(message.SerializeToString())
    wrong.inputs["device"].string_val[0] = b"x" * (BODY // 4)
    with pytest.raises(grpc.RpcError) as error:
        stub(wrong)
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    stub(message)


@contextlib.contextmanager
def unread(server, inputs):
    """A connection whose answer is longer than what is read of it."""
    rows = {
        name: [values[0]] * 256
        for name, values in inputs.items()
        if not name.startswith("candidate")
    }
    choice = {
        "k": [255] * 256,
        "exclude_ads": [[]] * 256,
        "exclude_history": [False] * 256,
    }
    body = {"signature_name": "recommend", "inputs": {**rows, **choice}}
    parts = urllib.parse.urlsplit(server.url)
    for _ in range(5):  # a busy machine is late with the first answer
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect((parts.hostname, parts.port))
            sock.sendall(post(server, json.dumps(body).encode()))
            sock.settimeout(60)
            if sock.recv(12) == b"HTTP/1.1 200":
                yield sock
                return
    pytest.fail("no answer in time")


def sockets(server):
    """Those that its process has."""
    found, files = set(), f"/proc/{server.process.pid}/fd"
    for name in os.listdir(files):
        with contextlib.suppress(FileNotFoundError):
            found.add(os.readlink(f"{files}/{name}"))
    return {each for each in found if each.startswith("socket")}


def test_an_answer_is_read_in_time(server, inputs, good):
    """Or the connection ends, and what is left of the answer with it."""
    before = sockets(server)
    with unread(server, inputs) as sock:
        held = sockets(server) - before
        wait_for(lambda: not held & sockets(server))
        headers, _, body = rest(sock).partition(b"\r\n\r\n")
    length = headers.split(b"Content-Length: ")[1].split(b"\r")[0]
    assert len(body) < int(length)
    good()


def test_the_last_of_it(server, inputs):
    """An answer that nobody reads does not keep the server from its end."""
    with unread(server, inputs):
        server.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert server.process.wait(60) == 0
        assert time.monotonic() - begun < CLIENT + 2 * REQUEST
    for line in server.errors():
        assert line.isprintable()
        assert "Traceback" not in line
