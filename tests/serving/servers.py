"""`tfadrec serve` in a process of its own."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import types
import urllib.parse

import numpy as np

from tests.processes import ROOT

#: A busy machine takes a minute to start one.
_SECONDS = 180


@contextlib.contextmanager
def preview(path, *arguments, env=None, rest_only=False, wait=True):
    """The server of a bundle; both of its ports are free ones.

    It is ready, unless there is no `wait` for that.

    Yields:
      `url` of the model, `grpc` address, `process`, `said`, lines of its
      standard output so far, and `errors`, a function for those of its standard
      error so far.
    """
    ports = ["--port", 0] + ([] if rest_only else ["--grpc-port", 0])
    command = [sys.executable, "-m", "tfadrec", "serve", path, *ports]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            list(map(str, [*command, *arguments])),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
            env=env,
        )
        timer = threading.Timer(_SECONDS, process.kill)
        timer.start()
        said = []
        found = {}

        def lines():
            # The process goes on writing where it is.
            return os.pread(errors.fileno(), 2**20, 0).decode().splitlines()

        try:
            for line in process.stdout:
                said.append(line)
                name, _, value = line.strip().partition(": ")
                found[name] = value
                is_open = {"REST", "REST" if rest_only else "gRPC"} <= set(
                    found
                )
                if is_open and (not wait or " is ready, " in line):
                    break
            else:
                raise AssertionError("".join(said) + "\n".join(lines()))
            timer.cancel()
            yield types.SimpleNamespace(
                url=found["REST"],
                grpc=found.get("gRPC"),
                process=process,
                said=said,
                errors=lines,
            )
        finally:
            timer.cancel()
            process.kill()
            process.wait()
            process.stdout.close()


class Connection:
    """To one server, kept alive until the end of a `with`."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self._path = parts.path
        self._open = lambda: http.client.HTTPConnection(
            parts.hostname, parts.port, timeout=30
        )
        self._http = self._open()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._http.close()

    def ask(self, method="GET", at="", body=None, headers=None):
        """Status and parsed body; `at` goes after the model's path."""
        self._http.request(method, self._path + at, body, headers or {})
        response = self._http.getresponse()
        raw = response.read()
        if response.will_close:
            self._http.close()
            self._http = self._open()
        return response.status, json.loads(raw)

    def predict(self, signature, inputs):
        """Outputs of a good request, as arrays."""
        body = json.dumps({"signature_name": signature, "inputs": inputs})
        status, answer = self.ask("POST", ":predict", body)
        assert status == 200, answer
        return {k: np.array(v) for k, v in answer["outputs"].items()}
