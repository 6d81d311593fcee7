"""Time, in one place: tests hand in a clock that sleeps without waiting."""

from __future__ import annotations

import time
from concurrent.futures import Future, wait
from typing import Any


class Clock:
    """The machine's clock. Nothing else in the package reads the time, sleeps or waits."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)

    def wait(self, work: Future[Any], seconds: float) -> bool:
        """Block this thread until the work of another thread is done, or the time is up.

        Returns whether it is done.
        """
        return bool(wait([work], self.real(seconds)).done)

    def real(self, seconds: float) -> float:
        """Convert to seconds of the machine's clock, the only one that sockets know."""
        return seconds

    def now(self) -> int:
        """Epoch milliseconds, as in Streak's own timestamps."""
        return time.time_ns() // 1_000_000
