"""REST of the Open Inference Protocol, the metrics and the status page, as an ASGI application."""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ._guard import App, Guard, Receive, Scope, Send
from ._metrics import METRICS
from ._protocol import ProtocolError, bad, decode_http, encode_http
from ._server import Server

HEADER_LENGTH = "Inference-Header-Content-Length"
_LENGTH = HEADER_LENGTH.lower().encode()
Handler = Callable[[Request], Awaitable[Response]]


def _answering(handler: Handler) -> Handler:
    """Errors as the protocol has them."""

    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except ProtocolError as error:
            return JSONResponse({"error": str(error)}, error.status)

    return answered


async def _body(request: Request) -> bytes:
    _check_encoding(request.headers.get("content-encoding", "identity"))
    body: bytes = await request.body()
    return body


def _check_encoding(encoding: str) -> None:
    if encoding != "identity":
        raise ProtocolError(415, "compressed bodies are not read")


class Infer:
    """ASGI middleware that answers inference requests: Starlette's routing and its objects for a request
    and a response take longer than a small run."""

    PATH = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?/infer")

    def __init__(self, app: App, server: Callable[[], Server]) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match = None
        if scope["type"] == "http":
            match = self.PATH.fullmatch(scope["path"].removeprefix(scope.get("root_path", "")))
        if match is None:
            await self._app(scope, receive, send)
            return
        try:
            if scope["method"] != "POST":
                raise ProtocolError(405, "inference takes POST")
            answer = await self._answer(match[1], match[2] or "", scope, receive)
        except ProtocolError as error:
            body = json.dumps({"error": str(error)}).encode()
            await _send(send, error.status, b"application/json", body)
            return
        if answer is None:
            return
        body, head = answer
        if head is None:
            await _send(send, 200, b"application/json", body)
        else:
            extra = (_LENGTH, str(head).encode())
            await _send(send, 200, b"application/octet-stream", body, extra)

    async def _answer(
        self, name: str, version: str, scope: Scope, receive: Receive
    ) -> tuple[bytes, int | None] | None:
        """None: the client is gone before its request was there."""
        server = self._server()
        await server.present(name, version)  # before the body is read
        length = None
        for key, value in scope["headers"]:
            key = key.lower()
            if key == _LENGTH:
                if not value.isdigit():
                    raise bad(f"{HEADER_LENGTH} is '{value.decode('latin-1')}'")
                length = int(value)
            elif key == b"content-encoding":
                _check_encoding(value.decode("latin-1"))
        pieces: list[bytes] = []
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
        asked = decode_http(b"".join(pieces), length)
        answer = await server.infer(name, version, asked)
        return encode_http(name, version or "1", asked, answer)


async def _send(send: Send, status: int, kind: bytes, body: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Rest:
    """``server`` is asked for at every request: Ray makes it after the application."""

    def __init__(self, server: Callable[[], Server]) -> None:
        self._server = server

    def _model(self, request: Request) -> tuple[str, str]:
        return request.path_params["model"], request.path_params.get("version", "")

    async def live(self, request: Request) -> Response:
        return Response()

    async def ready(self, request: Request) -> Response:
        return Response(status_code=200 if self._server().is_ready() else 503)

    async def metadata(self, request: Request) -> Response:
        return JSONResponse(self._server().metadata())

    async def model_metadata(self, request: Request) -> Response:
        return JSONResponse(self._server().model_metadata(*self._model(request)))

    async def model_ready(self, request: Request) -> Response:
        return JSONResponse(self._server().model_readiness(*self._model(request)))

    async def index(self, request: Request) -> Response:
        text = await _body(request)
        try:
            said: Any = json.loads(text) if text.strip() else {}
        except ValueError:
            raise bad("the request is no JSON") from None
        only = isinstance(said, dict) and said.get("ready") is True
        return JSONResponse(self._server().index(only))

    async def load(self, request: Request) -> Response:
        await self._server().load(request.path_params["model"])
        return Response()

    async def unload(self, request: Request) -> Response:
        await self._server().unload(request.path_params["model"])
        return Response()

    async def metrics(self, request: Request) -> Response:
        return Response(METRICS.text(), media_type="text/plain; version=0.0.4")

    async def status(self, request: Request) -> Response:
        return JSONResponse(self._server().status())

    async def page(self, request: Request) -> Response:
        return HTMLResponse(importlib.resources.files(__package__).joinpath("status.html")
                            .read_text(encoding="utf-8"))  # fmt: skip


def application(server: Callable[[], Server], tokens: tuple[str, ...], max_body: int) -> App:
    rest = Rest(server)
    model = "/v2/models/{model}"
    version = model + "/versions/{version}"
    routes = [
        ("GET", "/v2/health/live", rest.live),
        ("GET", "/v2/health/ready", rest.ready),
        ("GET", "/v2", rest.metadata),
        *(("GET", path, rest.model_metadata) for path in (model, version)),
        *(("GET", f"{path}/ready", rest.model_ready) for path in (model, version)),
        ("POST", "/v2/repository/index", rest.index),
        ("POST", "/v2/repository/models/{model}/load", rest.load),
        ("POST", "/v2/repository/models/{model}/unload", rest.unload),
        ("GET", "/metrics", rest.metrics),
        ("GET", "/status", rest.status),
        ("GET", "/", rest.page),
    ]
    app = Starlette(routes=[Route(path, _answering(handler), methods=[method])
                            for method, path, handler in routes])  # fmt: skip
    return Guard(Infer(app, server), tokens, max_body)
