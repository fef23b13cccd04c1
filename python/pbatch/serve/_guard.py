"""Who may ask, and how much: decided by a request's head, before its body is read."""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: What the processes of Ray's proxies read: tokens, max_body, tls_certificate and tls_key, as JSON.
ENVIRONMENT = "PBATCH_SERVE_GUARD"
#: Probes of an orchestrator bring no token; nor does a browser for the status page, which holds nothing
#: by itself and brings it to /status.
OPEN_PATHS = ("/", "/v2/health/live", "/v2/health/ready", "/-/healthz", "/-/routes")


def is_allowed(authorization: str, tokens: Iterable[str]) -> bool:
    """Whether "Bearer TOKEN" has one of the tokens; all are compared, each in constant time."""
    scheme, _, given = authorization.partition(" ")
    found = False
    for token in tokens:
        found |= hmac.compare_digest(given.strip().encode(), token.encode())
    return found and scheme.lower() == "bearer"


class TooLarge(Exception):
    """A body longer than allowed, found while it is read."""


class Guard:
    """ASGI middleware: 401 without a token, 413 for a body that is too long; in both cases nothing
    more is read, and the connection is closed."""

    def __init__(self, app: App, tokens: Iterable[str] = (), max_body: int = 64 << 20) -> None:
        self._app = app
        self._tokens = tuple(tokens)
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        authorization, length = "", "0"
        for key, value in scope["headers"]:
            key = key.lower()
            if key == b"authorization":
                authorization = value.decode("latin-1")
            elif key == b"content-length":
                length = value.decode("latin-1")
        if self._tokens and scope["path"] not in OPEN_PATHS:
            if not is_allowed(authorization, self._tokens):
                await refuse(send, 401, "a bearer token is needed")
                return
        if not length.isdigit() or int(length) > self._max_body:
            await refuse(send, 413, f"a request has {self._max_body} bytes at most")
            return
        read = 0

        async def counted() -> MutableMapping[str, Any]:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max_body:
                raise TooLarge
            return message

        started = False

        async def noted(message: MutableMapping[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except TooLarge:
            if not started:
                await refuse(send, 413, f"a request has {self._max_body} bytes at most")


async def refuse(send: Send, status: int, message: str) -> None:
    body = json.dumps({"error": message}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close"),
               (b"content-length", str(len(body)).encode())]  # fmt: skip
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def settings() -> dict[str, Any]:
    """What the environment says; empty where it says nothing."""
    said: dict[str, Any] = json.loads(os.environ.get(ENVIRONMENT, "{}"))
    return said


def _grpc_with_tls(certificate: str, key: str) -> None:
    """Ray opens the gRPC port of its proxy without TLS and has no setting for it. This takes the place
    of the function that opens it; where there is none of that name the proxy does not start, rather
    than speak in the clear."""
    import grpc
    from ray.serve._private import default_impl

    if not hasattr(default_impl, "add_grpc_address"):
        raise RuntimeError("this version of Ray opens gRPC ports in another way: set grpc_port = 0")
    with open(key, "rb") as k, open(certificate, "rb") as c:
        credentials = grpc.ssl_server_credentials([(k.read(), c.read())])

    def add_grpc_address(server: Any, address: str) -> None:
        server.add_secure_port(address, credentials)

    default_impl.add_grpc_address = add_grpc_address


def proxy_middlewares() -> list[Any]:
    """For RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH: the guard stands in Ray's proxy, too, which
    would else read a body before the application sees the request, and behind it who asks again where a
    replica died. Ray calls this before it opens ports."""
    from starlette.middleware import Middleware

    from ._retry import Retry

    said = settings()
    if said.get("tls_certificate"):
        _grpc_with_tls(said["tls_certificate"], said["tls_key"])
    return [  # from the inside out
        Middleware(Retry),
        Middleware(
            Guard, tokens=said.get("tokens", ()), max_body=said.get("max_body", 64 << 20)
        ),
    ]
