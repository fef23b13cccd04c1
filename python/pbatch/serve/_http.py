"""REST of the Open Inference Protocol, the metrics and the status page, as an ASGI application."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ._guard import App, Guard
from ._metrics import METRICS
from ._protocol import ProtocolError, bad, decode_http, encode_http
from ._server import Server

HEADER_LENGTH = "Inference-Header-Content-Length"
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
    if request.headers.get("content-encoding", "identity") != "identity":
        raise ProtocolError(415, "compressed bodies are not read")
    body: bytes = await request.body()
    return body


def _header_length(request: Request) -> int | None:
    text = request.headers.get(HEADER_LENGTH)
    if text is None:
        return None
    if not text.isdigit():
        raise bad(f"{HEADER_LENGTH} is '{text}'")
    return int(text)


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

    async def infer(self, request: Request) -> Response:
        name, version = self._model(request)
        self._server().model(name, version)  # before the body is read
        asked = decode_http(await _body(request), _header_length(request))
        answer = await self._server().infer(name, version, asked)
        body, head = encode_http(name, version or "1", asked, answer)
        if head is None:
            return Response(body, media_type="application/json")
        return Response(
            body, media_type="application/octet-stream", headers={HEADER_LENGTH: str(head)}
        )

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
        *(("POST", f"{path}/infer", rest.infer) for path in (model, version)),
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
    return Guard(app, tokens, max_body)
