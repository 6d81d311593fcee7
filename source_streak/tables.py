"""The streams `boxes_<pipeline>`: found at discover, and read as the connection has them configured."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Set
from functools import cache
from typing import Any

from airbyte_cdk.sources.utils.schema_helpers import ResourceSchemaLoader

from source_streak.account import Account, Level, Parent
from source_streak.base import StreakStream
from source_streak.box_lists import BoxList
from source_streak.columns import PIPELINE_KEY, Table, completed, schema_of, table_names
from source_streak.errors import StreakError
from source_streak.fields import definitions_of, name_of, stage_name
from source_streak.paging import Row

LOGGER = logging.getLogger("airbyte.tables")
MOST = 200


class PipelineTable(StreakStream):
    """https://streak.readme.io/reference/list-boxes - the boxes of one pipeline, with a typed column for each custom field."""

    parent = Level.BOX
    primary_key = "box_key"
    remembers = True
    buries = True
    of_one_pipeline = True
    cursor_column = "read_at"

    def __init__(self, account: Account, name: str, schema: Mapping[str, Any], taken: Set[str]) -> None:
        """`schema`: as discovered, or as configured since; `taken`: the names of all streams that are no tables."""
        self._name, self._schema, self._taken = name, schema, taken
        self.pipeline_key: str | None = schema.get(PIPELINE_KEY)
        super().__init__(account)

    @property
    def name(self) -> str:
        return self._name

    def get_json_schema(self) -> Mapping[str, Any]:  # type: ignore[override] # the framework's keeps what it loads; this one is given
        return self._schema

    def of(self, *lists: BoxList) -> list[BoxList]:
        return [listed for listed in lists if listed.key == self.pipeline_key]

    def begin(self) -> None:
        """Find the pipeline and its fields. Raises StreakError if it is gone or left out."""
        pipeline = self._pipeline()
        self.pipeline_key = pipeline["key"]
        self.definitions = definitions_of(pipeline.get("fields"))
        self._schema = completed(self._schema, schema_of(pipeline, fixed_columns()))
        self.table = Table(self._schema)
        waiting = [name_of(field, key) for key, field in self.definitions.items() if key not in self.table.columns.values()]
        if waiting:
            self.logger.info(
                "%s: custom fields without a column: %s. Refresh the schema (discover again) to have those that are new.",
                *(self.name, ", ".join(f'"{name}"' for name in waiting)),
            )
        super().begin()

    def _pipeline(self) -> Row:
        chosen = {pipeline["key"]: pipeline for pipeline in self.account.pipelines()}
        names = table_names(self.account.every_pipeline, self._taken)
        key = self.pipeline_key or next((key for key, name in names.items() if name == self.name), None)
        if key in chosen:
            return chosen[key]
        why = (
            'is left out by the setting "Pipelines": name it there'
            if key in self.account.existing
            else "does not exist any more, or this API key does not see it any longer: refresh the connection's schema"
        )
        raise StreakError(f"The pipeline of the stream {self.name} {why}, or leave this stream out.", "config_error")

    def shown_with(self, pipeline: Row) -> str:
        return super().shown_with(pipeline) + self.table.signature

    def rows(self, parent: Parent) -> Iterable[Row]:
        return [self.table.row(parent.row, self.definitions, stage_name(parent.pipeline, parent.row.get("stageKey")))]


def tables_of(account: Account, taken: Set[str]) -> list[PipelineTable]:
    """One for each pipeline that is read, as discover offers them; asks for the pipelines."""
    chosen = account.pipelines()
    names = table_names(account.every_pipeline, taken)
    chosen_keys = {pipeline["key"] for pipeline in chosen}
    offered = set([key for key in names if key in chosen_keys][:MOST])  # the oldest, so that a new one takes no other's place
    if left_out := [str(pipeline.get("name") or pipeline["key"][-6:]) for pipeline in chosen if pipeline["key"] not in offered]:
        LOGGER.warning("More than %s pipelines: no tables for %s. Their boxes are in the stream boxes.", MOST, ", ".join(left_out))
    tables = [pipeline for pipeline in chosen if pipeline["key"] in offered]
    return [PipelineTable(account, names[one["key"]], schema_of(one, fixed_columns()), taken) for one in tables]


@cache
def fixed_columns() -> Mapping[str, Any]:
    """The schema of the columns that all tables have."""
    schema: Mapping[str, Any] = ResourceSchemaLoader(__package__).get_schema("pipeline_table")
    return schema
