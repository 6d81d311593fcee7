"""What a stream reports while time passes: log lines, state, and waits that Streak asks for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple, TypeVar

import pendulum

from source_streak.api.account import Account

T = TypeVar("T")
LOOK_EVERY = 0.5  # seconds between two looks at the clock
SAY_EVERY = 30.0  # seconds between two lines in the log
# Seconds. State is written early, so that a sync that is cut off soon was not in vain.
FIRST_STATE, LONGEST_WITHOUT_STATE = 4.0, 60.0


class Signal(Enum):
    """What a reading yields between records."""

    CHECKPOINT = "write state: it covers the records so far, and no others"
    RESUMED = "the wait that Streak asked for is over"


class Limited(NamedTuple):
    """All requests wait until `until` (epoch milliseconds), because Streak asked for it."""

    until: int


Record = dict[str, Any]
Item = Record | Signal | Limited


class Heartbeat:
    """Counts, logs and signals the progress of one stream. Used by one thread."""

    def __init__(self, account: Account, log: logging.Logger) -> None:
        self.records = 0
        self.done = 0  # parents that were read, refused or skipped
        self._account, self._clock, self._log = account, account.clock, log
        self._things, self._total = "", 0
        self._started = self._said = self._stated = self._clock.monotonic()
        self._interval = FIRST_STATE
        self._next_look = float("-inf")
        self._limited_until: int | None = None  # as last reported

    def begin(self, things: str, total: int) -> None:
        """Begin to report on `things` (such as "boxes"), of which there are `total`."""
        self._things, self._total = things, total
        self._started = self._said = self._clock.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether it is time to call `beat`. Cheap, so it may be asked often."""
        return self._clock.monotonic() >= self._next_look

    def beat(self, waiting_for: str = "") -> Iterator[Item]:
        """Log a line every half minute. Yield a checkpoint every minute, and Streak's waits."""
        now = self._clock.monotonic()
        self._next_look = now + LOOK_EVERY
        if now - self._said >= SAY_EVERY:
            self._said = now
            self._log.info(self.sentence(now, waiting_for))
        yield from self._waits()
        if now - self._stated >= self._interval:
            self._interval = min(2 * self._interval, LONGEST_WITHOUT_STATE)
            yield self.checkpoint()

    def _waits(self) -> Iterator[Item]:
        """Report when a wait begins or ends. One that directly follows another is reported anew."""
        until, told = self._account.client.rate_limited_until, self._limited_until
        if until is None and told is not None:
            self._limited_until = None
            yield Signal.RESUMED
        elif until is not None and (told is None or self._clock.now() >= told):
            self._limited_until = until
            yield Limited(until)

    def end(self) -> Iterator[Item]:
        """End a reported wait, because the stream ends."""
        if self._limited_until is not None:
            self._limited_until = None
            yield Signal.RESUMED

    def checkpoint(self) -> Signal:
        """The signal to write state now. Restarts the time until the next one."""
        self._stated = self._clock.monotonic()
        return Signal.CHECKPOINT

    def wait_for(self, work: Callable[[], T]) -> Generator[Item, None, T]:
        """Do blocking work in another thread. This one goes on beating and can be interrupted."""
        future = self._account.background.submit(work)
        while not self._clock.wait(future, LOOK_EVERY):
            listed = self._account.rows_listed()
            yield from self.beat(
                f"Listing, {listed:,} rows so far" if listed else "Waiting for Streak"
            )
        return future.result()

    def sentence(self, now: float, waiting_for: str = "") -> str:
        """How far the stream has come, for the log.

        `120 of 400 boxes read, 3,000 records so far. About 2 minutes to go.`
        """
        if waiting_for:
            return f"{waiting_for}; {self.records:,} records so far."
        if not self._total:
            return f"{self.records:,} records so far."
        left = (now - self._started) / self.done * (self._total - self.done) if self.done else None
        to_go = (
            f" About {pendulum.duration(seconds=max(1, round(left))).in_words()} to go."
            if left is not None
            else ""
        )
        read = f"{self.done:,} of {self._total:,} {self._things} read"
        return f"{read}, {self.records:,} records so far.{to_go}"


def names(counts: Mapping[str, int]) -> str:
    """The counted names, sorted, for a log line."""
    return ", ".join(sorted(counts))
