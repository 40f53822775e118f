"""`tfadrec serve`, in real processes on the loopback address."""

import asyncio
import base64
import collections
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse

import grpc
import numpy as np
import pytest
from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving import malformed, servers, worlds
from tests.serving.worlds import SIGNATURES, assert_equal
from tfadrec import serving
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.serving.preview.server import _listen
from tfadrec.serving.preview.versions import Versions


@pytest.fixture
def connection(server):
    with servers.Connection(server.url) as found:
        yield found


@pytest.fixture(scope="module")
def good(arrays):
    """The same by column in JSON."""
    return {
        signature: {name: plain(v) for name, v in request.items()}
        for signature, request in arrays.items()
    }


def plain(values):
    if values.dtype == object and values.ndim == 1:
        return [in_json(v) for v in values]
    return values.tolist()


def in_json(value):
    is_bytes = isinstance(value, bytes)
    return {"b64": base64.b64encode(value).decode()} if is_bytes else value


@pytest.mark.parametrize("signature", SIGNATURES)
def test_by_column(connection, good, expected, signature):
    found = connection.predict(signature, good[signature])
    assert_equal(found, expected[signature])


@pytest.mark.parametrize("signature", SIGNATURES)
def test_by_row(connection, good, expected, signature):
    inputs = good[signature]
    rows = [
        dict(zip(inputs, row, strict=True))
        for row in zip(*inputs.values(), strict=True)
    ]
    if signature == "serve_examples":  # one input may go without its name
        rows = inputs["examples"]
    body = {"signature_name": signature, "instances": rows}
    status, answer = connection.ask("POST", ":predict", json.dumps(body))
    assert status == 200
    predictions = answer["predictions"]
    found = {
        name: np.array([p[name] for p in predictions])
        for name in predictions[0]
    }
    assert_equal(found, expected[signature])


def test_the_default_signature_at_a_version_and_a_label(
    connection, good, expected
):
    body = json.dumps({"inputs": good["serving_default"]})
    for at in ("", "/versions/1", "/labels/stable", "/labels/canary"):
        status, answer = connection.ask("POST", f"{at}:predict", body)
        assert status == 200
        found = {k: np.array(v) for k, v in answer["outputs"].items()}
        assert_equal(found, expected["serving_default"])


def test_missing_context_is_nan(connection, good, arrays):
    request = arrays["serving_default"]
    scroll = np.full(3, np.nan)
    found = connection.predict(
        "serving_default", {**good["serving_default"], "scroll": plain(scroll)}
    )
    ask = worlds.opened("numbers")["serving_default"]
    assert_equal(found, ask(**{**request, "scroll": scroll}))


def test_status(connection):
    expected = {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    for at in ("", "/versions/1", "/labels/stable"):
        status, answer = connection.ask(at=at)
        assert (status, answer) == (200, {"model_version_status": [expected]})
        message = get_model_status_pb2.GetModelStatusResponse()
        json_format.ParseDict(answer, message)


def test_metadata_is_what_the_server_has(connection):
    """In the server's own proto, against the SavedModel."""
    status, answer = connection.ask(at="/metadata")
    assert status == 200
    assert answer["model_spec"] == {
        "name": "numbers",
        "signature_name": "",
        "version": "1",
    }
    found = get_model_metadata_pb2.SignatureDefMap()
    json_format.ParseDict(answer["metadata"]["signature_def"], found)
    assert_metadata(found)


def assert_metadata(found):
    loaded = worlds.loaded("numbers")
    signatures = dict(found.signature_def)
    signatures.pop("__saved_model_init_op")
    assert set(signatures) == set(loaded.signatures)
    for name, function in loaded.signatures.items():
        specs = function.structured_input_signature[1]
        inputs = signatures[name].inputs
        assert {
            k: (v.dtype, len(v.tensor_shape.dim)) for k, v in inputs.items()
        } == {
            k: (s.dtype.as_datatype_enum, s.shape.rank)
            for k, s in specs.items()
        }
        assert set(signatures[name].outputs) == set(function.structured_outputs)


@pytest.fixture(scope="module")
def stubs(server):
    with grpc.insecure_channel(server.grpc) as channel:
        yield (
            prediction_service_pb2_grpc.PredictionServiceStub(channel),
            model_service_pb2_grpc.ModelServiceStub(channel),
        )


def predict_request(signature, arrays, specs=None):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "numbers"
    request.model_spec.signature_name = signature
    for name, values in arrays.items():
        dtype = tf.string if values.dtype == object else None
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values, dtype))
    return request


@pytest.mark.parametrize("signature", SIGNATURES)
def test_grpc(stubs, arrays, expected, signature):
    request = predict_request(signature, arrays[signature])
    answer = stubs[0].Predict(request, timeout=30)
    assert answer.model_spec.version.value == 1
    assert answer.model_spec.signature_name == signature
    found = {k: tf.make_ndarray(v) for k, v in answer.outputs.items()}
    assert_equal(found, expected[signature])
    request.output_filter.append("pctr")
    request.model_spec.version_label = "stable"
    answer = stubs[0].Predict(request, timeout=30)
    assert set(answer.outputs) == {"pctr"}


def test_grpc_metadata_and_status(stubs):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "numbers"
    request.metadata_field.append("signature_def")
    answer = stubs[0].GetModelMetadata(request, timeout=30)
    assert answer.model_spec.version.value == 1
    found = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(found)
    assert_metadata(found)
    asked = get_model_status_pb2.GetModelStatusRequest()
    asked.model_spec.name = "numbers"
    (status,) = stubs[1].GetModelStatus(asked, timeout=30).model_version_status
    assert status.version == 1
    assert status.state == status.State.AVAILABLE


def test_grpc_refuses_with_one_line(stubs, arrays, expected):
    good = arrays["score_slate"]
    codes = grpc.StatusCode

    def tensor(request, name, **fields):
        for field, value in fields.items():
            getattr(request.inputs[name], field).extend(value)

    def unlike(**changes):
        return predict_request("score_slate", {**good, **changes})

    missing = {k: v for k, v in good.items() if k != "device"}
    huge = unlike()
    huge.inputs["candidate_ads"].tensor_shape.dim[1].size = 2**40
    negative = unlike()
    negative.inputs["candidate_ads"].tensor_shape.dim[1].size = -1
    short = unlike()
    short.inputs["candidate_ads"].tensor_content = b"\0" * 7
    scalar = unlike()
    scalar.inputs["user_id"].tensor_shape.Clear()
    broken = unlike(device=np.array([b"\xff", b"a", b"b"], object))
    wrong = [
        (predict_request("score_slate", missing), "no device"),
        (unlike(more=good["user_id"]), "'more'"),
        (unlike(user_id=good["user_id"].astype(np.int32)), "must be int64"),
        (unlike(history_length=np.array([-1, 0, 0], np.int32)), "-1"),
        (unlike(user_id=good["user_id"][:2]), "as many rows"),
        (huge, "at most"),
        (negative, "must have a shape"),
        (short, "as many values"),
        (scalar, "`user_id`"),
        (broken, "must be UTF-8"),
        (predict_request("nonsense", good), "'nonsense'"),
    ]
    for request, line in wrong:
        with pytest.raises(grpc.RpcError) as error:
            stubs[0].Predict(request, timeout=30)
        assert error.value.code() == codes.INVALID_ARGUMENT
        assert line in error.value.details()
        assert "\n" not in error.value.details()
    for field, value in (("name", "x"), ("version_label", "x")):
        request = unlike()
        setattr(request.model_spec, field, value)
        with pytest.raises(grpc.RpcError) as error:
            stubs[0].Predict(request, timeout=30)
        assert error.value.code() == codes.NOT_FOUND
    big = unlike(candidate_ads=np.ones((3, malformed.BODY // 8), np.int64))
    with pytest.raises(grpc.RpcError) as error:
        stubs[0].Predict(big, timeout=30)
    assert error.value.code() == codes.RESOURCE_EXHAUSTED
    answer = stubs[0].Predict(predict_request("score_slate", good), timeout=30)
    found = {k: tf.make_ndarray(v) for k, v in answer.outputs.items()}
    assert_equal(found, expected["score_slate"])


def test_malformed_requests(connection, server, good, expected):
    """2,000: each gets 4xx and one line; good ones in between are answered."""
    kinds = collections.Counter()
    wrong = malformed.requests(good, seed=0)
    for number in range(2000):
        what, method, at, body = next(wrong)
        kinds[what] += 1
        status, answer = connection.ask(method, at, body)
        shown = (what, at, (body or b"")[:3000], answer)
        assert 400 <= status < 500, shown
        assert list(answer) == ["error"], shown
        line = answer["error"]
        assert line, shown
        assert len(line) < 500, shown
        assert line.isprintable(), shown
        if number % 10 == 0:
            signature = SIGNATURES[number // 10 % len(SIGNATURES)]
            found = connection.predict(signature, good[signature])
            assert_equal(found, expected[signature])
    assert len(kinds) == 28
    assert server.process.poll() is None


def test_one_long_example_among_many(connection, arrays, expected):
    """It costs what is read of it, and not its length times the rows."""
    example = tf.train.Example.FromString(
        arrays["serve_examples"]["examples"][0]
    )
    features = example.features.feature
    for name, kind in (
        ("history_ads", "int64_list"),
        ("history_ages", "int64_list"),
        ("history_events", "bytes_list"),
    ):
        values = getattr(features[name], kind).value
        newest = list(values)
        del values[:]
        values.extend([newest[0]] * 50_000 + newest)
    rows = [example.SerializeToString()]
    rows += list(arrays["serve_examples"]["examples"][1:]) * 100
    found = connection.predict(
        "serve_examples", {"examples": [in_json(row) for row in rows]}
    )
    wanted = expected["serve_examples"]
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name][:3], values, atol=1e-6)


def raw(server, data, *, half=False):
    """What comes back for some bytes on a socket."""
    parts = urllib.parse.urlsplit(server.url)
    address = (parts.hostname, parts.port)
    with socket.create_connection(address, timeout=30) as sock:
        sock.sendall(data)
        if half:
            sock.shutdown(socket.SHUT_WR)
        return sock.recv(65536)


def test_what_is_no_http(server, connection, good, expected):
    for data in (
        b"\x16\x03\x01\x02\x00\x01\x00",  # TLS
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x: " + b"y" * 20_000 + b"\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ):
        head, _, body = raw(server, data).partition(b"\r\n\r\n")
        assert head.split(b" ")[1][:1] == b"4", data
        assert b"python" not in head.lower(), data
        ((name, line),) = json.loads(body).items()
        assert name == "error"
        assert "Received: " in line, data
        assert "\\n" not in line, data
    signature = "score_slate"
    found = connection.predict(signature, good[signature])
    assert_equal(found, expected[signature])


def test_metrics_count_by_status(connection, server, good):
    def read():
        url = urllib.parse.urlsplit(server.url)
        http = servers.http.client.HTTPConnection(url.hostname, url.port)
        http.request("GET", "/monitoring/prometheus/metrics")
        response = http.getresponse()
        text = response.read().decode()
        http.close()
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain")
        return {
            line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if not line.startswith("#")
        }

    before = read()
    connection.predict("score_slate", good["score_slate"])
    for _ in range(2):
        connection.ask("POST", ":predict", b"{")
    after = read()
    name = ":tensorflow:serving:request"
    counts = {
        status: f'{name}_count{{model_name="numbers",status="{status}"}}'
        for status in ("OK", "INVALID_ARGUMENT")
    }
    assert after[counts["OK"]] - before[counts["OK"]] == 1
    assert (
        after[counts["INVALID_ARGUMENT"]]
        - before.get(counts["INVALID_ARGUMENT"], 0)
        == 2
    )
    labels = 'model_name="numbers",API="predict",entrypoint="REST"'
    total = f"{name}_latency_count{{{labels}}}"
    assert after[total] - before[total] == 3
    bucket = f'{name}_latency_bucket{{{labels},le="+Inf"}}'
    assert after[bucket] == after[total]


def test_health_and_whose_server_it_is(server):
    url = urllib.parse.urlsplit(server.url)
    http = servers.http.client.HTTPConnection(url.hostname, url.port)
    http.request("GET", "/healthz")
    response = http.getresponse()
    assert response.status == 200
    assert json.loads(response.read()) == {"status": "ok"}
    assert response.headers["Server"].startswith("tfadrec-preview/")
    http.close()
    assert server.said[0].startswith("A preview")
    assert url.hostname == "127.0.0.1"


def test_many_at_a_time(server, good, expected):
    """Eight clients, each its own signature, and no answer is another's."""
    wrong = []

    def ask(signature):
        with servers.Connection(server.url) as connection:
            for _ in range(20):
                try:
                    found = connection.predict(signature, good[signature])
                    assert_equal(found, expected[signature])
                except Exception as error:
                    wrong.append(error)

    threads = [
        threading.Thread(target=ask, args=[SIGNATURES[n % len(SIGNATURES)]])
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server with a token, of a bundle to which versions are added.

    In the default run, that of `test_hostile_clients` has both, and is ended.
    """
    path = tmp_path_factory.mktemp("guarded") / "numbers"
    shutil.copytree(worlds.bundle("numbers"), path)
    environment = {**os.environ, "TFADREC_TOKEN": "sesame"}
    with servers.preview(path, "--timeout", 5, env=environment) as found:
        found.path = path
        yield found


@pytest.fixture
def inside(guarded):
    """Status and answer at a place, asked with the token."""
    headers = {"Authorization": "Bearer sesame"}
    with servers.Connection(guarded.url) as connection:
        yield lambda at="": connection.ask(at=at, headers=headers)


@pytest.mark.slow
def test_the_token(guarded, inside):
    with servers.Connection(guarded.url) as outside:
        for wrong in ({}, {"Authorization": "Bearer sesam"}):
            for at in ("", "/metadata", "x"):
                status, answer = outside.ask(at=at, headers=wrong)
                assert status == 401
                assert "`authorization`" in answer["error"]
    assert inside()[0] == 200
    for address in (guarded.url.partition("/v1")[0], f"grpc://{guarded.grpc}"):
        for token in (None, "sesam"):
            client = serving.Client(address, "numbers", token=token)
            for call in (client.status, client.metadata):
                with pytest.raises(TfadrecError, match="`authorization`"):
                    call()
        client = serving.Client(address, "numbers", token="sesame")
        assert client.status() == {1: "AVAILABLE"}


@pytest.mark.slow
def test_a_newer_version_is_picked_up(guarded, inside):
    """Also one that cannot be loaded until all of it is copied."""
    (guarded.path / "2").mkdir()

    def wait_for(state):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            _, answer = inside()
            found = answer["model_version_status"]
            states = {s["version"]: s["state"] for s in found}
            if states.get("2") == state:
                return states
            time.sleep(0.2)
        raise AssertionError(states)

    # Version 1 has both labels.
    assert wait_for("END")["1"] == "AVAILABLE"
    _, answer = inside("/metadata")
    assert answer["model_spec"]["version"] == "1"
    source = guarded.path / "1"
    shutil.copytree(source, guarded.path / "2", dirs_exist_ok=True)
    assert wait_for("AVAILABLE")["1"] == "AVAILABLE"
    for at, version in (("", "2"), ("/labels/stable", "1")):
        _, answer = inside(at + "/metadata")
        assert answer["model_spec"]["version"] == version


@pytest.mark.slow
def test_a_body_that_does_not_end(guarded):
    path = urllib.parse.urlsplit(guarded.url).path
    begun = time.monotonic()
    answer = raw(
        guarded,
        f"POST {path}:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n"
        "Authorization: Bearer sesame\r\n\r\n{".encode(),
    )
    assert answer.startswith(b"HTTP/1.1 408")
    assert 4 < time.monotonic() - begun < 20


@pytest.mark.slow
def test_sigterm_ends_it_cleanly(guarded):
    """The last test of this server."""
    guarded.process.send_signal(signal.SIGTERM)
    rest = guarded.process.stdout.read()
    assert guarded.process.wait(30) == 0
    assert "Stopping." in rest
    assert rest.endswith("requests.\n")


def run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "tfadrec", "serve", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=servers.ROOT,
        env={**os.environ, **environment},
        check=False,
    )


def test_a_version_is_no_bundle():
    path = worlds.bundle("numbers")
    with pytest.raises(InputError, match=rf"a version\. Name {path}\."):
        Versions(path / "1")


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port} must be free"):
            asyncio.run(_listen(asyncio.Protocol, "127.0.0.1", port))


@pytest.mark.slow
def test_the_command_at_a_port_that_is_taken(server):
    port = urllib.parse.urlsplit(server.url).port
    found = run(worlds.bundle("numbers"), "--port", port)
    assert found.returncode == 2
    (line,) = [s for s in found.stderr.splitlines() if "tfadrec:" in s]
    assert f"127.0.0.1:{port} must be free" in line
    assert "Choose another" in line
