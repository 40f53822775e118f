"""What the preview answers before its first version, and after SIGTERM."""

import asyncio
import contextlib
import http.client
import json
import shutil
import signal
import socket
import threading
import time
import urllib.parse

import grpc
import pytest
from aiohttp.test_utils import TestClient, TestServer
from click.testing import CliRunner
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving import servers, worlds
from tfadrec.cli import serve as command
from tfadrec.core.errors import InputError
from tfadrec.core.free_port import require_free
from tfadrec.serving.preview import rest, rpc, versions
from tfadrec.serving.preview.answerer import Answerer
from tfadrec.serving.preview.connections import Connections
from tfadrec.serving.preview.drift import Drift
from tfadrec.serving.preview.limits import Limits
from tfadrec.serving.preview.request_error import RequestError

#: Seconds in which a client has to send its next request.
CLIENT = 5.0
LOADING = {
    "version": "1",
    "state": "LOADING",
    "status": {"error_code": "OK", "error_message": ""},
}


@pytest.fixture
def path(tmp_path):
    (tmp_path / "numbers").mkdir()
    worlds.add_version(tmp_path / "numbers", 1)
    return tmp_path / "numbers"


@pytest.fixture
def answerer(path):
    """Of a version that is not loaded yet."""
    found = versions.Versions(path)
    made = Answerer(found, Limits(), 1, Drift(found, 200))
    yield made
    made.close()


def test_a_request_before_the_first_version_is_to_come_again(
    answerer, one_request
):
    app = rest.make_app(answerer, Connections(answerer.limits), "/metrics")
    model = "/v1/models/numbers"

    async def ask():
        async with TestClient(TestServer(app)) as client:
            for method, at in (
                ("POST", f"{model}:predict"),
                ("POST", f"{model}/versions/1:predict"),
                ("GET", f"{model}/metadata"),
                ("GET", "/healthz"),
            ):
                answer = await client.request(method, at)
                assert answer.status == 503, at
                assert answer.headers["Retry-After"] == "1"
                line = (await answer.json())["error"]
                assert "before that. Try again later." in line
            for at in (model, f"{model}/versions/1"):
                answer = await client.get(at)
                assert answer.status == 200
                found = await answer.json()
                assert found == {"model_version_status": [LOADING]}
            assert (await client.get(f"{model}/versions/9")).status == 404
            await asyncio.to_thread(answerer.versions.load)
            assert (await client.get("/healthz")).status == 200
            (now,) = (await (await client.get(model)).json()).values()
            assert now == [{**LOADING, "state": "AVAILABLE"}]

    asyncio.run(ask())


def test_grpc_before_the_first_version(answerer):
    async def ask():
        server, port = rpc.make_server(answerer, "127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            predict = predict_pb2.PredictRequest()
            metadata = get_model_metadata_pb2.GetModelMetadataRequest()
            for call, request in (
                (stub.Predict, predict),
                (stub.GetModelMetadata, metadata),
            ):
                request.model_spec.name = "numbers"
                with pytest.raises(grpc.RpcError) as error:
                    await call(request, timeout=30)
                assert error.value.code() == grpc.StatusCode.UNAVAILABLE
            asked = get_model_status_pb2.GetModelStatusRequest()
            asked.model_spec.name = "numbers"
            models = model_service_pb2_grpc.ModelServiceStub(channel)
            answer = await models.GetModelStatus(asked, timeout=30)
            (status,) = answer.model_version_status
            assert (status.version, status.state) == (1, status.State.LOADING)
        await server.stop(None)

    asyncio.run(ask())


def test_nobody_waits_for_an_older_version(path, one_request, monkeypatch):
    """That of the label stable answers while the others are loaded."""
    worlds.add_version(path, 2)
    (path / "models.config").write_text(
        'version_labels { key: "previous" value: 1 }'
        'version_labels { key: "stable" value: 2 }'
    )
    found = versions.Versions(path)
    replay = versions.warm_up
    seen = []
    said = []

    def states():
        return {int(each["version"]): each["state"] for each in found.status()}

    def say(line):
        number = int(line.split()[1])
        said.append((line.partition(",")[0], states()[number]))

    def watched(servable, *given):
        seen.append((servable.version, states()))
        if servable.version == 1:
            assert found.find("numbers").version == 2
            assert found.find("numbers", label="stable").version == 2
        for label in {1: ["previous"], 2: ["previous", "stable"]}[
            servable.version
        ]:
            with pytest.raises(RequestError) as error:
                found.find("numbers", label=label)
            assert error.value.status == 503
        return replay(servable, *given)

    monkeypatch.setattr(versions, "warm_up", watched)
    monkeypatch.setattr(versions, "say", say)
    assert states() == {1: "LOADING", 2: "LOADING"}
    found.load()
    assert seen == [
        (2, {1: "LOADING", 2: "LOADING"}),
        (1, {1: "LOADING", 2: "AVAILABLE"}),
    ]
    assert states() == {1: "AVAILABLE", 2: "AVAILABLE"}
    assert found.find("numbers", label="previous").version == 1
    # Who reads that one is ready asks it at once.
    assert said == [
        ("Version 2 is loaded", "LOADING"),
        ("Version 2 is ready", "AVAILABLE"),
        ("Version 1 is loaded", "LOADING"),
        ("Version 1 is ready", "AVAILABLE"),
    ]


def test_a_version_that_takes_the_place_of_another(
    path, one_request, monkeypatch
):
    """Is told of while it is loaded, and asked for in vain."""
    found = versions.Versions(path)
    found.load()
    worlds.add_version(path, 2)
    meanwhile = []

    def watched(*_):
        meanwhile.append([each["state"] for each in found.status()])
        meanwhile.append(found.find("numbers").version)
        with pytest.raises(RequestError, match="request for 2, before") as e:
            found.find("numbers", 2)
        meanwhile.append(e.value.status)
        return 0

    monkeypatch.setattr(versions, "warm_up", watched)
    assert found.refresh() == {}
    assert meanwhile == [["LOADING", "AVAILABLE"], 1, 503]
    assert [each["state"] for each in found.status()] == ["AVAILABLE"]


def test_no_more_is_loaded_once_it_ends(path, one_request):
    found = versions.Versions(path)
    found.stop()
    found.load()
    assert not found._loaded


@pytest.mark.parametrize("option", ["--port", "--grpc-port"])
def test_a_port_that_is_taken_is_told_at_once(path, monkeypatch, option):
    """Before TensorFlow, which takes seconds, and before any version."""

    def asked_for():
        pytest.fail("TensorFlow was about to be loaded")

    monkeypatch.setattr(command, "load_tensorflow", asked_for)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ports = {"--port": 0, "--grpc-port": 0} | {option: port}
        words = [str(word) for pair in ports.items() for word in pair]
        result = CliRunner().invoke(command.serve, [str(path), *words])
    assert result.exit_code == 2
    assert f"127.0.0.1:{port} must be free" in result.stderr
    assert "Choose another" in result.stderr


@pytest.mark.parametrize(
    "words", [["--port", 8123, "--grpc-port", 8123], ["--port", 8500]]
)
def test_rest_and_grpc_do_not_share_a_port(path, monkeypatch, words):
    """Which is told before anything else is said, in one line."""
    monkeypatch.setattr(command, "load_tensorflow", pytest.fail)
    result = CliRunner().invoke(command.serve, [str(path), *map(str, words)])
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert f"Received: {words[1]} for both. Choose another" in line


def test_which_ports_are_free():
    """Also one whose last connection has not ended, and of any family."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port} must be free"):
            require_free("127.0.0.1", port)
        client = socket.create_connection(("127.0.0.1", port))
        server.accept()[0].close()
    require_free("127.0.0.1", port)
    client.close()
    require_free("localhost", 0)
    with pytest.raises(InputError, match=r"no\.such\.host:80 must"):
        require_free("no.such.host", 80)


class Client(threading.Thread):
    """Sends a request again and again until its connection closes."""

    def __init__(self, server, body):
        super().__init__()
        parts = urllib.parse.urlsplit(server.url)
        self.body, self.path = body, f"{parts.path}:predict"
        self.http = http.client.HTTPConnection(
            parts.hostname, parts.port, timeout=60
        )
        self.answers, self.failure = 0, None

    def ask(self):
        """Whether the connection stays."""
        self.http.request("POST", self.path, self.body)
        response = self.http.getresponse()
        response.read()
        assert response.status == 200
        self.answers += 1
        return response.headers.get("Connection") != "close"

    def run(self):
        try:
            while self.ask():
                pass
        except Exception as error:
            self.failure = error


def test_clients_that_keep_their_connection_are_all_answered(path, arrays):
    """In a real process, from the first moment to the end after SIGTERM."""
    inputs = {k: v.tolist() for k, v in arrays["score_slate"].items()}
    body = json.dumps({"signature_name": "score_slate", "inputs": inputs})
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            servers.preview(path, "--client-timeout", CLIENT, wait=False)
        )
        with servers.Connection(server.url) as connection:
            status, answer = connection.ask()
            assert (status, answer) == (
                200,
                {"model_version_status": [LOADING]},
            )
            while (
                status := connection.ask("POST", ":predict", body)[0]
            ) == 503:
                time.sleep(0.1)
            assert status == 200
        busy = [Client(server, body) for _ in range(6)]
        idle, late, half = (Client(server, body) for _ in range(3))
        for client in (*busy, idle, late, half):
            stack.callback(client.http.close)
        for client in busy:
            client.start()
        half.http.putrequest("POST", half.path)
        half.http.putheader("Content-Length", len(body))
        half.http.endheaders(body[:100].encode())
        while min(client.answers for client in busy) < 5:
            time.sleep(0.01)
        for client in (idle, late):
            assert client.ask()
        server.process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        for client in busy:
            client.join()
        assert [client.failure for client in busy] == [None] * 6
        time.sleep(1)
        half.http.send(body[100:].encode())
        response = half.http.getresponse()
        assert response.status == 200
        assert response.headers["Connection"] == "close"
        assert not late.ask()
        # One who keeps silent is waited for no longer than ever.
        assert server.process.wait(60) == 0
        assert CLIENT - 2 < time.monotonic() - begun < CLIENT + 20
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            idle.ask()
        said = server.process.stdout.read()
        count = sum(client.answers for client in (*busy, idle, late))
        assert "Version 1 is ready" in said
        assert "Stopping." in said
        assert int(said.split()[-2]) >= count
        assert server.errors() == []


@pytest.mark.slow
def test_a_version_that_does_not_load_ends_the_process(tmp_path):
    folder = tmp_path / "numbers"
    shutil.copytree(worlds.bundle("numbers"), folder)
    (folder / "1" / "saved_model.pb").write_bytes(b"none")
    with (
        pytest.raises(AssertionError, match="be as they were exported"),
        servers.preview(folder),
    ):
        pass
