"""A loaded model: its session, the times of its widths, and the loop that runs what waits."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._cascade import Cascade
from .._core import RunOptions
from .._quantize import quantize
from .._session import InferenceSession
from ..errors import Error, InvalidArgumentError, IoError, MalformedError, OutOfMemoryError
from ._config import ModelConfig
from ._controller import Costs, Policy
from ._metrics import METRICS
from ._precision import Wanted, read_deadline, read_wanted
from ._protocol import InferRequest, InferResponse, ProtocolError, bad, check_inputs
from ._queue import Batch, Queue, Request
from ._transfer import Transfer, is_url

LOG = logging.getLogger("pbatch.serve")
MEASURED_BATCHES = (1, 4, 16)
MEASURED_WIDTHS = (1, 2, 3, 4, 6, 8, 10, 12, 14, 16)
INLINE_SECONDS = 0.0005  #: a run as short is over before another thread would have begun it


class Model:
    """Runs on one thread of its own, or where they are very short on the loop's, one run at a time; the
    rest is for one event loop.

    A model at a URL is made with the planes of its floor; ``widen`` fetches the others.
    """

    def __init__(self, config: ModelConfig, threads: int, max_waiting: int, cache: str = "") -> None:
        self.config = config
        self._threads = threads
        self._ending = threading.Event()
        self._transfer: Transfer | None = None
        if is_url(config.path):
            self._transfer = Transfer(config.path, cache)
            self._transfer.begin()
            self._transfer.fetch(config.floor, attempts=5)
        self.session = _open(self._path, threads)
        if not self.session.layers:
            raise InvalidArgumentError(
                f"model '{config.name}' has no bit-layers", remedy="quantize the network"
            )
        self.inputs = [_port(p) for p in self.session.get_inputs()]
        self.outputs = [_port(p) for p in self.session.get_outputs()]
        #: Inputs and outputs all have a free first dimension: requests may run together.
        self.takes_batches = all(
            p[2] is not None and len(p[2]) > 0 and p[2][0] is None
            for p in [*(p for p in self.inputs if not p[3]), *self.outputs]
        )
        max_batch = config.max_batch if self.takes_batches else 1
        policy = Policy(config.target_ms / 1000, *self._range(self.session), max_batch, config.hold_s)
        self.queue = Queue(Costs(self._measure(self.session, policy)), policy, time.monotonic)
        self._max_waiting = max_waiting
        self._cascades: dict[tuple[Any, ...], Cascade] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"pbatch-{config.name}")
        self._running = asyncio.Lock()
        self._work = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def _path(self) -> str:
        return self.config.path if self._transfer is None else self._transfer.path

    def _range(self, session: InferenceSession) -> tuple[int, int]:
        """Floor and ceiling with the planes of this session."""
        most = session.max_weight_bits
        ceiling = min(self.config.ceiling or most, most)
        return min(self.config.floor, ceiling), ceiling

    # Planes that come while it serves

    @property
    def bits(self) -> int:
        """Planes that are there."""
        return self.session.max_weight_bits

    @property
    def bits_of_model(self) -> int:
        """Those that it has in all."""
        return self.bits if self._transfer is None else self._transfer.planes_of_model

    async def widen(self) -> None:
        """Fetches what is missing and takes each plane into use; ends when all are there, or at an
        error of the store that waiting does not mend."""
        if self._transfer is None:
            return
        loop = asyncio.get_running_loop()
        while self.bits < self._transfer.planes_of_model and not self._ending.is_set():
            try:
                wider, times = await loop.run_in_executor(None, self._next_planes, self._transfer)
            except (Error, OSError) as error:
                LOG.error("planes are missing", extra={"model": self.config.name, "error": str(error),
                                                       "bits": self.bits})  # fmt: skip
                return
            if wider is None:
                return
            if self._ending.is_set():
                wider.close()
                return
            async with self._running:
                old, self.session = self.session, wider
                self._cascades.clear()
            old.close()
            floor, ceiling = self._range(wider)
            queue = self.queue
            queue.policy = dataclasses.replace(queue.policy, floor=floor, ceiling=ceiling)
            queue.costs = Costs({**queue.costs.times, **times})
            LOG.info("model is wider", extra={"model": self.config.name, "bits": self.bits})

    def _next_planes(
        self, transfer: Transfer
    ) -> tuple[InferenceSession | None, dict[int, dict[int, float]]]:
        """A session over one plane more, or over all that have come, and the times of its widths."""
        transfer.fetch(self.bits + 1, self._ending.is_set)
        if self._ending.is_set():
            return None, {}
        wider = _open(self._path, self._threads)
        floor, ceiling = self._range(wider)
        policy = dataclasses.replace(self.queue.policy, floor=floor, ceiling=ceiling)
        return wider, self._measure(wider, policy, set(self.queue.costs.widths))

    # Times

    def _measure(
        self, session: InferenceSession, policy: Policy, known: set[int] | None = None
    ) -> dict[int, dict[int, float]]:
        """Of widths that are not known yet."""
        widths = {policy.floor, policy.ceiling}
        widths.update(w for w in MEASURED_WIDTHS if policy.floor <= w <= policy.ceiling)
        times: dict[int, dict[int, float]] = {}
        for width in sorted(widths - (known or set())):
            times[width] = {}
            for batch in [b for b in MEASURED_BATCHES if b <= policy.max_batch]:
                feed = {p[0]: self._made_up(p, batch) for p in self.inputs if not p[3]}
                options = _options(Wanted(), width, self.config.abits)
                session.run(None, feed, options)
                seconds = []
                for _ in range(3):
                    start = time.perf_counter()
                    session.run(None, feed, options)
                    seconds.append(time.perf_counter() - start)
                times[width][batch] = statistics.median(seconds)
        return times

    def _made_up(self, port: tuple[Any, ...], batch: int) -> NDArray[Any]:
        name, dtype, shape, _ = port
        dims = list(self.config.shapes.get(name) or [1 if d is None else d for d in shape or ()])
        if dims and self.takes_batches:
            dims[0] = batch
        if dtype.kind == "f":
            return np.random.default_rng(0).standard_normal(dims).astype(dtype)
        return np.zeros(dims, dtype)

    # Requests

    async def infer(self, request: InferRequest) -> InferResponse:
        """Raises ProtocolError."""
        wanted = read_wanted(request.parameters, self.config.cascade)
        deadline = read_deadline(request.parameters)
        check_inputs(self.inputs, request.inputs)
        names = [p[0] for p in self.outputs]
        for name in request.outputs:
            if name not in names:
                raise bad(f"the model has no output '{name}'; its outputs are {', '.join(names)}")
        widest = max([wanted.bits or 0, *(bits for bits, _ in wanted.cascade)])
        if self.bits < widest <= self.bits_of_model:
            raise ProtocolError(503, f"{self.bits} of the model's {self.bits_of_model} bits are there by now")
        if self.bits_of_model < widest <= 16:
            raise bad(f"parameter 'bits' is {widest}; the model has {self.bits_of_model}")
        items, kind = self._kind(request)
        if self._closed:
            raise ProtocolError(503, f"model '{self.config.name}' is being unloaded")
        if self.queue.items + items > self._max_waiting and self.queue.waiting:
            METRICS.dropped(self.config.name, "full")
            raise ProtocolError(503, f"{self.queue.items} items wait for the model; try again later")
        now = time.monotonic()
        waiting = Request(
            items, now, now + (self.queue.policy.target if deadline is None else deadline),
            wanted, kind, (request, asyncio.get_running_loop().create_future()), deadline is not None,
        )  # fmt: skip
        self.queue.add(waiting)
        METRICS.queue(self.config.name, self.queue.items)
        if self._is_free_for(waiting):
            self._run_here(self._take())
        else:
            if self._loop is None:
                self._loop = asyncio.create_task(self._run_all())
            self._work.set()
        try:
            response: InferResponse = await waiting.payload[1]
            return response
        finally:
            if self.queue.remove(waiting):  # the client is gone
                METRICS.dropped(self.config.name, "gone")

    def _kind(self, request: InferRequest) -> tuple[int, Any]:
        """Items, and what those that run together have in common; None: nobody else."""
        if not self.takes_batches:
            return 1, None
        firsts = {len(a) for a in request.inputs.values()}
        if len(firsts) != 1:
            return 1, None
        shapes = tuple(sorted((n, a.shape[1:]) for n, a in request.inputs.items()))
        return max(1, firsts.pop()), shapes

    def _is_free_for(self, request: Request) -> bool:
        """Nothing else waits or runs, and its run is shorter than what Ray does for a request: then waiting
        for others to run with gains nothing, and the way over another task is longer than the run."""
        queue = self.queue
        return (
            len(queue.waiting) == 1 and not self._running.locked() and request.wanted.is_free
            and queue.state.width in queue.costs
            and queue.costs.seconds(queue.state.width, request.items) < INLINE_SECONDS
        )  # fmt: skip

    async def _run_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._work.wait()
            self._work.clear()
            while (batch := self._take()) is not None:
                async with self._running:
                    if self._is_short(batch):
                        self._run_here(batch)
                        continue
                    began = time.monotonic()
                    try:
                        answers, seconds = await loop.run_in_executor(
                            self._thread, self._run, batch
                        )
                    except Exception as error:
                        self._fail(batch, error)
                        continue
                self._report(batch, answers, began, seconds)

    def _take(self) -> Batch | None:
        for late in self.queue.expired():
            METRICS.dropped(self.config.name, "deadline")
            _settle(late, ProtocolError(504, "the deadline passed before a run was free"))
        return self.queue.next()

    def _run_here(self, batch: Batch | None) -> None:
        if batch is None:
            return
        began = time.monotonic()
        try:
            answers, seconds = self._run(batch)
        except Exception as error:
            self._fail(batch, error)
        else:
            self._report(batch, answers, began, seconds)

    @staticmethod
    def _fail(batch: Batch, error: Exception) -> None:
        """An answer to those that asked, and on."""
        for request in batch.requests:
            _settle(request, _as_protocol(error))

    def _report(
        self, batch: Batch, answers: list[InferResponse], began: float, seconds: float
    ) -> None:
        self.queue.ran(batch, seconds)
        done = time.monotonic()
        for request, answer in zip(batch.requests, answers, strict=True):
            answer.parameters.update(
                wait_ms=round(1000 * (began - request.arrived), 3),
                run_ms=round(1000 * seconds, 3),
                batch=batch.items,
            )
            METRICS.answered(
                self.config.name, str(answer.parameters["bits"]), done - request.arrived,
                request.items,
            )  # fmt: skip
            _settle(request, answer)
        METRICS.queue(self.config.name, self.queue.items)
        METRICS.width(self.config.name, batch.bits or 0)

    # Runs

    def _is_short(self, batch: Batch) -> bool:
        costs = self.queue.costs
        return (
            batch.bits is not None and batch.bits in costs and batch.requests[0].wanted.is_free
            and costs.seconds(batch.bits, batch.items) < INLINE_SECONDS
        )  # fmt: skip

    def _run(self, batch: Batch) -> tuple[list[InferResponse], float]:
        """The answers, and what the run took."""
        began = time.monotonic()
        wanted = batch.requests[0].wanted
        asked: list[InferRequest] = [r.payload[0] for r in batch.requests]
        feed = asked[0].inputs
        if len(asked) > 1:
            feed = {n: np.concatenate([a.inputs[n] for a in asked]) for n in feed}
        names = [p[0] for p in self.outputs]
        parameters: dict[str, Any] = {"abits": wanted.abits or self.config.abits}
        if wanted.cascade:
            run = self._cascade(wanted).run(feed)
            arrays, stages = run.outputs, run.stage_of_item
            bits: Any = ",".join(str(b) for b, _ in wanted.cascade)
        else:
            bits = batch.bits if batch.bits is not None else self.queue.policy.ceiling
            options = _options(wanted, bits, self.config.abits)
            arrays, stages = self.session.run(None, feed, options), None
        seconds = time.monotonic() - began
        answers, at = [], 0
        for request, own in zip(batch.requests, asked, strict=True):
            end = at + request.items
            mine = arrays if len(asked) == 1 else [a[at:end] for a in arrays]
            by_name = dict(zip(names, mine, strict=True))
            said = {**parameters, "bits": bits}
            if stages is not None:
                counts = np.bincount(stages[at:end], minlength=len(wanted.cascade))
                said["items_of_stages"] = ",".join(map(str, counts))
            answers.append(InferResponse([(n, by_name[n]) for n in own.outputs or names], said))
            at = end
        return answers, seconds

    def _cascade(self, wanted: Wanted) -> Cascade:
        key = wanted.cascade, wanted.abits, wanted.layers
        if key not in self._cascades:
            if len(self._cascades) > 16:
                self._cascades.clear()
            abits = wanted.abits or self.config.abits
            self._cascades[key] = Cascade(
                self.session, [(b, abits) for b, _ in wanted.cascade],
                thresholds=[t for _, t in wanted.cascade[:-1]],
                margin=self.config.margin, center=self.config.center,
                layers={n: (b, a or abits) for n, b, a in wanted.layers},
            )  # fmt: skip
        return self._cascades[key]

    async def close(self) -> None:
        """Answers what waits, then lets go of the model."""
        self._closed = True
        self._ending.set()
        while self.queue.waiting:
            await asyncio.sleep(0.005)
        if self._loop is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, lambda: None)
            self._loop.cancel()
        self._thread.shutdown(wait=False)
        self.session.close()
        if self._transfer is not None:
            self._transfer.close()


def _open(path: str, threads: int) -> InferenceSession:
    session = InferenceSession(path, threads=threads)
    if session.layers:
        return session
    return InferenceSession(quantize(path).model, threads=threads)


def _port(port: Any) -> tuple[str, np.dtype[Any], tuple[int | None, ...] | None, bool]:
    return port.name, np.dtype(port.dtype), tuple(port.shape) or None, port.optional


@functools.lru_cache(256)  # runs only read them
def _options(wanted: Wanted, bits: int, abits: int) -> RunOptions:
    options = RunOptions()
    options.add_run_config_entry("pbatch.bits", str(bits))
    options.add_run_config_entry("pbatch.abits", str(wanted.abits or abits))
    options.add_run_config_entry("pbatch.exact", "1")
    if wanted.layers:
        parts = (f"{n}={b},{a or wanted.abits or abits}" for n, b, a in wanted.layers)
        options.add_run_config_entry("pbatch.layers", ";".join(parts))
    return options


def _settle(request: Request, answer: InferResponse | ProtocolError) -> None:
    future: asyncio.Future[InferResponse] = request.payload[1]
    if future.done():
        return
    if isinstance(answer, ProtocolError):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _as_protocol(error: Exception) -> ProtocolError:
    if isinstance(error, OutOfMemoryError):
        return ProtocolError(503, str(error))
    if isinstance(error, (IoError, MalformedError)):  # the files have become others: not the client's fault
        LOG.error("the model cannot be read", extra={"error": str(error)})
        return ProtocolError(500, str(error))
    if isinstance(error, Error) and error.code != "internal":
        return ProtocolError(400, str(error))
    LOG.exception("a run failed", exc_info=error)
    return ProtocolError(500, str(error))
