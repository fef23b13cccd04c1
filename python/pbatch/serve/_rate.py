"""How many items arrive a second."""

from __future__ import annotations

from collections import deque


class Rate:
    """Arrivals of the last ``seconds``, over that time; of a shorter time where the first came
    later."""

    def __init__(self, seconds: float = 1.0) -> None:
        self._seconds = seconds
        self._arrivals: deque[tuple[float, int]] = deque()
        self._items = 0
        self._first: float | None = None

    def add(self, now: float, items: int = 1) -> None:
        if self._first is None:
            self._first = now
        self._arrivals.append((now, items))
        self._items += items

    def at(self, now: float) -> float:
        while self._arrivals and self._arrivals[0][0] <= now - self._seconds:
            self._items -= self._arrivals.popleft()[1]
        if self._first is None:
            return 0.0
        # A tenth at least, so that the first few arrivals are no rush.
        return self._items / min(self._seconds, max(now - self._first, self._seconds / 10))
