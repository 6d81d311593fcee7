"""What looks doubtful, and since when: it is believed once it still looks so an hour later.

Platforms try a failed sync again after ten seconds, so that two syncs in a row prove nothing.  In
the state a sight is {"since": <epoch milliseconds>, "value": <a number, where one was seen>} under
"<kind>:<key>", where the key is that of a pipeline, team, box, ….
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

HOUR_MS = 3_600_000
MOST = 1_000  # of one kind: each takes 100 bytes of the state. Others wait until there is room


class Sight(NamedTuple):
    """`since`: epoch milliseconds."""

    since: int
    value: int | None = None


class Sights:
    """Those of one stream. `now`: the time of this sync in epoch milliseconds."""

    def __init__(self, saved: Mapping[str, Sight], now: int) -> None:
        self._now = now
        self._sights = dict(saved)
        self._renewed: set[str] = set()
        self._counts = Counter(map(_kind, saved))

    def seen_before(self, what: str, value: int | None = None) -> bool:
        """Whether the first sight of this, with the same value, was an hour ago or more.

        The first sight is remembered; another value starts anew.
        """
        sight = self._sights.get(what)
        if sight is None and self._counts[_kind(what)] >= MOST:
            return False
        self._counts[_kind(what)] += sight is None
        self._renewed.add(what)
        # A time in the future was the fault of a clock: it counts as now.
        if sight is None or sight.value != value or sight.since > self._now:
            sight = self._sights[what] = Sight(self._now, value)
        return self._now - sight.since >= HOUR_MS

    def unsee(self, what: str) -> None:
        """It is so no longer."""
        if self._sights.pop(what, None) is not None:
            self._counts[_kind(what)] -= 1

    def unsee_all_of(self, key: str) -> None:
        """The pipeline, team, box, … itself is gone."""
        for what in [what for what in self._sights if what.endswith(f":{key}")]:
            self.unsee(what)

    def clear(self) -> None:
        """Begin anew: what was seen was seen by somebody else."""
        self._sights.clear()
        self._counts.clear()

    def end(self) -> None:
        """The stream has been read to its end: what it did not see again is so no longer."""
        for what in self._sights.keys() - self._renewed:
            self.unsee(what)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """For the state."""
        return {
            what: {"since": since} | ({} if value is None else {"value": value})
            for what, (since, value) in sorted(self._sights.items())
        }


def _kind(what: str) -> str:
    return what.partition(":")[0]
