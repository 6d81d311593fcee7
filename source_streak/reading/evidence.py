"""What may be concluded from lists, counts and answers.  Pure: makes no requests.

Nothing is concluded from what is doubtful.  But some things would stay doubtful forever, such as a
count that is wrong by the same number in each sync: they are believed after an hour (sights.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from source_streak.api.look_up import Gone
from source_streak.incremental.sights import Sights

# Rows, and share of a list: if more are missing at once, they wait for an hour.
MANY, MANY_SHARE = 50, 0.1


class Listed(Protocol):
    """What a list says about itself; see Listing in api/listings.py."""

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

    DELETED = "deleted, out of sight, merged, or left out by the settings"
    MOVED = "in another list, since the lists were read"
    UNLISTED = "it still exists, but no list shows it"
    UNKNOWN = "nobody can say"


def is_complete(listing: Listed, sights: Sights) -> bool:
    """Whether a list that was read holds all rows of its source. Notes doubts in `sights`."""
    if not listing.ended:
        return False
    if listing.expected is None:
        return bool(listing.keys) or sights.seen_before(f"empty:{listing.key}")
    if not listing.shortfall:
        return True
    return sights.seen_before(f"count:{listing.key}", listing.shortfall)


def are_many(missing: int, total: int) -> bool:
    """Whether more rows are missing than people delete at once. `total`: listed and missing."""
    return missing > max(MANY, MANY_SHARE * total)


def shortfall(expected: int | None, there_are: int) -> int:
    """How many fewer rows a list has than its box counts; 1 for an empty list without a count."""
    return int(not there_are) if expected is None else max(0, expected - there_are)


@dataclass(frozen=True)
class Scopes:
    """Where a row may be. `lists`: pipelines (teams) whose lists could be read.

    `left_out`: pipelines that exist but are left out by the settings: a full refresh would not have
    their boxes. `rows_stay`: whether rows stay behind when their parent moves.
    """

    column: str  # that holds the pipeline's or team's key
    lists: Collection[str]
    left_out: Collection[str] = ()
    rows_stay: bool = False


def verdict(answer: Mapping[str, Any] | Gone, scope: str, scopes: Scopes) -> Verdict:
    """What an answer by key says about a row that was delivered from the list `scope`."""
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
