"""Clocks that a test drives: time goes by when somebody sleeps, looks, or says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

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
    """Whoever looks at it loses so many seconds, but for the thread that made it.

    A piece of an answer takes two looks.
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
    """For the thread that made it, the reader, time moves in steps while something takes time.

    After each step the reader has to be back from whatever it does about it, so that the moment of
    each message is known. What is slept counts for all threads, what `passes` for the reader alone.
    """

    STEP = 10.0  # seconds
    PATIENCE = 10.0  # real seconds; a reader that has finished waits for nothing any more

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
        """Until the work is done, or the clock has moved by so much."""
        with self._changed:
            until = self._waits_until = self.seconds + seconds
            self._changed.notify_all()
        work.add_done_callback(self._notify)
        with self._changed:
            self._changed.wait_for(lambda: work.done() or self.seconds >= until)
            self._waits_until = None
        return work.done()

    def passes(self, seconds: float) -> None:
        """In a thread that is not the reader's: something takes so long."""
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
