"""What is timed in turns: a call, hot or cold."""

import time

import numpy as np

COLD_BYTES = 300_000_000
MAX_COLD_COPIES = 2500      # more take minutes to load
EVICT_BYTES = 1_000_000_000
PAUSE = 0.15                # threads that spin for a while fall asleep in it


def fill_caches(_bytes=[]):  # noqa: B006: allocated once, when first needed
    """Reads more than any cache holds."""
    if not _bytes:
        _bytes.append(np.ones(EVICT_BYTES // 8))
    return _bytes[0].sum()


class TooSmall(Exception):
    """Cold weights of this matrix would be too many copies."""


class Contender:
    """One operator on one shape. Hot: one product a call, less what a call costs. Cold: one call goes
    through COLD_BYTES of equal matrices. Of subclasses: `bytes` before this constructor, and run()."""

    def __init__(self, threads, cold, call_us):
        self.threads, self.call_us = threads, call_us
        self.copies = -(-COLD_BYTES // self.bytes) if cold else 1
        if self.copies > MAX_COLD_COPIES:
            raise TooSmall(f"{self.bytes} bytes of weights are too few to be cold")
        self.samples = []

    def time_us(self):
        begin = time.perf_counter_ns()
        self.run()
        return (time.perf_counter_ns() - begin) / 1e3

    def take_turn(self, seconds):
        """One untimed call, then timed ones for about `seconds`; samples are of one product. Cold: the
        caches are filled with something else before each call."""
        if self.threads > 1:
            time.sleep(PAUSE)
        if self.copies == 1:
            self.run()
        end = time.perf_counter() + seconds
        while True:
            if self.copies > 1:
                fill_caches()
            us = max(self.time_us() - self.call_us, 0.0)
            self.samples.append(us / self.copies)
            if time.perf_counter() >= end:
                break

    def take_result(self):
        """(min, median) in microseconds of all turns since the last time."""
        samples, self.samples = self.samples, []
        return min(samples), float(np.median(samples))
