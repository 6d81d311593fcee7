"""What a person reads while a long stream is under way: a line every half minute, in words."""

from __future__ import annotations

import time
from collections.abc import Callable

import pendulum

EVERY = 30.0  # seconds


class Progress:
    """Counts what one stream has done, and says so from time to time."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.records = 0
        self.done = 0  # of the things (boxes, pipelines, teams) that are asked one by one
        self.of: int | None = None
        self.things = ""
        self._say, self._clock = say, clock
        self._started = self._last = clock()

    def begin(self, things: str, of: int | None) -> None:
        """What is asked one by one from now on, and how many there are."""
        self.things, self.of = things, of
        self._started = self._last = self._clock()

    def tick(self, waiting_for: str = "") -> None:
        """To be called often; speaks at most every half minute."""
        now = self._clock()
        if now - self._last >= EVERY:
            self._last = now
            self._say(self.sentence(now, waiting_for))

    def sentence(self, now: float, waiting_for: str = "") -> str:
        if waiting_for:
            return f"{waiting_for}; {self.records:,} records so far."
        if not self.of:
            return f"{self.records:,} records so far."
        left = (now - self._started) / self.done * (self.of - self.done) if self.done else None
        still = f" About {pendulum.duration(seconds=max(1, round(left))).in_words()} still." if left is not None else ""
        return f"{self.done:,} of {self.of:,} {self.things} read, {self.records:,} records so far.{still}"
