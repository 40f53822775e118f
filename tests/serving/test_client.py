"""The client, and the samples of clients, against the preview."""

import ast
import contextlib
import http.server
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

from tests.serving import worlds
from tests.serving.worlds import SIGNATURES, assert_equal
from tfadrec import serving
from tfadrec.core.errors import InputError, TfadrecError


@pytest.fixture(params=["http", "grpc"])
def address(request, server):
    if request.param == "grpc":
        return f"grpc://{server.grpc}"
    return server.url.partition("/v1")[0]


@pytest.mark.parametrize("signature", SIGNATURES)
def test_predict_is_as_the_bundle(address, arrays, expected, signature):
    client = serving.Client(address, "numbers")
    found = client.predict(signature, **arrays[signature])
    assert_equal(found, expected[signature])
    for name, values in expected[signature].items():
        assert found[name].dtype == values.dtype
        assert found[name].shape == values.shape


def test_plain_values_and_empty_histories(address):
    client = serving.Client(address, "numbers")
    request = {
        "user_id": [-7],
        "history_ads": [[]],
        "history_events": [[]],
        "history_ages": [[]],
        "history_length": [0],
        "scroll": [float("nan")],
        "device": ["ph\u00f6ne"],
        "candidate_ads": [[1, 2]],
    }
    found = client.predict("score_slate", **request)
    ask = worlds.opened("numbers")["score_slate"]
    assert_equal(found, ask(**request))


def test_strings_come_back_as_bytes():
    from tfadrec.core.door import tf
    from tfadrec.serving import rest_transport

    found = rest_transport._from_json([["a", "\u00e9"], ["", "b"]], tf.string)
    assert found.dtype == object
    assert found.tolist() == [[b"a", "\u00e9".encode()], [b"", b"b"]]


def test_metadata_and_status(address):
    client = serving.Client(address, "numbers")
    found = client.metadata()
    assert set(SIGNATURES) <= set(found)
    slate = found["score_slate"]
    assert slate["inputs"]["candidate_ads"] == ("int64", [None, None])
    assert slate["inputs"]["device"] == ("string", [None])
    assert slate["outputs"]["pctr"] == ("float32", [None, None])
    assert client.status() == {1: "AVAILABLE"}


def test_versions_and_labels(address, arrays, expected):
    for choice in ({"version": 1}, {"label": "stable"}):
        client = serving.Client(address, "numbers", **choice)
        found = client.predict("score_slate", **arrays["score_slate"])
        assert_equal(found, expected["score_slate"])
    for model, choice in (
        ("numbers", {"version": 9}),
        ("numbers", {"label": "nobody"}),
        ("other", {}),
    ):
        client = serving.Client(address, model, **choice)
        with pytest.raises(InputError, match=r"the server answered \w+: "):
            client.status()


def test_wrong_requests(address, arrays):
    client = serving.Client(address, "numbers")
    good = arrays["score_slate"]
    with pytest.raises(InputError, match=r"signatures are .*'nonsense'"):
        client.predict("nonsense", **good)
    with pytest.raises(InputError, match=r"inputs of score_slate .*: more"):
        client.predict("score_slate", **good, more=[1])
    without = {k: v for k, v in good.items() if k != "device"}
    for request, line in (
        (without, "no device"),
        ({**good, "history_length": [-1, 0, 0]}, "Received: -1"),
    ):
        with pytest.raises(InputError, match=line):
            client.predict("score_slate", **request)


def test_a_number_that_is_not_finite_is_missing(address, arrays):
    """By REST, which writes them as Infinity, and by gRPC."""
    client = serving.Client(address, "numbers")
    missing, infinite, known = (
        client.predict(
            "score_slate", **{**arrays["score_slate"], "scroll": scroll}
        )["score"]
        for scroll in ([np.nan] * 3, [np.inf, -np.inf, 1e101], [1e9] * 3)
    )
    np.testing.assert_array_equal(infinite, missing)
    assert (known != missing).any()


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_nobody_answers(scheme):
    """Neither a port that is closed nor a server that is silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"
        client = serving.Client(place, "a", timeout=0.5)
        with pytest.raises(TfadrecError, match="a server must answer") as error:
            client.status()
    assert not isinstance(error.value, InputError)
    with pytest.raises(TfadrecError, match="`tfadrec serve`"):
        client.status()


@contextlib.contextmanager
def answering(status, body):
    """A server that says the same to all, and the headers that it got."""
    got = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            got.append(dict(self.headers))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "kind", "line"),
    [
        (400, b'{"error": "wrong\\n name"}', InputError, "400: wrong name"),
        (503, b'{"error": "busy"}', TfadrecError, "503: busy"),
        (502, b"<h1>Bad\nGateway</h1>", TfadrecError, "<h1>Bad Gateway</h1>"),
        (500, b"", TfadrecError, "no reason given"),
        (200, b"<p>", TfadrecError, "a server must answer"),
    ],
)
def test_errors_of_servers(status, body, kind, line):
    with answering(status, body) as (place, got):
        client = serving.Client(place, "a", token="secret")
        with pytest.raises(kind, match=line) as error:
            client.status()
    assert type(error.value) is kind
    assert got[0]["Authorization"] == "Bearer secret"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"address": "127.0.0.1:8501"}, "Received: '127.0.0.1:8501'"),
        ({"address": "ftp://a"}, "an address is http"),
        ({"version": 1, "label": "a"}, "a version or a label"),
        ({"timeout": 0}, "seconds > 0. Received: 0"),
    ],
)
def test_wrong_arguments(arguments, line):
    with pytest.raises(InputError, match=line):
        serving.Client(**{"address": "http://a", "model": "a", **arguments})


def test_grpc_without_the_extra(monkeypatch):
    monkeypatch.delitem(
        sys.modules, "tfadrec.serving.grpc_transport", raising=False
    )
    monkeypatch.setitem(sys.modules, "tensorflow_serving.apis", None)
    with pytest.raises(InputError, match=r"tfadrec\[serving\]"):
        serving.Client("grpc://127.0.0.1:1", "a")
    serving.Client("http://127.0.0.1:1", "a")


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_samples_in_the_bundle(server, tmp_path, kind):
    """They run without this package, REST with Python alone."""
    bundle = worlds.bundle("numbers")
    for name in (f"client_{kind}.py", "request.json"):
        shutil.copy(bundle / name, tmp_path)
    sample = tmp_path / f"client_{kind}.py"
    tree = ast.parse(sample.read_text())
    imported = {
        part.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for part in node.names
    }
    assert not any(name.startswith("tfadrec") for name in imported)
    # Without site-packages where nothing of them may be needed.
    flags = ["-I", "-S"] if kind == "rest" else ["-I"]
    places = {"rest": server.url.partition("/v1")[0], "grpc": server.grpc}

    def run(place):
        return subprocess.run(
            [sys.executable, *flags, sample, place],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=120,
            check=False,
        )

    found = run(places[kind])
    assert found.returncode == 0, found.stderr
    rows = [line.split("\t") for line in found.stdout.splitlines()]
    request = json.loads(pathlib.Path(tmp_path, "request.json").read_text())
    assert request["signature_name"] == "score_slate"
    ask = worlds.opened("numbers")["score_slate"]
    answer = ask(**request["inputs"])
    ads = request["inputs"]["candidate_ads"][0]
    scores = dict(zip(ads, answer["score"][0], strict=True))
    assert len(rows) == len(ads)
    for ad, score, pctr in rows:
        assert abs(float(score.split()[1]) - scores[int(ad)]) < 2e-6
        assert pctr.split()[0] == "pctr"
    printed = [float(score.split()[1]) for _, score, _ in rows]
    assert printed == sorted(printed, reverse=True)
    if kind == "rest":
        request["inputs"]["history_length"] = [-1]
        pathlib.Path(tmp_path, "request.json").write_text(json.dumps(request))
        wrong = run(places[kind])
        assert wrong.returncode == 1
        assert wrong.stderr.startswith('400: {"error": "`history_length`')
