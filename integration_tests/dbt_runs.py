"""Shared by the tests of the dbt package: accounts as tables, and dbt as a command.

tables = read(account, folder)            # what the connector reads from it, by stream
into_duckdb(tables, path)
project = Project(folder, duckdb=path)
project.run("build")
project.rows("streak__boxes")
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from demo import Tables
from destination import Destination
from postgres import Database
from replay.command import Command, configured
from streak_sandbox import Account, Sandbox

TOP = Path(__file__).parents[1]
PACKAGE = TOP / "dbt"
NOW = "2026-06-01"  # the sandbox's calendar ends there
NOW_MS = 1_780_272_000_000
WAREHOUSES = TOP / ".venv-warehouses" / "bin"
MARTS = sorted(path.stem for path in (PACKAGE / "models" / "marts").glob("*.sql"))
LONGEST = 400.0  # seconds for one command
LINE = re.compile(r"^\d\d:\d\d:\d\d +", re.MULTILINE)

Row = dict[str, Any]


@dataclass
class Stream:
    """A table: the stream's catalog entry, and rows as the connector wrote them."""

    schema: Row
    rows: list[Row] = field(default_factory=list)


Streams = dict[str, Stream]


def command(streak: Sandbox, folder: Path) -> Command:
    """The connector's command for that sandbox, at the highest request rate."""
    return Command(folder, streak.url, {"api_key": streak.key, "requests_per_second": 20})


def read(streak: Sandbox, folder: Path, *names: str) -> Streams:
    """Read these streams, all if none are named, in full refresh."""
    connector = command(streak, folder)
    run = connector.read(configured(connector.discover(), *names, incremental=False))
    assert run.code == 0
    found = {name: Stream(one["stream"]) for name, one in run.configured.items()}
    for record in run.records:
        found[record.stream].rows.append(record.data)
    return found


class Synced:
    """A connection in Append + Deduped mode: successive syncs and their destination.

    The destination soft-deletes, like PyAirbyte: deleted rows stay, with the deletion time.
    """

    def __init__(self, streak: Sandbox, folder: Path) -> None:
        self._connector = command(streak, folder)
        self._state: list[Row] = []
        self._kept = Destination()
        self.streams: Streams = {}

    def sync(self) -> Streams:
        """Sync once more; returns what the tables hold afterwards."""
        run = self._connector.read(configured(self._connector.discover()), self._state)
        assert run.code == 0
        self._state = run.last_states()
        found: Streams = {name: Stream(one["stream"]) for name, one in run.configured.items()}
        for record in run.records:
            found[record.stream].rows.append(record.data)
        for name, one in run.configured.items():
            if one["sync_mode"] == "incremental":
                self._kept.take(name, found[name].rows)
                found[name].rows = list(self._kept.tables[name].values())
        self.streams = found
        return found


def change(account: Account) -> None:
    """Add, change and delete rows between two syncs."""
    kinds = ("comments", "tasks", "threads", "files", "meetings")
    deleted, moved, renamed, won, *_ = account.boxes
    for kind in kinds:
        box, row = next(
            (box, row) for box, row in account.all(kind) if box["key"] not in (deleted, moved)
        )
        account.delete_child(kind, box["key"], row["key"])
    account.delete_box(deleted)
    pipeline = next(key for key in account.pipelines if key != account.boxes[moved]["pipelineKey"])
    account.move_box(moved, pipeline)
    account.edit_box(renamed, name="Another name", fields={"1001": "$1,500", "1002": None})
    stages = account.pipelines[account.boxes[won]["pipelineKey"]]["stages"].values()
    account.edit_box(won, stageKey=next(one["key"] for one in stages if one["name"] == "Won"))
    account.add_comment(renamed, "Since the first sync")
    account.add_box(pipeline, "Since the first sync")
    team = next(iter(account.teams))
    account.delete_contact(account.contacts[team][0]["key"])


# --- Into databases -------------------------------------------------------------------------------


def into_duckdb(
    streams: Mapping[str, Stream], path: Path, schema: str = "main", prefix: str = ""
) -> None:
    """Load the streams into tables as `make demo` makes them."""
    scratch = path.with_suffix(".rows")
    scratch.mkdir()
    with duckdb.connect(str(path)) as database:
        tables = Tables(
            database, scratch, [one.schema | {"name": name} for name, one in streams.items()]
        )
        for name, stream in streams.items():
            for row in stream.rows:
                tables.add(name, row)
            tables.load(name)
        if schema != "main" or prefix:
            database.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            for name in streams:
                database.execute(f'CREATE TABLE {schema}."{prefix}{name}" AS FROM main."{name}"')
                database.execute(f'DROP TABLE main."{name}"')


def in_upper_case(streams: Mapping[str, Stream]) -> Streams:
    """The same tables with column names in upper case, as in Snowflake."""
    found = {}
    for name, stream in streams.items():
        columns = stream.schema["json_schema"]["properties"]
        schema = {"json_schema": {"properties": _upper(columns)}}
        found[name] = Stream(schema, [_upper(row) for row in stream.rows])
    return found


def _upper(row: Row) -> Row:
    return {name.upper(): value for name, value in row.items()}


def into_postgres(
    streams: Mapping[str, Stream], database: Database, schema: str, upper: bool = False
) -> None:
    """Load the streams into tables as Airbyte's destination makes them.

    Names are as sent, or in upper case.
    """
    from postgres import type_of

    case = str.upper if upper else str
    for name, stream in streams.items():
        declared = stream.schema["json_schema"]["properties"]
        columns = {case(column): type_of(one) for column, one in declared.items()}
        rows = ({case(column): value for column, value in row.items()} for row in stream.rows)
        database.create(schema, case(name), columns)
        database.load(schema, case(name), columns, rows)


# --- dbt ------------------------------------------------------------------------------------------


@dataclass
class Project:
    """A dbt project, by default the package, on a DuckDB file or a PostgreSQL database."""

    folder: Path  # for what dbt writes
    duckdb: Path | None = None
    postgres: Database | None = None
    variables: Row = field(default_factory=dict)
    place: Path = PACKAGE
    profiles: Path = PACKAGE

    @property
    def dbt(self) -> Path:
        """The dbt command; for DuckDB the one that `make demo` installs."""
        return (TOP / ".venv-dbt" / "bin" if self.duckdb else WAREHOUSES) / "dbt"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables in which the profile finds the database."""
        found = {**os.environ, "DO_NOT_TRACK": "1"}
        if self.duckdb:
            return found | {"STREAK_DUCKDB": str(self.duckdb)}
        if self.postgres:
            found |= {"PGHOST": self.postgres.host, "PGPORT": str(self.postgres.port)}
            found |= {"PGUSER": self.postgres.user, "PGPASSWORD": self.postgres.password}
            found |= {"PGDATABASE": self.postgres.name}
        return found

    def run(self, *arguments: str, target: str = "", ok: bool = True, **variables: Any) -> str:
        """Run a dbt command and return its output; `ok=False` if it must fail."""
        target = target or ("duckdb" if self.duckdb else "postgres")
        given = json.dumps({"streak_now": NOW, **self.variables, **variables})
        options = ["--profiles-dir", str(self.profiles), "--target", target, "--vars", given]
        if arguments[0] != "deps":
            options += ["--target-path", str(self.folder / "target")]
        options += ["--log-path", str(self.folder / "logs")]
        done = subprocess.run(
            [self.dbt, "--no-use-colors", *arguments, *options],
            cwd=self.place,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        assert (done.returncode == 0) == ok, (done.stdout + done.stderr)[-6000:]
        return LINE.sub("", done.stdout)

    def results(self) -> dict[str, str]:
        """The status of each model and test of the last run, by its short name."""
        file = self.folder / "target" / "run_results.json"
        found = json.loads(file.read_text())["results"]
        return {result["unique_id"].split(".", 2)[2]: result["status"] for result in found}

    def sql(self, statements: str) -> None:
        """Run SQL statements on the DuckDB file."""
        assert self.duckdb
        with duckdb.connect(str(self.duckdb)) as database:
            database.execute(statements)

    def rows(self, table: str, schema: str = "streak") -> list[Row]:
        """The rows of a mart, as plain values in a fixed order.

        `schema="streak_staging"`: of a staging view instead.
        """
        if self.duckdb:
            found = from_duckdb(self.duckdb, f"FROM main_{schema}.{table}")
        else:
            assert self.postgres
            found = self.postgres.rows(f"public_{schema}", table)
        rows = [{name: plain(value) for name, value in row.items()} for row in found]
        return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True, default=str))


def from_duckdb(path: Path, sql: str) -> list[Row]:
    """The rows of a query."""
    with duckdb.connect(str(path), read_only=True) as database:
        database.execute("SET TimeZone = 'UTC'")
        result = database.execute(sql)
        columns = [(column[0], str(column[1])) for column in result.description]
        return [
            {
                name: json.loads(value) if kind == "JSON" and value else value
                for (name, kind), value in zip(columns, values, strict=True)
            }
            for values in result.fetchall()
        ]


TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d.*")


def plain(value: Any) -> Any:
    """Times as epoch milliseconds, days as text, numbers as int or as float of 12 digits."""
    if isinstance(value, str) and TIME.fullmatch(value):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        return round(moment.timestamp() * 1000)
    if isinstance(value, date):
        return value.isoformat()
    return float(f"{float(value):.12g}") if isinstance(value, Decimal | float) else value


def by(rows: Iterable[Row], *columns: str) -> dict[Any, Row]:
    """Rows by their key; asserts that none repeats."""
    rows = list(rows)
    found = {
        row[columns[0]] if len(columns) == 1 else tuple(row[one] for one in columns): row
        for row in rows
    }
    assert len(found) == len(rows)
    return found
