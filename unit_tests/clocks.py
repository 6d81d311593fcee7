"""A clock that the tests drive: `sleep` moves its time on, and no test waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

from source_streak.api.clock import Clock

START = 1000.0
NOON = 1_790_000_000_000 - 1_790_000_000_000 % 86_400_000 + 43_200_000  # Mon, 21 Sep 2026 12:00


class FakeClock(Clock):
    """One time for all threads, which passes when one of them sleeps."""

    def __init__(self, slept: Callable[[float], float] = lambda seconds: seconds) -> None:
        """`slept`: from the seconds that a thread wants to sleep to those that it really sleeps."""
        self.time = START
        self.sleeps: list[float] = []
        self.on_sleep: Callable[[], None] = lambda: None
        self._slept = slept
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        if seconds:
            self.go(max(0.001, self._slept(seconds)))
            self.sleeps.append(seconds)
            self.on_sleep()

    def now(self) -> int:
        return NOON + round((self.time - START) * 1000)

    def go(self, seconds: float) -> None:
        """Let this much time pass without a sleep."""
        with self._lock:
            self.time += seconds
