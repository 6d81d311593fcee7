"""`make test-clients`: a whole account of odd values in a real PostgreSQL server.

The rows get there in two ways: cast as Airbyte's destination casts them, and through PyAirbyte in
two syncs with changes in between. Each cell has to hold what the connector wrote.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import postgres
import pytest
import replay
import test_clients
from odd_account import OddSandbox, odd_account
from postgres import Database
from replay import Run
from replay.command import Command, configured
from runs import Message
from test_clients import CLIENTS, DELETED_AT, Place, Record, Rows, in_sql, incremental, key_of

pytestmark = pytest.mark.clients
CAST, LOADED = "cast", "loaded"  # schemas
LOAD = """
import json, os, sys
os.environ["AIRBYTE_OFFLINE_MODE"] = "1"
import airbyte as ab
from airbyte.caches import PostgresCache
asked = json.load(sys.stdin)
streak = ab.get_source("source-streak", local_executable=asked["command"], config=asked["config"])
cache = PostgresCache(**asked["cache"])
remembered = asked["incremental"]
whole = [name for name in streak.get_available_streams() if name not in remembered]
streak.read(cache, streams=remembered)
streak.read(cache, streams=whole, force_full_refresh=True, write_strategy="replace")
"""
# PyAirbyte's pandas reads a column of integers as floats if it contains a null.
LARGEST = 2**53
ODD_BOXES = 40


@dataclass
class Loads:
    """Both sides of two syncs: the connector's own output, and the tables that PyAirbyte loaded."""

    streams: dict[str, Message] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    tables: list[Rows] = field(default_factory=list)

    def expected(self, moment: int) -> Rows:
        """The rows that the tables have to hold after that sync."""
        wrote = [rows_by_stream(run) for run in self.runs[: moment + 1]]
        return test_clients.merged(self.streams, wrote)


def rows_by_stream(run: Run) -> Rows:
    """The records of a run, by stream."""
    rows: Rows = {name: [] for name in run.configured}
    for record in run.records:
        rows[record.stream].append(record.data)
    return rows


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with postgres.server() as running:
        yield running


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One read of the whole odd account."""
    with OddSandbox(boxes=ODD_BOXES) as streak:
        odd_account(streak)
        command = command_of(streak, tmp_path_factory.mktemp("written"))
        return command.read(configured(command.discover()))


def command_of(streak: OddSandbox, folder: Path) -> Command:
    return Command(folder, streak.url, {"api_key": streak.key, "requests_per_second": 20})


def streams_of(run: Run) -> dict[str, Message]:
    return {name: one["stream"] for name, one in run.configured.items()}


# --- Rows cast as Airbyte's destination casts them ------------------------------------------------


def test_a_read_of_the_odd_account_breaks_no_rule(written: Run) -> None:
    assert [str(broken) for broken in replay.report(written)] == []
    assert written.code == 0


def test_postgresql_stores_every_row_unchanged(database: Database, written: Run) -> None:
    """Each value is in a column of the type that destination-postgres chooses."""
    refused = []
    for name, rows in rows_by_stream(written).items():
        schema = written.configured[name]["stream"]["json_schema"]["properties"]
        columns = {column: postgres.type_of(declared) for column, declared in schema.items()}
        database.create(CAST, name, columns)
        try:
            database.load(CAST, name, columns, rows)
        except AssertionError as refusal:
            words = next(line for line in str(refusal).splitlines()[::-1] if "ERROR" in line)
            refused.append(f"{name}: {words}")
    assert refused == []

    for name, rows in rows_by_stream(written).items():
        assert_same(streams_of(written)[name], database.rows(CAST, name), rows)


def test_names_of_streams_and_columns_fit_into_63_bytes(written: Run) -> None:
    """PostgreSQL cuts longer names, and two could become the same."""
    for name, stream in streams_of(written).items():
        for told in (name, *stream["json_schema"]["properties"]):
            assert len(told.encode()) <= 63, told
            assert "\0" not in told


# --- Rows loaded by PyAirbyte ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def loads(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Loads:
    """Two syncs, with changes in between."""
    found = Loads()
    with OddSandbox(boxes=ODD_BOXES) as streak:
        streak.largest = LARGEST
        odd_account(streak)
        hand = command_of(streak, tmp_path_factory.mktemp("by-hand"))
        client = Place(streak.url, dict(hand.config), tmp_path_factory.mktemp("pyairbyte"))
        state: list[Message] = []
        for moment in range(2):
            if moment:
                test_clients.change(streak.account)
            run = hand.read(configured(hand.discover()), state)
            state = run.last_states()
            found.runs.append(run)
            found.streams = streams_of(run)
            load(client, database, hand.executable(), found.streams)
            found.tables.append(dict(tables(database, found.streams)))
    return found


def load(client: Place, database: Database, command: Path, streams: dict[str, Message]) -> None:
    """One sync by PyAirbyte."""
    cache = {
        "host": database.host,
        "port": database.port,
        "username": database.user,
        "password": database.password,
        "database": database.name,
        "schema_name": LOADED,
    }
    asked = {
        "command": str(command),
        "config": client.config,
        "cache": cache,
        "incremental": [name for name, stream in streams.items() if incremental(stream)],
    }
    client.run(CLIENTS / "python", "-c", LOAD, stdin=json.dumps(asked))


def tables(database: Database, streams: dict[str, Message]) -> Iterator[tuple[str, list[Record]]]:
    """The rows of every table, under Streak's names. A stream without rows may have no table."""
    there = set(database.tables(LOADED))
    for name, stream in streams.items():
        rows = database.rows(LOADED, in_sql(name)) if in_sql(name) in there else []
        columns = {column: in_sql(column) for column in stream["json_schema"]["properties"]}
        yield name, [{column: row[theirs] for column, theirs in columns.items()} for row in rows]


@pytest.mark.parametrize("moment", [0, 1], ids=["first", "incremental"])
def test_pyairbyte_loads_every_row(loads: Loads, moment: int) -> None:
    for name, rows in loads.expected(moment).items():
        stream = loads.streams[name]
        batches = [rows_by_stream(run)[name] for run in loads.runs[: moment + 1]]
        unlike = frozenset().union(*(read_as_numbers(stream, batch) for batch in batches))
        assert_same(stream, loads.tables[moment][name], rows, unlike)


def test_the_second_sync_brings_only_changes_and_deletions(loads: Loads) -> None:
    first, second = (rows_by_stream(run) for run in loads.runs)

    assert len(second["box_comments"]) < len(first["box_comments"])
    assert any(row.get(DELETED_AT) for row in second["boxes"])
    assert any(row.get(DELETED_AT) for row in loads.tables[1]["boxes"])


# --- Comparing rows -------------------------------------------------------------------------------


def assert_same(
    stream: Message,
    found: list[Record],
    expected: list[Record],
    unlike: frozenset[str] = frozenset(),
) -> None:
    """Assert the same rows in any order.

    Times of reading and deletion only have to be present. Columns in `unlike` are not compared.
    """
    name = stream["name"]
    clocks = {DELETED_AT, *stream.get("default_cursor_field", ())}
    theirs = {key_of(stream, row): row for row in found}
    assert len(found) == len(theirs) == len(expected), name
    for row in expected:
        other = theirs.get(key_of(stream, row))
        assert other is not None, f"{name}: no row with the key {key_of(stream, row)}"
        for column in stream["json_schema"]["properties"]:
            cell, value = other.get(column), row.get(column)
            if column in clocks:
                assert (cell is None) == (value is None), f"{name}.{column}"
            elif column not in unlike:
                assert same(cell, value), f"{name}.{column}: {cell!r:.200} for {value!r:.200}"


def same(cell: Any, value: Any) -> bool:
    """Whether the cell of a table, as JSON, equals the value in a record."""
    if isinstance(value, bool) or isinstance(cell, bool):
        return cell is value
    if isinstance(cell, (int, float, Decimal)) and isinstance(value, (int, float)):
        return float(cell) == pytest.approx(float(value), abs=1e-9)
    if isinstance(cell, dict) and isinstance(value, dict):
        return cell.keys() == value.keys() and all(same(cell[name], value[name]) for name in cell)
    if isinstance(cell, list) and isinstance(value, list):
        return len(cell) == len(value) and all(map(same, cell, value))
    return cell == value or same_time(cell, value)


def same_time(cell: Any, value: Any) -> bool:
    """2026-09-21T14:13:20+00:00, or without a zone, is 2026-09-21T14:13:20.000Z."""
    try:
        times = [datetime.fromisoformat(one.replace("Z", "+00:00")) for one in (cell, value)]
    except (AttributeError, ValueError):
        return False
    here, there = (time if time.tzinfo else time.replace(tzinfo=timezone.utc) for time in times)
    return here == there


def read_as_numbers(stream: Message, rows: list[Record]) -> frozenset[str]:
    """Text columns that hold only numbers in one sync, such as keys of fields.

    PyAirbyte's pandas takes them for numbers, and writes 1001.0 if another value is null.
    """
    columns = stream["json_schema"]["properties"]
    return frozenset(
        column
        for column, declared in columns.items()
        if postgres.type_of(declared) == "text" and all(is_number(row.get(column)) for row in rows)
    )


def is_number(value: Any) -> bool:
    """Whether a value is null or a number, possibly as text."""
    try:
        return value is None or float(value) is not None
    except ValueError:
        return False
