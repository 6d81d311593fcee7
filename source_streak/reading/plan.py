"""Divides the room for all states of a sync among its incremental streams."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from source_streak.api.account import Account
from source_streak.api.errors import Level, StreakError
from source_streak.api.paging import Row
from source_streak.incremental.room import EVERYTHING, TOTAL, Need, Share, divide
from source_streak.reading.facts import Facts
from source_streak.reading.parents import ENTITIES

PEOPLE = frozenset({Level.CONTACT, Level.ORGANIZATION})
# The share of contacts and organizations if boxes are read, too: their lists are not known yet when
# the first box is delivered.
FOR_PEOPLE = 0.25
SAMPLE = 16  # about so many parts of the lists are read to estimate the number of rows


class Plan:
    """The shares of all incremental streams of one sync. Used by one thread."""

    def __init__(self) -> None:
        self.streams: Sequence[Facts] = ()  # the sync's incremental streams
        self._shares: dict[str, Share] = {}

    def share_of(self, stream: Facts, account: Account) -> Share:
        """The room for a stream's state. Blocks while the lists of other streams are read."""
        if stream.name not in self._shares:
            people = stream.parent in PEOPLE
            streams = [one for one in self.streams if one.parent in ENTITIES]
            group = [one for one in streams if (one.parent in PEOPLE) == people]
            everything = len(group) == len(streams)
            part = 1.0 if everything else FOR_PEOPLE if people else 1.0 - FOR_PEOPLE
            needs = [need for one in (group or [stream]) if (need := need_of(one, account))]
            self._shares |= divide(needs, round(TOTAL * part))
        return self._shares.get(stream.name, EVERYTHING)


def need_of(stream: Facts, account: Account) -> Need | None:
    """What a stream would remember if there were room; None if its lists cannot be read."""
    try:
        lists = stream.select_listings(account.good_listings(stream.parent))
    except StreakError:  # fails that stream alone, when it is read
        return None
    count = sum(len(listing.keys) for listing in lists)
    rows = 0
    if stream.row_keys and stream.tells_deletions:
        parts = list(chain.from_iterable(listing.pages for listing in lists))
        sample = parts[:: max(1, len(parts) // SAMPLE)]
        counts = [_rows_in(stream, row) for part in sample for row in part.rows()]
        rows = round(count * sum(counts) / len(counts)) if counts else 0
    return Need(stream.name, count, rows, len(lists))


def _rows_in(stream: Facts, row: Row) -> int:
    if not stream.endpoint:
        return sum(1 for _ in stream.keys_in(row))
    expected = stream.expected(row)
    return 1 if expected is None else expected


__all__: Sequence[str] = ("Plan", "need_of")
