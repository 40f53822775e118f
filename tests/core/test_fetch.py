"""Downloads are whole, checked and done once."""

import hashlib
import http.server
import importlib.util
import pathlib
import subprocess
import threading
import zipfile

import pytest

from tfadrec.core import fetch
from tfadrec.core.errors import TfadrecError

CONTENT = b"ads and people\n" * 1000


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("TFADREC_CACHE", str(folder))
    return folder


@pytest.fixture
def site():
    """A web server on this machine: (its URL, the paths that were asked)."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(404 if "absent" in self.path else 200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            torn = "torn" in self.path
            self.wfile.write(CONTENT[:-9] if torn else CONTENT)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()
        thread.join()


class FakePip:
    """Stands for pip: puts a wheel into the folder that it is told."""

    def __init__(self, members, stderr=""):
        self.members, self.stderr, self.calls = members, stderr, []

    def __call__(self, command, **kwargs):
        self.calls.append(command)
        if self.members is not None:
            folder = pathlib.Path(command[command.index("--dest") + 1])
            with zipfile.ZipFile(folder / "toy-1.0-py3-none-any.whl", "w") as z:
                for name, content in self.members.items():
                    z.writestr(name, content)
        code = 0 if self.members is not None else 1
        return subprocess.CompletedProcess(command, code, "", self.stderr)


MEMBERS = {"toy/model/a.txt": b"alpha", "toy/b.txt": b"beta"}
WANTED = {name: sha256(content) for name, content in MEMBERS.items()}


def use_pip(monkeypatch, members=MEMBERS, stderr=""):
    pip = FakePip(members, stderr)
    monkeypatch.setattr(fetch.subprocess, "run", pip)
    return pip


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"TFADREC_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/tfadrec"),
        ({"HOME": "/c"}, "/c/.cache/tfadrec"),
    ],
)
def test_cache_dir(variables, expected, monkeypatch):
    for name in ("TFADREC_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert fetch.cache_dir() == pathlib.Path(expected)


def test_download_asks_once(site, cache, capfd):
    url, asked = site
    for _ in range(2):
        path = fetch.download(f"{url}/x/log.zip?v=1", sha256(CONTENT))
        assert path == cache / "downloads" / "log.zip"
        assert path.read_bytes() == CONTENT
    assert asked == ["/x/log.zip?v=1"]
    assert "log.zip" in capfd.readouterr().err


def test_download_replaces_a_damaged_file(site, caplog):
    url, asked = site
    path = fetch.download(f"{url}/log.zip", sha256(CONTENT))
    path.write_bytes(CONTENT[:-1])
    assert fetch.download(f"{url}/log.zip", sha256(CONTENT)) == path
    assert path.read_bytes() == CONTENT
    assert len(asked) == 2
    assert f"{path} is damaged" in caplog.text


@pytest.mark.parametrize(
    ("path", "digest", "message"),
    [
        ("/absent", sha256(CONTENT), "absent must be downloadable.*404.*put"),
        ("/torn", sha256(CONTENT), "torn must .*(IncompleteRead|SHA-256)"),
        ("/other", "0" * 64, "other of http.* must have the SHA-256 000"),
    ],
)
def test_download_errors_leave_nothing(path, digest, message, site, cache):
    with pytest.raises(TfadrecError, match=message) as caught:
        fetch.download(site[0] + path, digest)
    assert "\n" not in str(caught.value)
    assert [p for p in cache.rglob("*") if p.is_file()] == []


def test_from_wheel_downloads_once_and_keeps_only_members(
    cache, monkeypatch, capfd
):
    pip = use_pip(monkeypatch, {**MEMBERS, "toy/big.bin": b"unwanted"})
    assert not fetch.is_cached("toy", "1.0", WANTED)
    folder = fetch.from_wheel("toy", "1.0", WANTED)
    assert folder == cache / "toy-1.0"
    assert (folder / "a.txt").read_bytes() == b"alpha"
    assert (folder / "b.txt").read_bytes() == b"beta"
    assert {p.name for p in cache.rglob("*") if p.is_file()} == {
        "a.txt",
        "b.txt",
        ".checked.json",
    }
    assert "Downloading toy==1.0" in capfd.readouterr().err
    assert fetch.is_cached("toy", "1.0", WANTED)
    assert fetch.from_wheel("toy", "1.0", WANTED) == folder
    assert len(pip.calls) == 1
    command = pip.calls[0]
    assert command[1:4] == ["-m", "pip", "download"]
    assert command[-1] == "toy==1.0"
    assert {"--no-deps", "--only-binary=:all:"} < set(command)


def test_from_wheel_hashes_a_file_once(monkeypatch):
    use_pip(monkeypatch)
    fetch.from_wheel("toy", "1.0", WANTED)
    monkeypatch.setattr(fetch, "sha256_of", lambda path: pytest.fail("hashed"))
    fetch.from_wheel("toy", "1.0", WANTED)


def test_from_wheel_takes_what_was_put_by_hand(cache, monkeypatch):
    pip = use_pip(monkeypatch)
    (cache / "toy-1.0").mkdir(parents=True)
    (cache / "toy-1.0" / "a.txt").write_bytes(b"alpha")
    (cache / "toy-1.0" / "b.txt").write_bytes(b"beta")
    fetch.from_wheel("toy", "1.0", WANTED)
    assert pip.calls == []


def test_from_wheel_refuses_what_was_put_wrongly(cache, monkeypatch):
    pip = use_pip(monkeypatch)
    (cache / "toy-1.0").mkdir(parents=True)
    (cache / "toy-1.0" / "a.txt").write_bytes(b"ALPHA")
    (cache / "toy-1.0" / "b.txt").write_bytes(b"beta")
    folder = fetch.from_wheel("toy", "1.0", WANTED)
    assert len(pip.calls) == 1
    assert (folder / "a.txt").read_bytes() == b"alpha"


@pytest.mark.parametrize(
    ("members", "stderr", "message"),
    [
        (None, "x\nERROR: offline", "must be downloadable .*ERROR: offline"),
        ({"toy/b.txt": b"beta"}, "", "toy==1.0 must unpack .*a.txt"),
        (
            {**MEMBERS, "toy/b.txt": b"BETA"},
            "",
            "b.txt of toy==1.0 must have the SHA-256",
        ),
    ],
)
def test_from_wheel_errors_leave_nothing(
    members, stderr, message, cache, monkeypatch
):
    use_pip(monkeypatch, members, stderr)
    with pytest.raises(TfadrecError, match=message) as caught:
        fetch.from_wheel("toy", "1.0", WANTED)
    assert "\n" not in str(caught.value)
    assert str(cache / "toy-1.0") in str(caught.value)
    assert [p for p in cache.rglob("*") if p.is_file()] == []


def test_from_wheel_without_pip(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "pip" else real(name, *rest),
    )
    with pytest.raises(TfadrecError, match="pip must be importable"):
        fetch.from_wheel("toy", "1.0", WANTED)


def test_from_wheel_needs_distinct_base_names():
    with pytest.raises(ValueError, match="must differ in base name"):
        fetch.from_wheel("toy", "1.0", {"a/x": "0", "b/x": "1"})


def test_concurrent_processes_leave_one_whole_folder(cache, monkeypatch):
    use_pip(monkeypatch)
    threads = [
        threading.Thread(target=fetch.from_wheel, args=("toy", "1.0", WANTED))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {p.name for p in (cache / "toy-1.0").iterdir()} == {
        "a.txt",
        "b.txt",
        ".checked.json",
    }
    assert fetch.is_cached("toy", "1.0", WANTED)
