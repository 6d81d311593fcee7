"""Time, in one place: tests hand in a clock that sleeps without waiting."""

from __future__ import annotations

import time
from concurrent.futures import Future, wait
from typing import Any


class Clock:
    """The machine's own. Nothing else in the package asks for the time, sleeps or waits."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)

    def wait(self, work: Future[Any], seconds: float) -> bool:
        """Block this thread until another's work is done, but no longer than that.

        Returns whether it is done.
        """
        return bool(wait([work], self.real(seconds)).done)

    def real(self, seconds: float) -> float:
        """How many of the machine's own seconds these are: sockets know no other clock."""
        return seconds

    def now(self) -> int:
        """Milliseconds since 1970, as Streak's own times are."""
        return time.time_ns() // 1_000_000
