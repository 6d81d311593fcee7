"""Base classes: what several streams have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from source_streak.api.errors import Level
from source_streak.api.paging import Row
from source_streak.incremental import fingerprint
from source_streak.reading.parents import Parent
from source_streak.records import fields, parts
from source_streak.records.fields import named, team_definitions
from source_streak.stream import StreakStream


class TeamStream(StreakStream):
    """Rows inside a team, with a column for the team's name."""

    parent = Level.TEAM

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        return {"teamName": parent.row.get("name")}


class PipelineStream(StreakStream):
    """Rows inside a pipeline, with a column for the pipeline's name."""

    parent = Level.PIPELINE

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        return {"pipelineName": parent.row.get("name")}


class ExactStream(StreakStream):
    """A stream that is read incrementally, deletions included."""

    incremental = True
    tells_deletions = True


class People(ExactStream):
    """Contacts or organizations, with their custom fields named."""

    primary_key = "key"
    settings: str  # the team's property that defines the fields

    def names_in(self, source: Row) -> Any:
        return fingerprint.names_in_team(source, self.settings)

    def visible(self, row: Row, names: Any, source_key: str) -> Any:
        return fingerprint.visible_record(row, names)

    def extra_columns(self, row: Row, parent: Parent) -> Row:
        definitions = team_definitions(parent.source, self.settings)
        return {"customFields": named(definitions, row.get("fields"))}


class FieldValues(ExactStream):
    """Custom fields in typed columns, one row for each field that is set."""

    made_of = ("fields",)

    def definitions(self, source: Row) -> Mapping[str, Row]:
        """The definitions of a pipeline's or team's custom fields, by key."""
        raise NotImplementedError

    def names_in(self, source: Row) -> Any:
        return fingerprint.names_of(self.definitions(source))

    def visible(self, row: Row, names: Any, source_key: str) -> Any:
        return fingerprint.visible_fields(row, names)

    def keys_in(self, row: Row) -> Iterable[str]:
        return fields.field_keys(row.get("fields"))

    def rows(self, parent: Parent) -> Iterable[Row]:
        return fields.field_values(self.definitions(parent.source), parent.row.get("fields"))

    def unset_rows(self, parent: Parent) -> Iterable[Row]:
        return fields.unset_fields(self.definitions(parent.source), parent.row.get("fields"))

    def misshapen(self, parent: Parent) -> Iterable[str]:
        return fields.misshapen(self.definitions(parent.source), parent.row.get("fields"))


class Links(StreakStream):
    """What a row links to. The last column of the primary key holds the linked object's key."""

    made_of: tuple[str]  # the property that holds the links

    def rows(self, parent: Parent) -> Iterable[Row]:
        return parts.links(parent.row, *self.made_of, self.key_columns[-1])
