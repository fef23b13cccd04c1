"""Requests that wait for a model, by deadline, and which of them run together."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ._controller import LOOKAHEAD, Costs, Policy, State, decide
from ._precision import Wanted
from ._rate import Rate


@dataclass(eq=False)
class Request:
    """One request; ``kind`` is equal for those that may run together."""

    items: int
    arrived: float
    deadline: float
    wanted: Wanted
    kind: Any
    payload: Any = None
    must_keep: bool = False  #: the client named the deadline: past it, nobody waits any more


@dataclass(frozen=True)
class Batch:
    """What to run now. ``bits`` is None for cascades."""

    requests: list[Request]
    bits: int | None

    @property
    def items(self) -> int:
        return sum(r.items for r in self.requests)


@dataclass
class Queue:
    """Requests in the order of their deadlines. Not for several threads."""

    costs: Costs
    policy: Policy
    clock: Callable[[], float]
    state: State = field(init=False)
    rate: Rate = field(default_factory=Rate)
    waiting: list[Request] = field(default_factory=list)
    items: int = 0

    def __post_init__(self) -> None:
        self.state = State(self.policy.ceiling)

    def add(self, request: Request) -> None:
        bisect.insort(self.waiting, request, key=lambda r: r.deadline)
        self.items += request.items
        self.rate.add(request.arrived, request.items)

    def remove(self, request: Request) -> bool:
        """Whether it still waited: a client that is gone wants no answer."""
        if request not in self.waiting:
            return False
        self.waiting.remove(request)
        self.items -= request.items
        return True

    def expired(self) -> list[Request]:
        """Takes out those whose clients gave them up by now."""
        now = self.clock()
        late = [r for r in self.waiting if r.must_keep and r.deadline <= now]
        for request in late:
            self.remove(request)
        return late

    def next(self) -> Batch | None:
        """Takes out what runs next: the first, and those behind it that may run with it."""
        if not self.waiting:
            return None
        first = self.waiting[0]
        bits: int | None = first.wanted.bits
        most = self.policy.max_batch
        if first.wanted.is_free:
            every = (r.deadline for r in self.waiting for _ in range(r.items))
            deadlines = list(itertools.islice(every, LOOKAHEAD))
            now = self.clock()
            decision, self.state = decide(
                now, deadlines, self.rate.at(now), self.costs, self.policy, self.state
            )
            bits, most = decision.width, decision.batch
        taken: list[Request] = []
        items = 0
        for request in self.waiting:
            same = request.wanted == first.wanted and request.kind == first.kind
            if same and (not taken or (request.kind is not None and items + request.items <= most)):
                taken.append(request)
                items += request.items
            if items >= most:
                break
        for request in taken:
            self.remove(request)
        return Batch(taken, bits)

    def ran(self, batch: Batch, seconds: float) -> None:
        """What a run took, for the next decisions."""
        if batch.bits is not None and batch.bits in self.costs and batch.requests[0].wanted.is_free:
            self.costs = self.costs.updated(batch.bits, max(1, batch.items), seconds)

