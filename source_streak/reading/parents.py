"""Parents, to which rows belong: the account, a team, a pipeline or a row of a long list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from source_streak.api.account import Account
from source_streak.api.errors import Level
from source_streak.api.listings import KINDS, Listing
from source_streak.api.packing import Properties
from source_streak.api.paging import Row

ENTITIES = frozenset(KINDS)  # levels whose rows come from long lists: box, contact, organization


class Parent(NamedTuple):
    """A parent, and the key columns that each of its rows carries.

    `source`: a box's pipeline, or a contact's or organization's team.
    """

    row: Row
    keys: Mapping[str, str] = {}
    source: Row = {}

    @property
    def key(self) -> str:
        return str(self.row.get("key", ""))

    @property
    def scope(self) -> str:
        """The key of a box's pipeline, or of a contact's or organization's team."""
        return str(self.source.get("key", ""))

    @property
    def name(self) -> str:
        """What log lines and errors call a team or pipeline.

        Boxes and people are never named there: their names are private.
        """
        return str(self.row.get("name") or self.key[-6:])


def parents_of(account: Account, level: Level) -> list[Parent]:
    """All teams or pipelines, in Streak's order; for ACCOUNT, a single parent. Blocks."""
    if level is Level.TEAM:
        return [Parent(team, {"teamKey": team["key"]}) for team in account.teams()]
    if level is Level.PIPELINE:
        return [
            Parent(pipeline, {"pipelineKey": pipeline["key"]}) for pipeline in account.pipelines()
        ]
    return [Parent({})]


def rows_of(lists: Iterable[Listing], properties: Properties = None) -> Iterator[Parent]:
    """The rows of long lists as parents: whole rows, or only their keys and `properties`."""
    for listing in lists:
        own, of_source = key_columns(listing.level)
        source = listing.source
        for row in listing.rows(properties):
            yield Parent(row, {own: row["key"], of_source: listing.key}, source)


def key_columns(level: Level) -> tuple[str, str]:
    """The columns for the key of a listed row, and for the key of its pipeline or team."""
    return f"{level.value}Key", KINDS[level].source
