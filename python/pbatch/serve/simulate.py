"""The controller on arrivals made up beforehand: to try a policy before it meets traffic.

One run at a time, as one replica has it. Time is simulated; nothing is run.
"""

from __future__ import annotations

import bisect
import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ._controller import Costs, Decision, Policy, State, decide
from ._rate import Rate


@dataclass(frozen=True)
class Answer:
    """One request: when it came, when its run began and ended, and at which width."""

    arrived: float
    began: float
    done: float
    width: int
    batch: int

    @property
    def latency(self) -> float:
        return self.done - self.arrived


def simulate(
    arrivals: Sequence[float],
    costs: Costs,
    policy: Policy,
    *,
    true_costs: Costs | None = None,
    noise: Callable[[], float] = lambda: 1.0,
) -> list[Answer]:
    """What becomes of requests that arrive at these times, ascending: one Answer for each.

    Runs take ``true_costs``, which are ``costs`` unless given, times ``noise()``; the controller
    starts with ``costs`` and learns from what it sees, as the server does.
    """
    taken = costs if true_costs is None else true_costs
    state, rate, now, came = State(policy.ceiling), Rate(), 0.0, 0
    waiting: list[float] = []  # in the order of deadlines, which is that of arrivals
    answers: list[Answer] = []
    while came < len(arrivals) or waiting:
        if not waiting:
            now = max(now, arrivals[came])
        while came < len(arrivals) and arrivals[came] <= now:
            waiting.append(arrivals[came])
            rate.add(arrivals[came])
            came += 1
        deadlines = [a + policy.target for a in waiting]
        decision, state = decide(now, deadlines, rate.at(now), costs, policy, state)
        seconds = taken.seconds(decision.width, decision.batch) * noise()
        costs = costs.updated(decision.width, decision.batch, seconds)
        end = now + seconds
        for arrived in waiting[: decision.batch]:
            answers.append(Answer(arrived, now, end, decision.width, decision.batch))
        del waiting[: decision.batch]
        now = end
    return answers


def fixed(width: int, policy: Policy) -> Policy:
    """The same without a choice."""
    return Policy(policy.target, width, width, policy.max_batch, policy.hold, policy.load,
                  policy.slack)  # fmt: skip


def poisson(rate: Callable[[float], float], most: float, seconds: float, seed: int) -> list[float]:
    """Open-loop Poisson arrivals of a rate that changes, at most ``most`` (thinning: Lewis and
    Shedler, Naval Research Logistics Quarterly 26, 1979)."""
    chance = random.Random(seed)
    arrivals: list[float] = []
    at = 0.0
    while True:
        at += chance.expovariate(most)
        if at >= seconds:
            return arrivals
        if chance.random() * most < rate(at):
            arrivals.append(at)


def heavy_tailed(rate: float, shape: float, seconds: float, seed: int) -> list[float]:
    """Arrivals whose distances are Pareto distributed with this shape, above 1: clumps and gaps."""
    chance = random.Random(seed)
    least = (shape - 1) / shape / rate
    arrivals: list[float] = []
    at = 0.0
    while True:
        at += least * chance.paretovariate(shape)
        if at >= seconds:
            return arrivals
        arrivals.append(at)


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that so many do not exceed; NaN of none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def between(answers: Sequence[Answer], begin: float, end: float) -> Iterator[Answer]:
    """Those that arrived from ``begin`` to before ``end``; answers are in the order of arrival."""
    times = [a.arrived for a in answers]
    yield from answers[bisect.bisect_left(times, begin) : bisect.bisect_left(times, end)]


__all__ = [
    "Answer", "Costs", "Decision", "Policy", "State", "between", "fixed", "heavy_tailed",
    "percentile", "poisson", "simulate",
]  # fmt: skip
