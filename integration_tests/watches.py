"""Clocks that a test drives: time goes by when somebody sleeps, looks, or says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from quick import QuickClock

from source_streak.api.clock import Clock


class OneClock(Clock):
    """The same time for all threads. It goes by when one of them sleeps, and at each `go`."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._moving = threading.Lock()

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.go(seconds)

    def now(self) -> int:
        return time.time_ns() // 1_000_000 + round(self.seconds * 1000)

    def go(self, seconds: float) -> None:
        """So much time goes by."""
        with self._moving:
            self.seconds += seconds


class ListeningClock(QuickClock):
    """`on_sleep` hears how long a thread has slept in all, each time that it sleeps."""

    def __init__(self) -> None:
        super().__init__()
        self.on_sleep: Callable[[float], None] = lambda slept: None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.on_sleep(self._slept)


class WornClock(QuickClock):
    """Whoever looks at it loses so many seconds: a piece of an answer takes two looks."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def monotonic(self) -> float:
        self.sleep(self._seconds)
        return super().monotonic()
