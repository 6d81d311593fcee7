"""Limits on the length of lists, so that an endless one cannot take all memory. Pure.

A real account stays far below these limits. To reach them takes memory: about 0.4 KB for a packed
row, 1 to 3 KB for a row that is kept as it came, 20 KB for a pipeline with its fields.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from source_streak.api.errors import StreakError

MOST_ROWS = 1_000_000  # of one list, or TIMES_COUNTED times Streak's count if that is more
TIMES_COUNTED = 10
MOST_PACKED = 2_000_000  # of all lists of one level, such as contacts, which Streak does not count
MOST_KEPT = 100_000  # of what belongs to boxes, in all lists that are under way
MOST_SHORT = 10_000  # teams, pipelines


class EndlessList(StreakError):
    """A list brings far more rows than can exist. `counted`: Streak's own count, if any."""

    def __init__(self, rows: int, counted: int | None = None) -> None:
        said = "and goes on" if counted is None else f"but Streak counts {counted:,}"
        super().__init__(
            f"A list from Streak has returned {rows:,} rows, {said}: more than can exist. "
            "The rest was not read. Please report this to the connector's developers."
        )


class Bound:
    """Limits how many rows the lists under way bring together. Safe for several threads."""

    def __init__(self, most: int) -> None:
        self._most, self._rows = most, 0
        self._lock = threading.Lock()

    @contextmanager
    def one_list(self) -> Iterator[Callable[[int], None]]:
        """Yield a function to call with the number of rows of each page.

        The function raises EndlessList beyond the limit. This list's rows then stay counted, so
        that the other lists end, too.
        """
        brought = 0

        def more(rows: int) -> None:
            nonlocal brought
            brought += rows
            with self._lock:
                self._rows += rows
                if self._rows > self._most:
                    raise EndlessList(self._rows)

        try:
            yield more
        except EndlessList:
            brought = 0
            raise
        finally:
            with self._lock:
                self._rows -= brought


def check_count(brought: int, counted: int | None) -> None:
    """Raise EndlessList if one list has brought far more rows than Streak counts."""
    if counted is not None and brought > max(MOST_ROWS, TIMES_COUNTED * counted):
        raise EndlessList(brought, counted)
