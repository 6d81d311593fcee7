"""What may be concluded from lists, counts and answers.  Pure: nothing is asked here.

Nothing is concluded from what is doubtful.  What would be so for good, such as a count that is
wrong by the same number in each sync, is believed once it has been so for an hour (sights.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from source_streak.api.look_up import Gone
from source_streak.incremental.sights import Sights

MANY, MANY_SHARE = 50, 0.1  # of a list: more of them missing at once wait for an hour


class Listed(Protocol):
    """What a list says of itself; see Listing in api/listings.py."""

    keys: set[str]
    ended: bool

    @property
    def key(self) -> str: ...

    @property
    def expected(self) -> int | None: ...

    @property
    def shortfall(self) -> int: ...


class Verdict(Enum):
    """What became of a row that is in no list."""

    DELETED = "deleted, out of sight, merged, or where the settings do not reach"
    MOVED = "in another list, since the lists were read"
    UNLISTED = "it lives on, and no list shows it"
    UNKNOWN = "nobody can say"


def is_complete(listing: Listed, sights: Sights) -> bool:
    """Whether what is not in a list that could be read is not in its pipeline or team either."""
    if not listing.ended:
        return False
    if listing.expected is None:
        return bool(listing.keys) or sights.seen_before(f"empty:{listing.key}")
    if not listing.shortfall:
        return True
    return sights.seen_before(f"count:{listing.key}", listing.shortfall)


def are_many(missing: int, total: int) -> bool:
    """Whether more is missing at once than people delete. `total`: those listed and missing."""
    return missing > max(MANY, MANY_SHARE * total)


def shortfall(expected: int | None, there_are: int) -> int:
    """How many rows a list is short of what its box counts; 1 for an empty one without a count."""
    return int(not there_are) if expected is None else max(0, expected - there_are)


@dataclass(frozen=True)
class Scopes:
    """Where a row may be. `lists`: pipelines (teams) whose lists could be read.

    `left_out`: pipelines that exist and that the settings leave out: a full refresh would not have
    their boxes. `rows_stay`: whether the rows of a stream move with what they hang on.
    """

    column: str  # of the pipeline's or team's key
    lists: Collection[str]
    left_out: Collection[str] = ()
    rows_stay: bool = False


def verdict(answer: Mapping[str, Any] | Gone, scope: str, scopes: Scopes) -> Verdict:
    """What an answer by key says of a row that was delivered from the list `scope`."""
    if isinstance(answer, Gone):
        return Verdict.DELETED if answer is Gone.GONE else Verdict.UNKNOWN
    now = answer.get(scopes.column)
    if now in (scope, None):
        return Verdict.UNLISTED
    if now in scopes.lists:
        return Verdict.MOVED
    if now in scopes.left_out or scopes.rows_stay:
        return Verdict.DELETED
    return Verdict.UNLISTED
