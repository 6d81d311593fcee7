"""Time, in one place: tests hand in a clock that sleeps without waiting."""

from __future__ import annotations

import time


class Clock:
    """The machine's own. Nothing else in the package asks for the time or sleeps."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(seconds)

    def now(self) -> int:
        """Milliseconds since 1970, as Streak's own times are."""
        return time.time_ns() // 1_000_000
