"""What the rows of a stream hang on: the account, a team, a pipeline, or one row of a long list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from source_streak.api.account import Account
from source_streak.api.errors import Level
from source_streak.api.listings import KINDS, Listing
from source_streak.api.packing import Properties
from source_streak.api.paging import Row

ENTITIES = frozenset(
    KINDS
)  # the levels whose rows come from long lists: box, contact, organization


class Parent(NamedTuple):
    """One of them, and the key columns that every row read of it carries.

    `source`: a box's pipeline, a contact's team.
    """

    row: Row
    keys: Mapping[str, str] = {}
    source: Row = {}

    @property
    def key(self) -> str:
        return str(self.row.get("key", ""))

    @property
    def scope(self) -> str:
        """The key of a box's pipeline, of a contact's or organization's team."""
        return str(self.source.get("key", ""))

    @property
    def name(self) -> str:
        """For sentences.

        Boxes and people are never named: what they are called is nobody's business in a log.
        """
        return str(self.row.get("name") or self.key[-6:])


def parents_of(account: Account, level: Level) -> list[Parent]:
    """All teams or pipelines, in Streak's order.

    For ACCOUNT one that stands for the account. Blocks.
    """
    if level is Level.TEAM:
        return [Parent(team, {"teamKey": team["key"]}) for team in account.teams()]
    if level is Level.PIPELINE:
        return [
            Parent(pipeline, {"pipelineKey": pipeline["key"]}) for pipeline in account.pipelines()
        ]
    return [Parent({})]


def rows_of(lists: Iterable[Listing], properties: Properties = None) -> Iterator[Parent]:
    """The rows of long lists, one after the other: whole, or these properties of each."""
    for listing in lists:
        own, of_source = key_columns(listing.level)
        source = listing.source
        for row in listing.rows(properties):
            yield Parent(row, {own: row["key"], of_source: listing.key}, source)


def key_columns(level: Level) -> tuple[str, str]:
    """The columns that hold the key of a row of a long list, and of its pipeline or team."""
    return f"{level.value}Key", KINDS[level].source
