"""What Airbyte's mode Append + Deduped makes of the connector's output, and what it should."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from airbyte_cdk.models import AirbyteCatalog

from source_streak import SourceStreak

Record = dict[str, Any]
Key = tuple[Any, ...]
CURSOR, CURSOR_OF_TABLES, DELETED_AT = "readAt", "read_at", "_ab_cdc_deleted_at"
# Properties that change with the clock alone, at any depth.
DRIFTING = frozenset({CURSOR, CURSOR_OF_TABLES, "freshness", "timeInStageMs"})


class Destination:
    """What append + dedup makes of outputs, in the order given.

    Per primary key, the record with the greatest cursor wins, and the later one among equals. A
    record without a cursor never wins. A record with the time of a deletion removes its row.
    """

    def __init__(self) -> None:
        self.keys = {
            stream.name: [path[0] for path in stream.source_defined_primary_key]
            for stream in discovered().streams
        }
        self.tables: dict[str, dict[Key, Record]] = defaultdict(dict)

    def take(self, stream: str, records: Iterable[Record]) -> None:
        """Add records to a stream's table."""
        table = self.tables[stream]
        for record in records:
            key = tuple(record[column] for column in self.keys.get(stream, ["box_key"]))
            if key not in table or cursor_of(record) >= cursor_of(table[key]):
                table[key] = record

    def rows(self, stream: str) -> dict[Key, Record]:
        """The rows of a table by primary key, without the cursor."""
        return {
            key: without_cursor(record)
            for key, record in self.tables[stream].items()
            if not record.get(DELETED_AT)
        }


class Difference(NamedTuple):
    """A difference in one row. `kind`: lost, stale or left behind; `columns`: the stale ones."""

    kind: str
    stream: str
    key: Key
    columns: tuple[str, ...] = ()


def differences(kept: Destination, right: Destination, streams: Iterable[str]) -> list[Difference]:
    """Compare row by row and column by column. `right`: what a full refresh would give now."""
    return [
        one for name in streams for one in _differences(kept.rows(name), right.rows(name), name)
    ]


def _differences(
    kept: dict[Key, Record], right: dict[Key, Record], stream: str
) -> Iterator[Difference]:
    for key, row in right.items():
        if key not in kept:
            yield Difference("lost", stream, key)
        elif stale := _other_columns(kept[key], row):
            yield Difference("stale", stream, key, stale)
    for key in kept.keys() - right.keys():
        yield Difference("left behind", stream, key)


def _other_columns(kept: Record, right: Record) -> tuple[str, ...]:
    """The columns that differ. An absent column counts as null."""
    names = (kept.keys() | right.keys()) - DRIFTING
    return tuple(
        sorted(name for name in names if _steady(kept.get(name)) != _steady(right.get(name)))
    )


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _steady(inner) for name, inner in value.items() if name not in DRIFTING}
    return [_steady(inner) for inner in value] if isinstance(value, list) else value


def cursor_of(record: Record) -> str:
    """The time at which a record was read; if it has none, a text before all times."""
    return record.get(CURSOR) or record.get(CURSOR_OF_TABLES) or ""


def without_cursor(record: Record) -> Record:
    """A record without the time at which it was read."""
    return {name: value for name, value in record.items() if name not in (CURSOR, CURSOR_OF_TABLES)}


@cache
def discovered() -> AirbyteCatalog:
    """What discover finds without requests: no pipeline tables. Callers must not change it."""
    return SourceStreak().discover(
        logging.getLogger("airbyte"), {"api_key": "for-discover-alone", "pipeline_tables": False}
    )
