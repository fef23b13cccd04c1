"""The models of one process, and what the protocol asks of them; HTTP and gRPC stand before it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from .._core import version
from ..errors import Error
from ._config import ModelConfig, ServerConfig, default_cache
from ._metrics import METRICS
from ._model import Model
from ._protocol import NAMES, InferRequest, InferResponse, ProtocolError

LOG = logging.getLogger("pbatch.serve")
EXTENSIONS = ["binary_tensor_data", "model_repository", "parameters"]


@dataclass
class Entry:
    """A model of the repository: loaded, or the reason why it is not."""

    config: ModelConfig
    model: Model | None = None
    reason: str = ""
    generation: int = 0
    widening: asyncio.Task[None] | None = None  # kept, since a loop holds tasks weakly

    @property
    def state(self) -> str:
        return "READY" if self.model is not None else "UNAVAILABLE"

    @property
    def said(self) -> str:
        """The reason, or how far a model has come that is not all there."""
        if self.model is None or self.model.bits == self.model.bits_of_model:
            return self.reason
        return f"{self.model.bits} of {self.model.bits_of_model} bits"


class Server:
    """For one event loop. Raises ProtocolError."""

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self.entries = {m.name: Entry(m) for m in config.models}
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Loads the models that are to be there from the beginning. One that cannot be loaded is a
        warning and makes the server not ready."""
        for entry in self.entries.values():
            if entry.config.load:
                try:
                    await self.load(entry.config.name)
                except ProtocolError as error:
                    LOG.warning("model not loaded", extra={"model": entry.config.name,
                                                           "error": str(error)})  # fmt: skip

    def entry(self, name: str) -> Entry:
        if name not in self.entries:
            raise ProtocolError(404, f"there is no model '{name}'")
        return self.entries[name]

    def model(self, name: str, model_version: str = "") -> Model:
        entry = self.entry(name)
        if model_version not in ("", "1"):
            raise ProtocolError(404, f"model '{name}' has no version '{model_version}', only 1")
        if entry.model is None:
            raise ProtocolError(404, f"model '{name}' is not loaded")
        return entry.model

    async def present(self, name: str, model_version: str = "") -> Model:
        """The same for requests: a model that is not there yet may be by now."""
        if self.entry(name).model is None:
            await self.catch_up()
        return self.model(name, model_version)

    async def catch_up(self) -> None:
        """Does what others were told, where there are others."""

    async def infer(self, name: str, model_version: str, request: InferRequest) -> InferResponse:
        return await self.model(name, model_version).infer(request)

    async def load(self, name: str) -> None:
        """Loads it, or loads it anew from its files; requests go to the old one meanwhile."""
        async with self._changing:
            entry = self.entry(name)
            loop = asyncio.get_running_loop()
            try:
                new = await loop.run_in_executor(
                    None, Model, entry.config, self.config.threads, self.config.max_waiting,
                    self.config.cache or default_cache(),
                )  # fmt: skip
            except (Error, OSError) as error:
                entry.reason = str(error)
                raise ProtocolError(400, f"model '{name}' cannot be loaded: {error}") from None
            old, entry.model, entry.reason = entry.model, new, ""
            entry.widening = asyncio.create_task(new.widen())
            entry.generation += 1
            LOG.info("model loaded", extra={"model": name, "generation": entry.generation})
        if old is not None:
            await old.close()

    async def unload(self, name: str) -> None:
        async with self._changing:
            entry = self.entry(name)
            old, entry.model, entry.reason = entry.model, None, "unloaded"
            entry.generation += 1
        if old is not None:
            await old.close()
            LOG.info("model unloaded", extra={"model": name})

    def is_ready(self) -> bool:
        return all(e.model is not None for e in self.entries.values() if e.config.load
                   and e.reason != "unloaded")  # fmt: skip

    def model_readiness(self, name: str, model_version: str = "") -> dict[str, Any]:
        """Of a model that is loaded: at how many of its bits it answers."""
        model = self.model(name, model_version)
        return {"name": name, "ready": True, "bits": model.bits, "bits_of_model": model.bits_of_model}

    def metadata(self) -> dict[str, Any]:
        return {"name": "pbatch", "version": version, "extensions": EXTENSIONS}

    def model_metadata(self, name: str, model_version: str = "") -> dict[str, Any]:
        model = self.model(name, model_version)

        def ports(listed: list[Any]) -> list[dict[str, Any]]:
            return [
                {
                    "name": port,
                    "datatype": NAMES[dtype],
                    "shape": [-1 if d is None else d for d in shape or ()],
                }
                for port, dtype, shape, _ in listed
            ]

        return {
            "name": name,
            "versions": ["1"],
            "platform": "pbatch_bit_layers",
            "inputs": ports(model.inputs),
            "outputs": ports(model.outputs),
        }

    def index(self, only_ready: bool = False) -> list[dict[str, str]]:
        return [
            {"name": name, "version": "1", "state": e.state, "reason": e.said}
            for name, e in sorted(self.entries.items())
            if e.model is not None or not only_ready
        ]

    def status(self) -> dict[str, Any]:
        """What the status page shows."""
        models = []
        for name, entry in sorted(self.entries.items()):
            row: dict[str, Any] = {"name": name, "state": entry.state, "reason": entry.said}
            if entry.model is not None:
                queue = entry.model.queue
                row.update(
                    width=queue.state.width, bits=entry.model.bits,
                    bits_of_model=entry.model.bits_of_model, floor=queue.policy.floor,
                    ceiling=queue.policy.ceiling, waiting=queue.items,
                    target_ms=1000 * queue.policy.target, **METRICS.recent(name),
                )  # fmt: skip
            models.append(row)
        return {"version": version, "models": models}

    async def close(self) -> None:
        for name in self.entries:
            await self.unload(name)
