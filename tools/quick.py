"""A clock that never waits, for tests and chaos; and the command `source-streak` with it.

    python -m quick read --config … --catalog …

Each thread has a time of its own, which advances when the thread sleeps.
"""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from typing import NoReturn

from source_streak.api.clock import Clock


class QuickClock(Clock):
    """`hours`: how far ahead of the machine's the clock is; `speed`: how much faster it goes."""

    def __init__(self, hours: float = 0.0, speed: float = 1.0) -> None:
        self.hours, self.speed = hours, speed
        self.longest = 0.0  # seconds that any thread has slept in all
        self._began = time.monotonic()
        self._mine = threading.local()

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead

    def real(self, seconds: float) -> float:
        return seconds / self.speed

    def sleep(self, seconds: float) -> None:
        self._mine.slept = self._slept + seconds
        self.longest = max(self.longest, self._mine.slept)

    def now(self) -> int:
        return time.time_ns() // 1_000_000 + round((self.hours * 3600 + self._ahead) * 1000)

    @property
    def _ahead(self) -> float:
        return (time.monotonic() - self._began) * (self.speed - 1) + self._slept

    @property
    def _slept(self) -> float:
        return float(getattr(self._mine, "slept", 0.0))


class HurryingClock(QuickClock):
    """`step` seconds pass at each look of the thread that made it, which does the reading."""

    def __init__(self, step: float) -> None:
        super().__init__()
        self.seconds = 0.0
        self._step, self._reader = step, threading.get_ident()

    def monotonic(self) -> float:
        if threading.get_ident() == self._reader:
            self.seconds += self._step
            return self.seconds
        return super().monotonic()


class StoppedClock(QuickClock):
    """Stands still at a time, in epoch milliseconds."""

    def __init__(self, milliseconds: int) -> None:
        super().__init__()
        self._milliseconds = milliseconds

    def now(self) -> int:
        return self._milliseconds


def main(arguments: list[str] | None = None) -> NoReturn:
    """The command with such a clock.

    The environment sets it: QUICK_HOURS and QUICK_SPEED, or QUICK_STEP for a HurryingClock.
    """
    from source_streak import SourceStreak, command
    from source_streak.run import run

    step = _number("STEP", 0)
    clock = HurryingClock(step) if step else QuickClock(_number("HOURS", 0), _number("SPEED", 1))
    command.SourceStreak = partial(SourceStreak, clock)  # type: ignore[assignment, misc]
    run(arguments)


def _number(name: str, default: float) -> float:
    return float(os.environ.get(f"QUICK_{name}", default))


if __name__ == "__main__":
    main()
