"""Prometheus metrics, and the same numbers for the status page."""

from __future__ import annotations

import functools
import time
from collections import deque
from typing import Any

import prometheus_client as prometheus

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Metrics:
    def __init__(self) -> None:
        self.registry = prometheus.CollectorRegistry()
        self._latency = prometheus.Histogram(
            "pbatch_request_seconds", "From arrival to answer, by width", ["model", "bits"],
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self._items = prometheus.Counter(
            "pbatch_items", "Items answered, by width", ["model", "bits"], registry=self.registry
        )
        self._waiting = prometheus.Gauge(
            "pbatch_waiting_items", "Items that wait", ["model"], registry=self.registry
        )
        self._width = prometheus.Gauge(
            "pbatch_width_bits", "Width of the last run; 0: a cascade", ["model"],
            registry=self.registry,
        )  # fmt: skip
        self._dropped = prometheus.Counter(
            "pbatch_dropped_requests", "Requests without an answer: full, deadline, gone",
            ["model", "reason"], registry=self.registry,
        )  # fmt: skip
        self._recent: dict[str, deque[tuple[float, float, str]]] = {}
        # Looking a label up takes as long as a small run.
        self._of_width = functools.lru_cache(256)(
            lambda model, bits: (self._latency.labels(model, bits), self._items.labels(model, bits))
        )
        self._of_model = functools.lru_cache(256)(
            lambda model: (self._waiting.labels(model), self._width.labels(model))
        )

    def answered(self, model: str, bits: str, seconds: float, items: int) -> None:
        latency, count = self._of_width(model, bits)
        latency.observe(seconds)
        count.inc(items)
        self._recent.setdefault(model, deque(maxlen=4096)).append((time.monotonic(), seconds, bits))

    def queue(self, model: str, items: int) -> None:
        self._of_model(model)[0].set(items)

    def width(self, model: str, bits: int) -> None:
        self._of_model(model)[1].set(bits)

    def dropped(self, model: str, reason: str) -> None:
        self._dropped.labels(model, reason).inc()

    def text(self) -> bytes:
        text: bytes = prometheus.generate_latest(self.registry)
        return text

    def recent(self, model: str, seconds: float = 10.0) -> dict[str, Any]:
        """Of the last seconds: requests, the median and the 99th percentile in milliseconds."""
        since = time.monotonic() - seconds
        latencies = sorted(s for at, s, _ in self._recent.get(model, ()) if at >= since)
        if not latencies:
            return {"requests_per_second": 0.0, "p50_ms": None, "p99_ms": None}
        last = len(latencies) - 1
        return {
            "requests_per_second": len(latencies) / seconds,
            "p50_ms": 1000 * latencies[round(0.5 * last)],
            "p99_ms": 1000 * latencies[round(0.99 * last)],
        }


METRICS = Metrics()
