"""Clocks that a test controls: time passes when a thread sleeps or looks, or when told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from quick import QuickClock

from source_streak.api.clock import Clock


class OneClock(Clock):
    """The same time for all threads. It passes when one of them sleeps, and at each `go`."""

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
        """Let so many seconds pass."""
        with self._moving:
            self.seconds += seconds


class ListeningClock(QuickClock):
    """Calls `on_sleep` at each sleep, with the seconds that the thread has slept in all."""

    def __init__(self) -> None:
        super().__init__()
        self.on_sleep: Callable[[float], None] = lambda slept: None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.on_sleep(self._slept)


class WornClock(QuickClock):
    """Each look costs so many seconds, except in the thread that made the clock.

    A piece of a response takes two looks.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds, self._reader = seconds, threading.get_ident()

    def monotonic(self) -> float:
        if threading.get_ident() != self._reader:
            self.sleep(self._seconds)
        return super().monotonic()

    def now(self) -> int:
        return time.time_ns() // 1_000_000


class SteppingClock(QuickClock):
    """For the reader, the thread that made it, time moves in steps while something takes time.

    After each step the clock waits until the reader has reacted to it, so that the time of each
    message is known. Sleeping counts for all threads, `passes` only for the reader.
    """

    STEP = 10.0  # seconds
    PATIENCE = 10.0  # real seconds to wait for a reader, which may have finished

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0  # of the reader
        self._slept_by_all, self._started_at = 0.0, time.time()
        self._reader = threading.get_ident()
        self._waits_until: float | None = None
        self._changed, self._moving = threading.Condition(), threading.Lock()

    def monotonic(self) -> float:
        if threading.get_ident() == self._reader:
            return self._began + self.seconds
        return time.monotonic() + self._slept_by_all

    def now(self) -> int:
        if threading.get_ident() == self._reader:
            return round((self._started_at + self.seconds) * 1000)
        return round((time.time() + self._slept_by_all) * 1000)

    def sleep(self, seconds: float) -> None:
        self._slept_by_all += seconds
        self.passes(seconds)

    def wait(self, work: Future[Any], seconds: float) -> bool:
        """Wait until the work is done or so many seconds have passed by this clock."""
        with self._changed:
            until = self._waits_until = self.seconds + seconds
            self._changed.notify_all()
        work.add_done_callback(self._notify)
        with self._changed:
            self._changed.wait_for(lambda: work.done() or self.seconds >= until)
            self._waits_until = None
        return work.done()

    def passes(self, seconds: float) -> None:
        """Let so many seconds pass for the reader; called in another thread."""
        with self._moving:
            until = self.seconds + seconds
            while self.seconds < until:
                with self._changed:
                    self.seconds = min(self.seconds + self.STEP, until)
                    self._changed.notify_all()
                    self._changed.wait_for(self._has_seen, self.PATIENCE)

    def _has_seen(self) -> bool:
        return self._waits_until is not None and self._waits_until > self.seconds

    def _notify(self, _: object) -> None:
        with self._changed:
            self._changed.notify_all()
