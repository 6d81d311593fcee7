"""The streams `boxes_<pipeline>`: discover finds them, and read takes them as configured."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Set
from functools import cache
from typing import Any

from airbyte_cdk.sources.utils.schema_helpers import ResourceSchemaLoader

from source_streak.api.account import Account
from source_streak.api.errors import Level, StreakError
from source_streak.api.listings import Listing
from source_streak.api.paging import Row
from source_streak.incremental import fingerprint
from source_streak.reading.parents import Parent
from source_streak.reading.plan import Plan
from source_streak.records.columns import PIPELINE_KEY, Table, completed, schema_of, table_names
from source_streak.records.fields import definitions_of, name_of, stage_name
from source_streak.stream import StreakStream

LOGGER = logging.getLogger("airbyte.tables")
MOST = 200


class PipelineTable(StreakStream):
    """https://streak.readme.io/reference/list-boxes - of one pipeline, custom fields in columns."""

    parent = Level.BOX
    primary_key = "box_key"
    incremental = True
    tells_deletions = True
    of_one_pipeline = True
    cursor_column = "read_at"

    def __init__(
        self,
        account: Account,
        name: str,
        schema: Mapping[str, Any],
        taken: Set[str],
        plan: Plan | None = None,
    ) -> None:
        """`schema`: as discovered, or as configured since.

        `taken`: the names of all streams that are not tables.
        """
        self._name, self._schema, self._taken = name, schema, taken
        key = schema.get(PIPELINE_KEY)
        self.pipeline_key: str | None = key if isinstance(key, str) else None
        super().__init__(account, plan)

    @property
    def name(self) -> str:
        return self._name

    @property
    def scope(self) -> str | None:
        return self.pipeline_key

    def get_json_schema(self) -> Mapping[str, Any]:  # type: ignore[override] # the framework keeps what it loads; this one is given
        return self._schema

    def select_listings(self, lists: list[Listing]) -> list[Listing]:
        return [listing for listing in lists if listing.key == self.pipeline_key]

    def prepare(self, account: Account) -> StreakError | None:
        """Find the pipeline and its fields. Raises StreakError if the settings exclude it."""
        pipeline = self._pipeline(account)
        if isinstance(pipeline, StreakError):
            return pipeline
        self.pipeline_key = pipeline["key"]
        self.definitions = definitions_of(pipeline.get("fields"))
        self._schema = completed(self._schema, schema_of(pipeline, fixed_columns()))
        self.table = Table(self._schema)
        known = self.table.columns.values()
        waiting = [
            name_of(field, key) for key, field in self.definitions.items() if key not in known
        ]
        if waiting:
            self.logger.info(
                "%s: custom fields without a column: %s. Refresh the schema (discover again) "
                "to get columns for new ones.",
                *(self.name, ", ".join(f'"{name}"' for name in waiting)),
            )
        return None

    def _pipeline(self, account: Account) -> Row | StreakError:
        chosen = {pipeline["key"]: pipeline for pipeline in account.pipelines()}
        names = table_names(account.every_pipeline, self._taken)
        key = self.pipeline_key or next(
            (key for key, name in names.items() if name == self.name), None
        )
        if key in chosen:
            return chosen[key]
        sentence = f"The pipeline of the stream {self.name} %s, or leave this stream out."
        if key in account.existing:
            why = 'is left out by the setting "Pipelines": name it there'
            raise StreakError(sentence % why, "config_error")
        why = "no longer exists, or this API key no longer sees it: refresh the connection's schema"
        return StreakError(sentence % why, "config_error")

    def names_in(self, source: Row) -> Any:
        return fingerprint.names_in(source) + self.table.signature

    def visible(self, row: Row, names: Any, source_key: str) -> Any:
        return fingerprint.visible_record(row, names)

    def rows(self, parent: Parent) -> Iterable[Row]:
        return [
            self.table.row(
                parent.row, self.definitions, stage_name(parent.source, parent.row.get("stageKey"))
            )
        ]


def tables_of(account: Account, taken: Set[str]) -> list[PipelineTable]:
    """The tables that discover offers, one for each pipeline read. Requests the pipelines."""
    chosen = account.pipelines()
    names = table_names(account.every_pipeline, taken)
    chosen_keys = {pipeline["key"] for pipeline in chosen}
    offered = set(
        [key for key in names if key in chosen_keys][:MOST]
    )  # the oldest, so that a new pipeline never takes another's place
    if left_out := [
        str(pipeline.get("name") or pipeline["key"][-6:])
        for pipeline in chosen
        if pipeline["key"] not in offered
    ]:
        LOGGER.warning(
            "More than %s pipelines: no tables for %s. Their boxes are in the stream boxes.",
            MOST,
            ", ".join(left_out),
        )
    tables = [pipeline for pipeline in chosen if pipeline["key"] in offered]
    return [
        PipelineTable(account, names[one["key"]], schema_of(one, fixed_columns()), taken)
        for one in tables
    ]


@cache
def fixed_columns() -> Mapping[str, Any]:
    """The schema of the columns that all tables have."""
    schema: Mapping[str, Any] = ResourceSchemaLoader(__package__).get_schema("pipeline_table")
    return schema
