"""Requests whose replica died are asked again, in Ray's proxy: a run is pure, so twice is as good as once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ._guard import App, Receive, Scope, Send

ATTEMPTS = 6
WAITS = (0.05, 0.2, 0.5, 1.0, 2.0)  #: seconds between them


class Retry:
    """ASGI middleware behind the guard. Where a replica died Ray sends nothing, and where there is none an
    error as text; those of pbatch are JSON and pass. A request is read whole before a replica gets it."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http" or scope["method"] != "POST"
            or not scope["path"].endswith("/infer")
        ):  # fmt: skip
            await self._app(scope, receive, send)
            return
        pieces: list[bytes] = []
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            pieces.append(message.get("body", b""))
            more = message.get("more_body", False)
        body = b"".join(pieces)
        for attempt in range(ATTEMPTS):
            if not await self._ask(scope, body, receive, send, attempt + 1 == ATTEMPTS):
                return
            await asyncio.sleep(WAITS[attempt])

    async def _ask(
        self, scope: Scope, body: bytes, receive: Receive, send: Send, is_last: bool
    ) -> bool:
        """Whether to ask again."""
        given = gone = began = failed = False

        async def replayed() -> MutableMapping[str, Any]:
            nonlocal given, gone
            if given:
                message = await receive()
                gone = message["type"] == "http.disconnect"
                return message
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def passed(message: MutableMapping[str, Any]) -> None:
            nonlocal began, failed
            if message["type"] == "http.response.start":
                headers = {k.lower(): v for k, v in message.get("headers", ())}
                kind = headers.get(b"content-type", b"")
                began = True
                failed = message["status"] in (500, 503) and not kind.startswith(b"application/")
            if not failed or is_last:
                await send(message)

        await self._app(dict(scope), replayed, passed)
        return (failed or not began) and not gone and not is_last


#: In the trailing metadata of an error that pbatch gives; Ray's own have none of it.
OWN_STATUS = "pbatch-status"


class _Attempt:
    """The context of one attempt at a gRPC request: what it says counts only if it is the last."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._code: Any = 0
        self._details = ""
        self._trailing: Any = ()

    def __getattr__(self, name: str) -> Any:  # the head of the request, which attempts share
        return getattr(self._context, name)

    def code(self) -> Any:
        return self._code

    def details(self) -> str:
        return self._details

    def trailing_metadata(self) -> Any:
        return self._trailing

    def set_code(self, code: Any) -> None:
        self._code = code

    def set_details(self, details: str) -> None:
        self._details = details

    def set_trailing_metadata(self, metadata: Any) -> None:
        self._trailing = metadata

    @property
    def found_no_replica(self) -> bool:
        """The one that had it died, or there was none."""
        failed = getattr(self._code, "name", "OK") in ("INTERNAL", "UNAVAILABLE")
        return failed and not any(key == OWN_STATUS for key, _ in self._trailing)

    def pass_on(self) -> None:
        self._context.set_trailing_metadata(tuple(self._trailing))
        if self._code:
            self._context.set_code(self._code)
            self._context.set_details(self._details)


def retrying(
    behavior: Callable[[Any, Any], Awaitable[Any]],
) -> Callable[[Any, Any], Awaitable[Any]]:
    """The same for gRPC, around what Ray's proxy does with a request."""

    async def asked(request: Any, context: Any) -> Any:
        for attempt in range(ATTEMPTS):
            own = _Attempt(context)
            answer = await behavior(request, own)
            if attempt + 1 == ATTEMPTS or not own.found_no_replica:
                break
            await asyncio.sleep(WAITS[attempt])
        own.pass_on()
        return answer

    return asked
