"""The Ray Serve application: replicas that hold all models, and the list of what is loaded."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UnsupportedError
from ._config import ServerConfig, config_of

try:
    from ray import serve
except ImportError as missing:
    raise UnsupportedError(
        f"pbatch serve stands on Ray: {missing}",
        remedy="pip install 'precisionbatching[serve]'",
    ) from None

from ._grpc import CODES, MESSAGES, METHODS, Rpc
from ._http import application
from ._logs import configure
from ._protocol import ProtocolError
from ._retry import OWN_STATUS
from ._server import Server

SYNC_SECONDS = 0.5
CATCH_UP_SECONDS = 10.0
QUIET = {"enable_access_log": False}  # the metrics count requests


class Repository:
    """Which models shall be loaded, for replicas to follow: {name: (loaded, generation)}."""

    def __init__(self, names: list[tuple[str, bool]]) -> None:
        self._wanted = {name: (load, 0) for name, load in names}

    def wanted(self) -> dict[str, tuple[bool, int]]:
        return self._wanted

    def set(self, name: str, load: bool) -> int:
        generation = self._wanted[name][1] + 1
        self._wanted[name] = (load, generation)
        return generation

    def remind(self, name: str, load: bool, generation: int) -> None:
        """Of what a replica has seen, where it is newer: a repository that was restarted knows
        only the beginning."""
        if generation > self._wanted[name][1]:
            self._wanted[name] = (load, generation)


def _this_server() -> Server:
    server: Server = serve.get_replica_context().servable_object.server
    return server


class _Replica:
    """What one process does; the ingress adds HTTP to it."""

    def __init__(self, config: ServerConfig, repository: Any) -> None:
        configure()
        self.server = _Following(config, repository)
        self.rpc = Rpc(self.server)
        self._started: asyncio.Task[None] | None = None

    async def check_health(self) -> None:
        """Ray asks before it sends the first request: then the models are loaded."""
        if self._started is None:
            self._started = asyncio.create_task(self.server.follow())
        await self.server.has_begun.wait()

    async def _call(self, method: str, request: bytes, context: Any) -> Any:
        try:
            return await self.rpc.call(method, request)
        except ProtocolError as error:
            # An answer like others: of what is raised Ray's proxy writes a traceback into its log.
            context.set_code(CODES.get(error.status, CODES[500]))
            context.set_details(str(error))
            metadata = [*context.trailing_metadata(), (OWN_STATUS, str(error.status))]
            context.set_trailing_metadata(metadata)
            return MESSAGES[f"{method}Response"]()  # an error's is not sent


def _method(name: str) -> Any:
    async def method(self: _Replica, request: bytes, grpc_context: Any) -> Any:
        return await self._call(name, request, grpc_context)

    method.__name__ = name
    return method


for _name in METHODS:
    setattr(_Replica, _name, _method(_name))


class _Following(Server):
    """A Server whose loads and unloads all replicas follow."""

    def __init__(self, config: ServerConfig, repository: Any) -> None:
        super().__init__(config)
        self._repository = repository
        self._seen: dict[str, int] = {}
        self.has_begun = asyncio.Event()  #: what is wanted at the start is loaded, or cannot be

    async def load(self, name: str) -> None:
        await super().load(name)
        self._seen[name] = await self._repository.set.remote(name, True)

    async def unload(self, name: str) -> None:
        self.entry(name)
        self._seen[name] = await self._repository.set.remote(name, False)
        await super().unload(name)

    async def sync(self) -> None:
        """Does what other replicas were told. A replica that starts loads what is wanted then."""
        wanted = await self._repository.wanted.remote()
        for name, (load, generation) in wanted.items():
            seen = self._seen.get(name, -1)
            if seen > generation:
                await self._repository.remind.remote(name, self.entry(name).model is not None, seen)
            if seen >= generation:
                continue
            self._seen[name] = generation
            try:
                await (super().load(name) if load else super().unload(name))
            except ProtocolError as error:
                logging.getLogger("pbatch.serve").warning(
                    "model not loaded", extra={"model": name, "error": str(error)}
                )

    async def catch_up(self) -> None:
        """For a request that came before this replica heard of a load, which goes on where the client goes."""
        task = asyncio.create_task(self.sync())
        await asyncio.wait({task}, timeout=CATCH_UP_SECONDS)
        if task.done() and not task.cancelled() and task.exception() is not None:
            logging.getLogger("pbatch.serve").warning("the repository does not answer")
        async with self._changing:  # what follows may have begun the load
            pass

    async def follow(self) -> None:
        while True:
            try:
                await self.sync()
            except Exception:  # the repository is being restarted: ask again
                logging.getLogger("pbatch.serve").exception("the repository does not answer")
            else:
                self.has_begun.set()
            await asyncio.sleep(SYNC_SECONDS)


def build(config: ServerConfig) -> Any:
    """The application."""

    def asgi() -> Any:
        return application(_this_server, config.tokens, config.max_body)

    ingress = serve.ingress(asgi)(type("Pbatch", (_Replica,), {"__module__": __name__}))
    options: dict[str, Any] = {
        "name": "pbatch",
        "max_ongoing_requests": config.max_waiting + 100,
        "ray_actor_options": {"num_cpus": config.threads or os.cpu_count() or 1},
        "logging_config": QUIET,
    }
    if config.max_replicas > config.replicas:
        options["autoscaling_config"] = {
            "min_replicas": config.replicas,
            "max_replicas": config.max_replicas,
            # Bits go first: a replica more only where that many wait for one.
            "target_ongoing_requests": 4 * max((m.max_batch for m in config.models), default=16),
        }
    else:
        options["num_replicas"] = config.replicas
    names = [(m.name, m.load) for m in config.models]
    repository = serve.deployment(
        name="repository", num_replicas=1, ray_actor_options={"num_cpus": 0},
        logging_config=QUIET,
    )(Repository)
    return serve.deployment(**options)(ingress).bind(config, repository.bind(names))


def app(
    models: Sequence[str | Mapping[str, Any]] = (), **settings: Any
) -> Any:
    """The Ray Serve application for ``serve run`` and ``serve.run``.

    Args:
        models: paths, "NAME=PATH", or dictionaries with the settings of ModelConfig.
        settings: those of ServerConfig. Ports, TLS and what is refused before a body is read belong
            to Ray's proxies, which ``pbatch serve`` starts; docs/serving.md says how ``serve run`` is
            told of them.

    Raises InvalidArgumentError for settings that there are not, UnsupportedError without Ray.
    """
    return build(config_of(models, settings))
