"""The client, and the samples of clients, against the preview."""

import ast
import base64
import contextlib
import dataclasses
import http.server
import json
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from tests.serving import servers, test_finder, test_merging, worlds
from tests.serving.shop import shop
from tests.serving.worlds import SIGNATURES, assert_equal
from tfadrec import serving
from tfadrec.core.door import tf
from tfadrec.core.errors import InputError, TfadrecError
from tfadrec.serving.ad_expiry import NOW, expiry_specs
from tfadrec.serving.deployment import write_labels
from tfadrec.serving.merging import mergeable
from tfadrec.serving.sample_requests import sample_requests
from tfadrec.serving.warm_up import warm_up_requests


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
    ages = np.full_like(good["history_ages"], -1)
    for request, line in (
        (without, "no device"),
        ({**good, "history_ages": ages}, r"`history_ages`.*Received: -1"),
    ):
        with pytest.raises(InputError, match=line):
            client.predict("score_slate", **request)
    # It cuts a length, as the graph does.
    lengths = np.array([-1, 99, 99])
    found = client.predict("score_slate", **{**good, "history_length": lengths})
    lengths = np.clip(lengths, 0, good["history_ads"].shape[1])
    cut = client.predict("score_slate", **{**good, "history_length": lengths})
    assert_equal(found, cut)


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (
            {"history_ages": [["a"], ["b"], ["c"]]},
            "history_ages` must be int32",
        ),
        ({"device": [1, 2, 3]}, "device` must be string"),
        ({"candidate_ads": [[1], [2, 3], [4]]}, "of several lengths"),
        ({"user_id": [[1]]}, "user_id` must be int64"),
    ],
)
def test_an_input_of_another_type_is_named(address, arrays, wrong, line):
    client = serving.Client(address, "numbers")
    with pytest.raises(InputError, match=line):
        client.predict("score_slate", **{**arrays["score_slate"], **wrong})


class Merging:
    """A server that merges each request with longer ones before the graph."""

    def __init__(self, world, *others):
        self._world, self._others, self.asked = world, others, None

    def signatures(self):
        def named(specs):
            return {k: (s.dtype, s.shape.as_list()) for k, s in specs.items()}

        return {
            name: {
                "inputs": named(each.structured_input_signature[1]),
                "outputs": named(each.structured_outputs),
            }
            for name, each in self._world.signatures.items()
        }

    def predict(self, signature, inputs, specs):
        self.asked = _as_text(inputs)
        whole = self._world.ask[signature](
            **test_merging.filled([self.asked, *self._others])
        )
        count = len(inputs["user_id"])
        return {name: values[:count] for name, values in whole.items()}


def _as_text(inputs):
    decode = np.vectorize(tf.compat.as_str, otypes=[object])
    return {
        name: decode(values) if values.dtype == object else values
        for name, values in inputs.items()
    }


@pytest.mark.parametrize("signature", test_merging.NAMES)
def test_answers_are_the_same_of_a_server_that_merges(signature):
    """As wide as was asked for, and a new user is one of those who ask."""
    world = shop()
    known = worlds.specs(world)
    requests = test_merging.asked()[signature]
    for request in requests:
        client = serving.Client("http://127.0.0.1:1", "shop")
        client._server = Merging(
            world, *(mergeable(each, signature, known) for each in requests)
        )
        found = client.predict(signature, **request)
        assert all(values.size for values in client._server.asked.values())
        alone = world.ask[signature](**request)
        for name, values in alone.items():
            assert found[name].shape == values.shape, name
        test_merging.assert_same(found, alone)


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
            got.append({**self.headers, "path": self.path})
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            self.do_GET()

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


def post(server, file, at="/labels/stable"):
    """The outputs that a server has for a request that lies in a file."""
    with servers.Connection(server.url) as connection:
        body = file.read_bytes()
        status, answer = connection.ask("POST", f"{at}:predict", body)
    assert status == 200, answer
    return answer["outputs"]


def test_the_request_of_each_signature(server):
    """As the bundle's README has them sent, against the graph itself."""
    folder = worlds.bundle("numbers")
    files = sorted((folder / "requests").iterdir())
    assert {"recommend", "recommend_from", "score_new_ads"} < {
        file.stem for file in files
    }
    for file in files:
        body = json.loads(file.read_text())
        assert body["signature_name"] == file.stem
        ask = worlds.opened("numbers")[file.stem]
        inputs = {
            name: [base64.b64decode(v["b64"]) for v in values]
            if name == "examples"
            else values
            for name, values in body["inputs"].items()
        }
        # None is empty, as a server that merges requests would have it.
        assert all(np.size(values) for values in inputs.values())
        found = post(server, file)
        assert_equal({k: np.array(v) for k, v in found.items()}, ask(**inputs))
    # An ad that the catalogue does not have is scored, and not the unknown one.
    file = folder / "requests/score_new_ads.json"
    body = json.loads(file.read_text())["inputs"]
    assert body["candidate_ads"][0][0] == body["new_ads"][0][0]
    assert len(body["candidate_ads"][0]) == 100


def test_the_request_with_a_filter_allows_some_ads():
    """Those that are as the first one of the catalogue that has a brand."""
    world = test_finder.world()
    known = {"retrieve": world.ask["retrieve"].inputs}
    given = test_finder.users(
        np.array([3]), allow_brand=np.zeros([1, 0], object)
    )
    requests = [("retrieve", given), ("other", {})]
    found = sample_requests(requests, known, world.dataset)
    assert set(found) == {"retrieve"}
    codes = world.dataset.catalogue.columns["brand"]
    feature = world.dataset.schema.ad_category("brand")
    brand = feature.vocabulary[codes[codes > 0][0] - 1]
    assert found["retrieve"]["allow_brand"].tolist() == [["", brand]]
    answer = world.ask["retrieve"](**found["retrieve"])
    ids = [i.decode() for i in answer["ad_ids"][0] if i]
    assert ids
    rows = np.isin(world.dataset.catalogue.ad_ids, ids)
    assert set(codes[rows]) == {codes[codes > 0][0]}


def test_no_sample_asks_as_of_a_fixed_moment():
    """Its copies are sent for years; the server's clock has the moment."""
    world = shop()
    catalogue = dataclasses.replace(
        world.dataset.catalogue, expires=np.full(9, 4_000_000_000)
    )
    dataset = dataclasses.replace(world.dataset, catalogue=catalogue)
    expiry, names = expiry_specs(dataset), ("recommend", "recommend_from")
    requests = list(warm_up_requests(dataset, world.reader, expiry=expiry))
    known = {n: worlds.specs(world)[n] | expiry for n in names}
    assert [r[NOW] for n, r in requests if n == "recommend"] == [[1]]
    found = sample_requests(requests, known, dataset)
    assert set(found) == set(names)
    assert all(request[NOW].tolist() == [0] for request in found.values())


@pytest.mark.slow
def test_samples_follow_promotion_and_rollback(tmp_path):
    """The two versions have other inputs, so only one of them can answer."""
    bundle = tmp_path / "numbers"
    shutil.copytree(worlds.bundle("numbers"), bundle)
    shutil.copytree(worlds.bundle("words") / "1", bundle / "2")
    sample = bundle / "requests/score_slate.json"
    expected = worlds.opened("numbers")["score_slate"](
        **json.loads(sample.read_text())["inputs"]
    )["score"]

    def run(kind, place):
        return subprocess.run(
            [sys.executable, bundle / f"client_{kind}.py", place],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def wait_until(stable):
        deadline = time.monotonic() + 60
        client = serving.Client(address, "numbers", label="stable")
        while (
            list(client.status()) != [stable]
            or newest.status()[2] != "AVAILABLE"  # that of stable comes first
        ):
            assert time.monotonic() < deadline
            time.sleep(0.2)

    write_labels(bundle, {"stable": 1, "canary": 2})
    with servers.preview(bundle) as server:
        address = server.url.partition("/v1")[0]
        places = {"rest": address, "grpc": server.grpc}
        newest = serving.Client(address, "numbers")
        for stable in (1, 2, 1):  # an export, a promotion, a rollback
            write_labels(bundle, {"stable": stable, "canary": 2})
            wait_until(stable)
            for kind, place in places.items():
                done = run(kind, place)
                if stable == 1:
                    assert done.returncode == 0, done.stderr
                    assert len(done.stdout.splitlines()) == expected.size
                else:
                    assert done.returncode == 1
            # Without a label it is the newest all along, whose ids are texts.
            inputs = newest.metadata()["score_slate"]["inputs"]
            assert inputs["user_id"] == ("string", [None])


def test_a_sample_asks_for_the_label_and_nobody_reads_it(tmp_path):
    """`| head` ends it quietly, and its status is no error."""
    bundle = worlds.bundle("numbers")
    file = bundle / "requests/score_slate.json"
    count = len(json.loads(file.read_text())["inputs"]["candidate_ads"][0])
    # Wider than was asked, as where it was merged with a longer slate.
    scores = {name: [[0.5] * (count + 7)] for name in ("score", "pctr")}
    body = json.dumps({"outputs": scores}).encode()
    with answering(200, body) as (place, got):
        command = [sys.executable, "-I", bundle / "client_rest.py", place]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=True
        )
        assert len(done.stdout.splitlines()) == count
        quoted = " ".join(shlex.quote(str(part)) for part in command)
        quiet = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {quoted} | true"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert quiet.stderr == ""
    assert quiet.returncode == 0
    assert {each["path"] for each in got} == {
        "/v1/models/numbers/labels/stable:predict"
    }


@pytest.mark.parametrize("kind", ["rest", "grpc"])
def test_samples_in_the_bundle(server, tmp_path, kind):
    """They run without this package, REST with Python alone."""
    bundle = worlds.bundle("numbers")
    file = tmp_path / "requests/score_slate.json"
    shutil.copytree(bundle / "requests", file.parent)
    shutil.copy(bundle / f"client_{kind}.py", tmp_path)
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
    request = json.loads(file.read_text())
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
        file.write_text(json.dumps(request))
        wrong = run(places[kind])
        assert wrong.returncode == 1
        assert wrong.stderr.startswith('400: {"error": "`history_length`')
