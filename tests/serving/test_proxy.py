"""`nginx.conf` of a bundle: nginx with TLS on the loopback."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
import types
import urllib.parse

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import (
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving import servers, worlds
from tests.serving.worlds import assert_equal
from tfadrec.core.door import tf

pytestmark = pytest.mark.skipif(
    not (shutil.which("nginx") and shutil.which("openssl")),
    reason="needs nginx and openssl",
)
#: Of the client that the proxy and the server know, and of one that the proxy
#: alone knows.
TOKEN, STRANGER = "5e5a3e" * 10, "c0ffee" * 10
MODEL = "/v1/models/numbers"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A folder `tls` as `nginx.conf` asks for it."""
    tls = tmp_path_factory.mktemp("proxy") / "tls"
    tls.mkdir()
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
        "-nodes -days 1 -subj /CN=localhost -addext "
        "subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out "
        "cert.pem"
    )
    subprocess.run(
        command.split(), cwd=tls, check=True, capture_output=True, timeout=60
    )
    (tls / "clients.tokens").write_text(
        "".join(f'"~^Bearer {token}$" 1;\n' for token in (TOKEN, STRANGER))
    )
    return tls


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


@contextlib.contextmanager
def proxy(tls, rest, grpc_port, changes=None):
    """nginx with the bundle's file, at other ports.

    Args:
      tls: the folder of keys.
      rest: port of the server behind it.
      grpc_port: the same for gRPC.
      changes: text of the file -> what stands in its place.

    Yields:
      `port` and `context`, which trusts the certificate.
    """
    port = free_port()
    folder = tls.parent
    places = [
        f"{kind}_temp_path {folder / kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    ]
    text = (worlds.bundle("numbers") / "nginx.conf").read_text()
    for old, new in {
        "listen 443 ": f"listen 127.0.0.1:{port} ",
        "127.0.0.1:8501;": f"127.0.0.1:{rest};",
        "127.0.0.1:8500;": f"127.0.0.1:{grpc_port};",
        "http {": f"http {{ access_log off; {' '.join(places)}",
        **(changes or {}),
    }.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    config = folder / "nginx.conf"
    config.write_text(text)
    # Otherwise a process of root takes another user, who has no way here.
    user = "user root; " if os.geteuid() == 0 else ""
    globally = f"daemon off; {user}pid {folder / 'pid'};"
    process = subprocess.Popen(
        ["nginx", "-e", "stderr", "-c", str(config), "-g", globally]
    )
    try:
        until = time.monotonic() + 30
        while True:
            assert process.poll() is None, "nginx has not started"
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), 5).close()
                break
            assert time.monotonic() < until
            time.sleep(0.05)
        context = ssl.create_default_context(cafile=tls / "cert.pem")
        yield types.SimpleNamespace(port=port, context=context)
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def alone(keys):
    """A proxy behind which nobody is."""
    with proxy(keys, free_port(), free_port()) as found:
        yield found


def ask(at, path=MODEL, token=TOKEN, body=None):
    """Status and body of an answer over https."""
    return answer_of(at, path, token, body)[:2]


def answer_of(at, path=MODEL, token=TOKEN, body=None):
    """The same, and when a client may come again."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connection = http.client.HTTPSConnection(
        "127.0.0.1", at.port, timeout=60, context=at.context
    )
    with contextlib.closing(connection):
        connection.request("POST" if body else "GET", path, body, headers)
        answer = connection.getresponse()
        wait = answer.headers.get_all("Retry-After")
        return answer.status, answer.read(), wait


@contextlib.contextmanager
def channel(at, keys):
    trusted = grpc.ssl_channel_credentials((keys / "cert.pem").read_bytes())
    with grpc.secure_channel(f"127.0.0.1:{at.port}", trusted) as found:
        yield found


def bearer(token):
    return {"metadata": [("authorization", f"Bearer {token}")], "timeout": 60}


@pytest.mark.parametrize(
    "token", ["", "sesame", TOKEN.upper(), TOKEN + "0", "0" + TOKEN]
)
def test_who_has_no_token_is_refused(alone, token):
    assert ask(alone, token=token)[0] == 401


def test_who_has_one_gets_to_the_server(alone):
    """Which is not there."""
    for path in (MODEL, f"{MODEL}:predict", f"{MODEL}/labels/stable"):
        assert ask(alone, path)[0] == 502


def test_what_is_not_for_clients_stays_inside(alone, keys):
    for path in (
        "/",
        "/healthz",
        "/monitoring/prometheus/metrics",
        "/v1/models/other",
        f"{MODEL}/../../../monitoring/prometheus/metrics",
    ):
        assert ask(alone, path)[0] == 404
    with channel(alone, keys) as found:
        stub = model_service_pb2_grpc.ModelServiceStub(found)
        with pytest.raises(grpc.RpcError) as error:
            stub.HandleReloadConfigRequest(
                model_management_pb2.ReloadConfigRequest(), **bearer(TOKEN)
            )
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_plain_http_is_refused(alone):
    connection = http.client.HTTPConnection("127.0.0.1", alone.port, timeout=60)
    with contextlib.closing(connection):
        connection.request(
            "GET", MODEL, headers={"Authorization": f"Bearer {TOKEN}"}
        )
        answer = connection.getresponse()
        assert answer.status == 400
        assert b"plain HTTP request" in answer.read()


def test_versions_of_tls(alone, keys):
    """1.2 and 1.3, where the client takes older ones too."""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=keys / "cert.pem")
        context.minimum_version = context.maximum_version = version
        at = types.SimpleNamespace(port=alone.port, context=context)
        assert ask(at)[0] == 502
    old = ssl.create_default_context(cafile=keys / "cert.pem")
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        ask(types.SimpleNamespace(port=alone.port, context=old))


def test_a_body_has_a_bound(alone):
    assert ask(alone, f"{MODEL}:predict", body=b" " * 2**24)[0] == 502
    assert ask(alone, f"{MODEL}:predict", body=b" " * (2**24 + 1))[0] == 413


def test_requests_of_an_address_have_a_rate(keys):
    changes = {"rate=100r/s": "rate=1r/m", "burst=200": "burst=4"}
    with proxy(keys, free_port(), free_port(), changes) as found:
        answers = [answer_of(found)[::2] for _ in range(8)]
    assert answers == [(502, None)] * 5 + [(429, ["1"])] * 3


@pytest.mark.slow
def test_answers_are_those_of_the_server(keys, arrays, expected, tmp_path):
    """`tfadrec serve`, which wants the token as well."""
    path = worlds.bundle("numbers")
    token = tmp_path / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    request = arrays["score_slate"]
    body = json.dumps(
        {
            "signature_name": "score_slate",
            "inputs": {name: v.tolist() for name, v in request.items()},
        }
    ).encode()
    call = predict_pb2.PredictRequest()
    call.model_spec.name = "numbers"
    call.model_spec.signature_name = "score_slate"
    for name, values in request.items():
        call.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            servers.preview(path, "--token-file", token)
        )
        rest = urllib.parse.urlsplit(server.url).port
        grpc_port = int(server.grpc.rpartition(":")[2])
        at = stack.enter_context(proxy(keys, rest, grpc_port))

        status, answer = ask(at, f"{MODEL}:predict", body=body)
        assert status == 200, answer
        outputs = json.loads(answer)["outputs"]
        found = {name: np.array(values) for name, values in outputs.items()}
        assert_equal(found, expected["score_slate"])
        assert ask(at, f"{MODEL}:predict", token="", body=body)[0] == 401
        # The server's own answer, as it gets each client's token.
        status, answer = ask(at, f"{MODEL}:predict", STRANGER, body)
        assert status == 401
        assert "authorization" in json.loads(answer)["error"]

        link = stack.enter_context(channel(at, keys))
        stub = prediction_service_pb2_grpc.PredictionServiceStub(link)
        outputs = stub.Predict(call, **bearer(TOKEN)).outputs
        found = {name: tf.make_ndarray(outputs[name]) for name in outputs}
        assert_equal(found, expected["score_slate"])
        with pytest.raises(grpc.RpcError) as error:
            stub.Predict(call, **bearer("sesame"))
        assert error.value.code() == grpc.StatusCode.UNAUTHENTICATED

        client = subprocess.run(
            [
                sys.executable,
                path / "client_rest.py",
                f"https://127.0.0.1:{at.port}",
            ],
            env={
                **os.environ,
                "TFADREC_TOKEN": TOKEN,
                "SSL_CERT_FILE": str(keys / "cert.pem"),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert client.returncode == 0, client.stderr
        assert "pctr" in client.stdout
