"""One request budget for a whole sync or check, shared by all threads, streams and retries.

https://streak.readme.io/reference/frequently-asked-questions: Streak allows 20 requests a second,
and asks to be told about more than 10.
"""

from __future__ import annotations

import math
import threading
from datetime import timezone
from email.utils import parsedate_to_datetime

from source_streak.api.clock import Clock

WIDER = 1.02  # times the gap that the rate allows: 2 % for the jitter between here and the server
LATE = 0.005  # seconds that a request may take from its slot to the wire
LONGEST_GUESS = 60.0  # seconds to pause after a 429 that names no time
LONGEST_PAUSE = 3600.0  # seconds, even if a 429 names a longer pause
SLOWEST = 8.0  # times the normal gap, at most
SLOW_FOR = 60.0  # seconds after which the pace doubles again


class Budget:
    """Hands out slots for requests: at most `rate` in a second, and none during a pause."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._gap = WIDER / rate
        self._clock = clock
        self._slot = threading.Lock()  # held while waiting: no other thread wakes in vain
        self._facts = threading.Lock()
        self._next = 0.0  # the earliest moment of the next request
        self._resume = 0.0  # no request before this one
        self._resume_at = 0  # the same in epoch milliseconds
        self._slowness = 1.0
        self._slow_until = 0.0
        self._limited = 0  # 429s in a row

    def acquire(self, through_pause: bool = False) -> float:
        """Wait for a slot, and return its time. `through_pause`: the caller waits out pauses."""
        with self._slot:
            while (wait := self._earliest(through_pause) - self._clock.monotonic()) > 0:
                self._clock.sleep(wait)
            now = self._clock.monotonic()
            with self._facts:
                self._next = now + self._gap * self._pace(now)
            return now

    def on_the_wire(self) -> None:
        """Note that a request has just been written.

        If it was held up since its slot (by a handshake or a busy machine), the next slot is
        put off: otherwise both requests would arrive together.
        """
        with self._facts:
            earliest = self._clock.monotonic() + self._gap * self._slowness - LATE
            self._next = max(self._next, earliest)

    def note_answer(self, slot: float, status: int, retry_after: str | None = None) -> None:
        """Learn from the answer to the request of this slot. `retry_after`: the header.

        A 429 pauses all requests, and halves the pace for a while.
        """
        with self._facts:
            first_of_its_kind = slot >= self._resume  # not under way when the pause began
            if status != 429:
                self._limited = 0 if first_of_its_kind else self._limited
                return
            if first_of_its_kind:
                self._limited += 1
                self._slowness = min(self._slowness * 2, SLOWEST)
            wait = seconds_of(retry_after, self._clock.now())
            if wait is None:
                guess = min(2.0 ** (self._limited - 1), LONGEST_GUESS)
                wait = guess if first_of_its_kind else 0.0
            self._stop_for(min(wait, LONGEST_PAUSE))

    @property
    def pause(self) -> float:
        """Seconds that are left of a pause that Streak asked for; 0 if there is none."""
        return max(0.0, self._resume - self._clock.monotonic())

    @property
    def paused_until(self) -> int | None:
        """The end of the pause in epoch milliseconds; None if there is none."""
        return self._resume_at if self.pause else None

    def _earliest(self, through_pause: bool) -> float:
        return self._next if through_pause else max(self._next, self._resume)

    def _stop_for(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        if until > self._resume:
            self._resume, self._resume_at = until, self._clock.now() + round(seconds * 1000)
        self._slow_until = self._resume + SLOW_FOR

    def _pace(self, now: float) -> float:
        if self._slowness > 1 and now > self._slow_until:
            self._slowness /= 2
            self._slow_until = now + SLOW_FOR
        return self._slowness


def seconds_of(retry_after: str | None, now: int) -> float | None:
    """What a Retry-After asks for, in seconds from `now` (epoch milliseconds); None: nothing.

    urllib3's own parser reads the machine's clock, and rejects a fraction of a second.
    """
    text = (retry_after or "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
            date = date if date.tzinfo else date.replace(tzinfo=timezone.utc)
            return max(0.0, date.timestamp() - now / 1000)
        except (ValueError, OverflowError, TypeError):
            return None
    return None if math.isnan(seconds) or seconds < 0 else seconds
