"""Where a list ends that has no end, before it takes all memory. Pure.

A real account stays far below. What it costs to read up to these bounds: a packed row takes about
0.4 KB of memory, one that is kept as it came 1 to 3 KB, a pipeline with its fields 20 KB.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from source_streak.api.errors import StreakError

MOST_ROWS = 1_000_000  # of one list that has more than TIMES_COUNTED times what Streak counts
TIMES_COUNTED = 10
MOST_PACKED = 2_000_000  # contacts of all teams, say, which Streak does not count
MOST_KEPT = 100_000  # of what hangs on boxes, in all lists that are under way
MOST_SHORT = 10_000  # teams, pipelines


class EndlessList(StreakError):
    """A list that brings far more than there can be. `counted`: by Streak; None: it does not."""

    def __init__(self, rows: int, counted: int | None = None) -> None:
        said = "goes on" if counted is None else f"Streak counts {counted:,}"
        super().__init__(
            f"A list of Streak's has brought {rows:,} rows, and {said}: more than there can be. "
            "It was not read to its end. Please report this to the connector's developers."
        )


class Bound:
    """How many rows the lists that are under way may bring together. For several threads."""

    def __init__(self, most: int) -> None:
        self._most, self._rows = most, 0
        self._lock = threading.Lock()

    @contextmanager
    def one_list(self) -> Iterator[Callable[[int], None]]:
        """Gives what is to be called with the number of rows of each page.

        That raises EndlessList; then this list's rows count on, so that the others end, too.
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
    """Of one list. Raises EndlessList for one that brings far more than Streak counts."""
    if counted is not None and brought > max(MOST_ROWS, TIMES_COUNTED * counted):
        raise EndlessList(brought, counted)
