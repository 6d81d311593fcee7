"""Answers that wait until state with their rows' keys has gone out: keys before rows."""

from __future__ import annotations

from collections.abc import Iterator

from source_streak.api.clock import Clock
from source_streak.reading.fetching import Answer

# A row takes 2 to 4 KB. At 8 requests a second, the minute is over first.
MOST_ROWS, MOST_SECONDS = 2_000, 60.0


class Gathered:
    """Waiting answers, in the order in which they came. Used by one thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: list[Answer] = []
        self._rows, self._since = 0, 0.0

    def __iter__(self) -> Iterator[Answer]:
        return iter(self._answers)

    def add(self, answer: Answer) -> None:
        """Add an answer, and read all its rows into a list."""
        if not self._answers:
            self._since = self._clock.monotonic()
        rows = list(answer.rows)
        self._answers.append(answer._replace(rows=rows))
        self._rows += len(rows)

    @property
    def is_due(self) -> bool:
        """Whether the answers have waited long enough, or have enough rows, to be delivered."""
        waited = self._clock.monotonic() - self._since if self._answers else 0.0
        return self._rows >= MOST_ROWS or waited >= MOST_SECONDS

    def clear(self) -> None:
        """Drop the answers: they were delivered."""
        self._answers.clear()
        self._rows = 0
