"""Which width and batch the next run has: a pure function of times, queue, deadlines and target.

Precision is an argument of a run, so a server can give up bits within one request, where another
replica takes seconds. ``decide`` is called whenever the server is free and somebody waits. It takes
the widest width that keeps the target for all that wait and has room for what arrives; it narrows at
once and widens one step at a time, after the wider width would have done for a while.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


#: Of those that wait, how many a decision looks at; what is behind them shows as they are answered.
LOOKAHEAD = 512


class _Row:
    """Times of one width at batches, sorted; not empty. Immutable; what follows from them is kept."""

    def __init__(self, times: Mapping[int, float]) -> None:
        self.times = dict(sorted(times.items()))
        self._seconds: dict[int, float] = {}
        self._capacity: dict[int, float] = {}

    def seconds(self, batch: int) -> float:
        if batch not in self._seconds:
            self._seconds[batch] = self._interpolate(list(self.times.items()), batch)
        return self._seconds[batch]

    @staticmethod
    def _interpolate(known: list[tuple[int, float]], batch: int) -> float:
        least, seconds = known[0]
        if batch <= least:
            return seconds
        if len(known) == 1:
            return seconds * batch / least
        at = next((i for i, (b, _) in enumerate(known[1:-1], 1) if batch <= b), len(known) - 1)
        (b0, t0), (b1, t1) = known[at - 1 : at + 1]
        return t0 + (t1 - t0) * (batch - b0) / (b1 - b0)

    def capacity(self, most: int) -> float:
        if most not in self._capacity:
            # Between measured batches items a second only grow, or only fall.
            ends = {most, *(b for b in self.times if b < most)}
            self._capacity[most] = max(b / self.seconds(b) for b in ends)
        return self._capacity[most]


class Costs:
    """Seconds of a run: ``times[width][batch]``, as measured, at one batch or more for each width.

    Between two batches times are interpolated, beyond the last they go on as between the last two;
    of a single batch they are proportional to it. Immutable.
    """

    def __init__(self, times: Mapping[int, Mapping[int, float] | _Row]) -> None:
        self._rows = {
            w: row if isinstance(row, _Row) else _Row(row) for w, row in sorted(times.items())
        }
        self.widths = list(self._rows)

    @property
    def times(self) -> dict[int, dict[int, float]]:
        return {w: row.times for w, row in self._rows.items()}

    def __contains__(self, width: int | None) -> bool:
        return width in self._rows

    def seconds(self, width: int, batch: int) -> float:
        return self._rows[width].seconds(batch)

    def capacity(self, width: int, most: int) -> float:
        """Items a second with the best batch of at most ``most``."""
        return self._rows[width].capacity(most)

    def updated(self, width: int, batch: int, seconds: float, weight: float = 0.1) -> Costs:
        """With one more measurement: a moving average at batches that are powers of two."""
        row = self._rows[width]
        nearest = 1 << max(0, round(math.log2(batch)))
        scaled = seconds * row.seconds(nearest) / row.seconds(batch)
        average = (1 - weight) * row.seconds(nearest) + weight * scaled
        return Costs({**self._rows, width: _Row({**row.times, nearest: average})})


@dataclass(frozen=True)
class Policy:
    """What the caller wants.

    Attributes:
        target: seconds from arrival to answer that requests without a deadline shall take at most.
        floor, ceiling: the least and the greatest width.
        max_batch: items of a run at most.
        hold: seconds for which a wider width must have done before it is taken again.
        load: share of a width's capacity that arrivals may take.
        slack: share of the target that a wider width may take to be taken again.
    """

    target: float
    floor: int
    ceiling: int
    max_batch: int = 16
    hold: float = 1.0
    load: float = 0.85
    slack: float = 0.7


@dataclass(frozen=True)
class State:
    """What is kept from one decision to the next; before the first: the ceiling."""

    width: int
    calm_since: float | None = None  #: since when the next wider width would have done, if it would


@dataclass(frozen=True)
class Decision:
    width: int
    batch: int


def batch_of(
    now: float, deadlines: Sequence[float], width: int, costs: Costs, policy: Policy
) -> int:
    """Items of the next run at a width: as many as wait, but no more than the first deadline allows
    and no more than pays. ``deadlines`` is sorted and not empty."""
    most = min(len(deadlines), policy.max_batch)
    batch = most
    while batch > 1 and now + costs.seconds(width, batch) > deadlines[0]:
        batch -= 1
    # A first deadline that cannot be kept anyway is no reason to go slowly with the others.
    if now + costs.seconds(width, batch) > deadlines[0]:
        batch = most
    return batch


def keeps(
    now: float,
    deadlines: Sequence[float],
    rate: float,
    width: int,
    costs: Costs,
    policy: Policy,
    share: float = 1.0,
) -> bool:
    """Whether a width answers all that wait in time, with ``share`` of the time they have left, and
    keeps up with ``rate`` arrivals a second."""
    if rate > policy.load * share * costs.capacity(width, policy.max_batch):
        return False
    done, at = 0, now
    while done < len(deadlines):
        batch = batch_of(at, deadlines[done:], width, costs, policy)
        at += costs.seconds(width, batch)
        if at - now > share * (deadlines[done] - now):
            return False
        done += batch
    return True


def decide(
    now: float,
    deadlines: Sequence[float],
    rate: float,
    costs: Costs,
    policy: Policy,
    state: State,
) -> tuple[Decision, State]:
    """The width and batch of the next run, and what to keep.

    Args:
        now: seconds, of any clock that only goes forward.
        deadlines: of all that wait, sorted, of the same clock; not empty.
        rate: items that arrive a second.
    """
    widths = [w for w in costs.widths if policy.floor <= w <= policy.ceiling]
    if len(widths) == 1:
        return Decision(widths[0], batch_of(now, deadlines, widths[0], costs, policy)), state
    deadlines = deadlines[:LOOKAHEAD]
    current = max((w for w in widths if w <= state.width), default=widths[0])
    narrower = (w for w in reversed(widths) if w <= current)
    width = next(
        (w for w in narrower if keeps(now, deadlines, rate, w, costs, policy)), widths[0]
    )
    if width < current:
        state = State(width)
    else:
        wider = min((w for w in widths if w > width), default=width)
        calm = wider > width and keeps(now, deadlines, rate, wider, costs, policy, policy.slack)
        since = (now if state.calm_since is None else state.calm_since) if calm else None
        if since is not None and now - since >= policy.hold:
            width, since = wider, None
        state = State(width, since)
    return Decision(width, batch_of(now, deadlines, width, costs, policy)), state
