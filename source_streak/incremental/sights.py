"""What looks doubtful, and since when. It is believed if it still looks so an hour later.

Platforms retry a failed sync after ten seconds, so two syncs in a row prove nothing.  In the state,
a sight is {"since": <epoch milliseconds>, "value": <the number seen, if any>} under "<kind>:<key>",
with the key of a pipeline, team, box, ….
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

HOUR_MS = 3_600_000
MOST = 1_000  # sights of one kind, 100 bytes of state each. More wait until there is room


class Sight(NamedTuple):
    """Something that looks doubtful. `since`: epoch milliseconds; `value`: the number seen."""

    since: int
    value: int | None = None


class Sights:
    """The sights of one stream. `now`: the time of this sync in epoch milliseconds."""

    def __init__(self, saved: Mapping[str, Sight], now: int) -> None:
        self._now = now
        self._sights = dict(saved)
        self._renewed: set[str] = set()
        self._counts = Counter(map(_kind, saved))

    def seen_before(self, what: str, value: int | None = None) -> bool:
        """Whether the first sight of this, with the same value, was an hour ago or more.

        The first sight is remembered. With another value, the hour starts anew.
        """
        sight = self._sights.get(what)
        if sight is None and self._counts[_kind(what)] >= MOST:
            return False
        self._counts[_kind(what)] += sight is None
        self._renewed.add(what)
        # A time in the future comes from a wrong clock: it counts as now.
        if sight is None or sight.value != value or sight.since > self._now:
            sight = self._sights[what] = Sight(self._now, value)
        return self._now - sight.since >= HOUR_MS

    def unsee(self, what: str) -> None:
        """Forget a sight that is no longer true."""
        if self._sights.pop(what, None) is not None:
            self._counts[_kind(what)] -= 1

    def unsee_all_of(self, key: str) -> None:
        """Forget all sights of a pipeline, team, box, … that is gone."""
        for what in [what for what in self._sights if what.endswith(f":{key}")]:
            self.unsee(what)

    def clear(self) -> None:
        """Forget all sights: another user saw them."""
        self._sights.clear()
        self._counts.clear()

    def end(self) -> None:
        """Forget what was not seen again. Call it once the stream has been read to its end."""
        for what in self._sights.keys() - self._renewed:
            self.unsee(what)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """The sights as the state holds them."""
        return {
            what: {"since": since} | ({} if value is None else {"value": value})
            for what, (since, value) in sorted(self._sights.items())
        }


def _kind(what: str) -> str:
    return what.partition(":")[0]
