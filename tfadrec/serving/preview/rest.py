"""TensorFlow Serving's REST interface."""

import asyncio
import time
from typing import Any

from aiohttp import web
from aiohttp.http import HttpProcessingError
from google.protobuf import json_format

from tfadrec.core.bundle_folder import version_number
from tfadrec.serving.preview import json_tensors
from tfadrec.serving.preview.answerer import Answerer
from tfadrec.serving.preview.body import read_body, unpack
from tfadrec.serving.preview.check_inputs import refuse
from tfadrec.serving.preview.connections import Connections
from tfadrec.serving.preview.log import LOG
from tfadrec.serving.preview.protocol import (
    SERVER,
    cause_of,
    error_answer,
)
from tfadrec.serving.preview.request_error import (
    INTERNAL,
    RequestError,
    forget_frames,
    quote,
)
from tfadrec.serving.preview.servable import Servable

HEALTH = "/healthz"
#: What is refused for what others ask for, and not for what it is.
_COME_AGAIN = ("RESOURCE_EXHAUSTED", "UNAVAILABLE")
_MODEL = r"/v1/models/{name:[^/:]+}"
_PLACES = ("", r"/versions/{version:[^/:]+}", r"/labels/{label:[^/:]+}")


def make_app(
    answerer: Answerer, connections: Connections, metrics_path: str
) -> web.Application:
    """The application, which answers errors with one line of JSON.

    It reads bodies as they come: aiohttp must not unpack them.

    Args:
      answerer: of the model.
      connections: by which requests come.
      metrics_path: where Prometheus reads.
    """
    handlers = _Handlers(answerer, connections)
    app = web.Application(middlewares=[handlers.guard])
    for place in _PLACES:
        app.router.add_get(_MODEL + place, handlers.status)
        app.router.add_get(_MODEL + place + "/metadata", handlers.metadata)
        app.router.add_post(_MODEL + place + ":predict", handlers.predict)
    app.router.add_get(HEALTH, handlers.health)
    app.router.add_get(metrics_path, handlers.metrics)
    return app


class _Handlers:
    def __init__(self, answerer: Answerer, connections: Connections) -> None:
        self._answerer, self._connections = answerer, connections

    @web.middleware
    async def guard(self, request: web.Request, handler) -> web.StreamResponse:
        self._connections.begin(request)
        try:
            if request.path != HEALTH:
                self._answerer.let_in(request.headers.get("Authorization"))
            response = await handler(request)
        except Exception as error:
            response = self._refusal(request, error)
            forget_frames(error)
        finally:
            self._connections.end(request)
        if self._connections.is_draining:
            response.force_close()
        response.headers["Server"] = SERVER
        return response

    def _refusal(self, request: web.Request, error: Exception) -> web.Response:
        if isinstance(error, RequestError):
            response = error_answer(error.status, str(error))
            if error.code in _COME_AGAIN:
                response.headers["Retry-After"] = "1"
            if error.code == "UNAUTHENTICATED":
                response.headers["WWW-Authenticate"] = "Bearer"
            return response
        if isinstance(error, web.HTTPException):
            response = error_answer(error.status, self._explain(request, error))
            response.headers.update(
                {k: v for k, v in error.headers.items() if k == "Allow"}
            )
            return response
        if isinstance(error, OSError):  # the client has left
            return error_answer(400, "the connection must stay open.")
        # A fault of ours must not look like an answer, nor end the server.
        LOG.error("A request failed.", exc_info=error)
        return error_answer(500, INTERNAL)

    async def predict(self, request: web.Request) -> web.Response:
        begun = time.monotonic()
        code = "INTERNAL"
        try:
            answer = await self._predict(request, begun)
            code = "OK"
        except RequestError as error:
            code = error.code
            raise
        except web.HTTPException:
            code = "INVALID_ARGUMENT"
            raise
        except OSError:
            code = "CANCELLED"
            raise
        finally:
            seconds = time.monotonic() - begun
            self._answerer.metrics.add("REST", code, seconds)
        return web.Response(body=answer, content_type="application/json")

    async def _predict(self, request, begun) -> bytes:
        answerer = self._answerer
        servable = self._find(request)
        packed = _is_packed(request)
        loan = answerer.bodies.open()
        try:
            raw = await asyncio.wait_for(
                self._read(request, loan), answerer.limits.seconds
            )
        except (TimeoutError, asyncio.TimeoutError) as error:
            loan.close()
            raise web.HTTPRequestTimeout from error
        except BaseException:
            loan.close()
            raise

        def job(end: float) -> bytes:
            if packed:
                loan.take(answerer.limits.body)
            plain = unpack(raw, answerer.limits) if packed else raw
            body = read_body(plain, answerer.limits)
            signature, by_row = body.signature, body.by_row
            # Its objects are not to wait for the graph.
            waiting = [body]
            del body
            outputs = answerer.predict(
                servable,
                signature,
                lambda specs: json_tensors.read_inputs(
                    waiting.pop(), specs, answerer.limits
                ),
                end,
            )
            return json_tensors.write_answer(outputs, by_row)

        return await answerer.work(job, begun, done=loan.close)

    async def _read(self, request: web.Request, loan) -> bytearray:
        """The body, whose bytes are borrowed as they come."""
        most = self._answerer.limits.body
        raw = bytearray()
        while max(len(raw), request.content_length or 0) <= most:
            try:
                part = await request.content.readany()
            except (web.RequestPayloadError, HttpProcessingError) as error:
                refuse("a body comes as its headers say", cause_of(error))
            if not part:
                return raw
            loan.take(len(part))
            raw += part
        raise web.HTTPRequestEntityTooLarge(most, len(raw))

    async def status(self, request: web.Request) -> web.Response:
        versions = self._answerer.versions
        found = versions.status(versions.named(*_asked(request)))
        return web.json_response({"model_version_status": found})

    async def metadata(self, request: web.Request) -> web.Response:
        servable = self._find(request)
        signatures = {
            name: json_format.MessageToDict(
                definition, preserving_proto_field_name=True
            )
            for name, definition in servable.definitions.items()
        }
        answer: dict[str, Any] = {
            "model_spec": {
                "name": self._answerer.versions.name,
                "signature_name": "",
                "version": str(servable.version),
            },
            "metadata": {"signature_def": {"signature_def": signatures}},
        }
        return web.json_response(answer)

    async def health(self, request: web.Request) -> web.Response:
        self._answerer.versions.check_ready()
        return web.json_response({"status": "ok"})

    async def metrics(self, request: web.Request) -> web.Response:
        answerer = self._answerer
        return web.Response(
            text=answerer.metrics.page() + answerer.drift.page()
        )

    def _find(self, request: web.Request) -> Servable:
        return self._answerer.versions.find(*_asked(request))

    def _explain(self, request: web.Request, error: web.HTTPException) -> str:
        """One line for what aiohttp found wrong."""
        if error.status == 404:
            return (
                "paths are /v1/models/NAME, /v1/models/NAME/metadata and "
                "/v1/models/NAME:predict. Received: "
                f"{quote(request.path)}."
            )
        if error.status == 405:
            allowed = error.headers.get("Allow", "")
            return f"{allowed} is for this path. Received: {request.method}."
        if isinstance(error, web.HTTPRequestEntityTooLarge):
            return (
                f"a body has at most {self._answerer.limits.body} bytes. "
                "Received: more. Send fewer rows."
            )
        if error.status == 408:
            return "a body must come in time. Received: no end of it."
        return error.text or error.reason


def _asked(request: web.Request) -> tuple[str, int | None, str | None]:
    """Name, version and label of a path.

    Raises:
      RequestError: where the version is none.
    """
    at = request.match_info
    version = None
    if "version" in at:
        version = version_number(at["version"])
        if version is None:
            refuse("a version is a number", quote(at["version"]))
    return at["name"], version, at.get("label")


def _is_packed(request: web.Request) -> bool:
    """Whether a body is compressed by gzip.

    Raises:
      RequestError: where it is compressed by anything else.
    """
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip"):
        refuse("a body is plain or compressed by gzip", quote(coding))
    return coding == "gzip"
