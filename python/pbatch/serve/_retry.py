"""Requests whose replica died are asked again, in Ray's proxy: a run is pure, so twice is as good as once."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
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
