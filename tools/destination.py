"""What Airbyte's mode Append + Deduped makes of the connector's outputs."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from typing import Any

from airbyte_cdk.models import AirbyteCatalog

from source_streak import SourceStreak

Record = dict[str, Any]
CURSOR, CURSOR_OF_TABLES, DELETED_AT = "readAt", "read_at", "_ab_cdc_deleted_at"


class Destination:
    """What append + dedup makes of outputs, in the order given: per primary key the record with the greatest cursor wins, the
    later emitted among equals; one without cursor never. A record with the time of a deletion removes its row.
    """

    def __init__(self) -> None:
        self.keys = {stream.name: [path[0] for path in stream.source_defined_primary_key] for stream in discovered().streams}
        self.tables: dict[str, dict[tuple[Any, ...], Record]] = defaultdict(dict)

    def take(self, stream: str, records: Iterable[Record]) -> None:
        """Further records of a stream."""
        table = self.tables[stream]
        for record in records:
            key = tuple(record[column] for column in self.keys.get(stream, ["box_key"]))
            if key not in table or cursor_of(record) >= cursor_of(table[key]):
                table[key] = record

    def rows(self, stream: str) -> dict[tuple[Any, ...], Record]:
        """What the table holds, by primary key, less the cursor."""
        return {key: without_cursor(record) for key, record in self.tables[stream].items() if not record.get(DELETED_AT)}


def cursor_of(record: Record) -> str:
    """The time at which it was read; less than any where there is none."""
    return record.get(CURSOR) or record.get(CURSOR_OF_TABLES) or ""


def without_cursor(record: Record) -> Record:
    """The record less the time at which it was read."""
    return {name: value for name, value in record.items() if name not in (CURSOR, CURSOR_OF_TABLES)}


@cache
def discovered() -> AirbyteCatalog:
    """What discover finds without asking: no tables of pipelines. Not to be changed."""
    return SourceStreak().discover(logging.getLogger("airbyte"), {"api_key": "for-discover-alone", "pipeline_tables": False})
