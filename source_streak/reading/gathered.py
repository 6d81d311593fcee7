"""Answers that wait for the state that holds their rows' keys: keys before rows."""

from __future__ import annotations

from collections.abc import Iterator

from source_streak.api.clock import Clock
from source_streak.reading.fetching import Answer

MOST_ROWS, MOST_SECONDS = 5_000, 60.0


class Gathered:
    """In the order in which they came. Used by one thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answers: list[Answer] = []
        self._rows, self._since = 0, 0.0

    def __iter__(self) -> Iterator[Answer]:
        return iter(self._answers)

    def add(self, answer: Answer) -> None:
        """One more, with all its rows."""
        if not self._answers:
            self._since = self._clock.monotonic()
        rows = list(answer.rows)
        self._answers.append(answer._replace(rows=rows))
        self._rows += len(rows)

    @property
    def is_due(self) -> bool:
        """Whether they have waited long enough, or are many."""
        waited = self._clock.monotonic() - self._since if self._answers else 0.0
        return self._rows >= MOST_ROWS or waited >= MOST_SECONDS

    def clear(self) -> None:
        """They were delivered."""
        self._answers.clear()
        self._rows = 0
