"""One budget of requests for a whole sync: all threads and streams, retries and check included.

https://streak.readme.io/reference/frequently-asked-questions: Streak asks to be told above 10 requests a second and allows 20.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from airbyte_cdk.sources.streams.call_rate import AbstractAPIBudget

WIDER = 1.02  # than the rate says: leaves 2 % of each second for the jitter between here and the server
LATE = 0.005  # seconds from its turn to the wire that a request may take
LONGEST_GUESS = 60.0  # seconds; a 429 that names no time
LONGEST_PAUSE = 3600.0  # seconds; a 429 that names a longer one is asked again after this
SLOWEST = 8.0  # times the normal gap
SLOW_FOR = 60.0  # seconds after which the pace doubles again


class Budget(AbstractAPIBudget):
    """Hands out turns on one time line: never more than `rate` in any second, and none during a pause."""

    def __init__(
        self,
        rate: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._gap = WIDER / rate
        self._clock, self._sleep, self._wall_clock = clock, sleep, wall_clock
        self._turn = threading.Lock()  # held while waiting: the others queue behind, and none wakes in vain
        self._facts = threading.Lock()
        self._next = 0.0  # the earliest moment of the next request
        self._resume = 0.0  # no request before this one
        self._slowness = 1.0
        self._slow_until = 0.0
        self._limited = 0  # 429s in a row
        self._sent: dict[int, float] = {}  # thread -> when its request was let go

    def acquire_call(self, request: Any, block: bool = True, timeout: float | None = None) -> None:
        """Wait for this thread's turn."""
        with self._turn:
            while (wait := max(self._next, self._resume) - self._clock()) > 0:
                self._sleep(wait)
            now = self._clock()
            with self._facts:
                self._next = now + self._gap * self._pace(now)
            self._sent[threading.get_ident()] = now

    def on_the_wire(self) -> None:
        """A request has just been written.

        One that was held up since its turn (by a handshake, by a busy machine) takes the next one's place: both would arrive together.
        """
        with self._facts:
            self._next = max(self._next, self._clock() + self._gap * self._slowness - LATE)

    def update_from_response(self, request: Any, response: Any) -> None:
        """Learn from an answer: a 429 stops everybody and halves the pace for a while."""
        with self._facts:
            now = self._clock()
            first_of_its_kind = self._sent.get(threading.get_ident(), now) >= self._resume
            if response.status_code != 429:
                self._limited = 0 if first_of_its_kind else self._limited
                return
            if first_of_its_kind:  # not one of those that were under way when the pause began
                self._limited += 1
                self._slowness = min(self._slowness * 2, SLOWEST)
            wait = self._retry_after(response.headers.get("Retry-After"))
            if wait is None and first_of_its_kind:
                wait = min(2.0 ** (self._limited - 1), LONGEST_GUESS)
            self._resume = max(self._resume, now + min(wait or 0.0, LONGEST_PAUSE))
            self._slow_until = self._resume + SLOW_FOR

    def get_matching_policy(self, request: Any) -> None:
        """One policy for everything; the framework asks for the sake of its own budgets."""

    @property
    def pause(self) -> float:
        """Seconds for which nothing will be asked, because Streak said so."""
        return max(0.0, self._resume - self._clock())

    def _pace(self, now: float) -> float:
        if self._slowness > 1 and now > self._slow_until:
            self._slowness /= 2
            self._slow_until = now + SLOW_FOR
        return self._slowness

    def _retry_after(self, header: str | None) -> float | None:
        """Seconds from now: the header is a number of them or an HTTP date; None where there is neither."""
        if not header:
            return None
        if header.strip().isdecimal():
            return float(header)
        try:
            until = parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return None
        until = until if until.tzinfo else until.replace(tzinfo=timezone.utc)
        return max(0.0, (until - self._wall_clock()).total_seconds())
