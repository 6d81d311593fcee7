"""A real PostgreSQL server for the tests, on a free port of 127.0.0.1.

    with postgres.server() as database:
        database.sql("CREATE TABLE …")
        database.rows("public", "boxes")

Its programs come from the wheel pgserver in .venv-clients (postgres.txt), else from Debian's
package `postgresql`, else from the PATH. Root cannot run it, so for root the user `nobody` does.
"""

# ruff: noqa: S608 # SQL with names from the tests
from __future__ import annotations

import csv
import io
import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

Row = dict[str, Any]

ROOT = Path(__file__).parents[1]
WHEELS = ".venv-*/lib/python3*/site-packages/pgserver/pginstall/bin"
DEBIAN = "/usr/lib/postgresql"
USER, PASSWORD, DATABASE = "streak", "for-tests-alone", "streak"
TIMESTAMP = "timestamp with time zone"
TYPES = {
    "string": "text",
    "integer": "bigint",
    "number": "numeric",
    "boolean": "boolean",
    "array": "jsonb",
    "object": "jsonb",
}
NULL = "\x02null\x02"  # a text that no data contains
# The data need not survive a power cut.
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
QUIET = ("log_min_messages=fatal", "logging_collector=off")
STARTED_BY_ROOT = "nobody"


@dataclass(frozen=True)
class Database:
    """What a client needs to connect to a running server, and queries on it."""

    programs: Path
    port: int
    host: str = "127.0.0.1"
    user: str = USER
    password: str = PASSWORD
    name: str = DATABASE

    def sql(self, statements: str) -> str:
        """The output of psql, unaligned, without headings. AssertionError if a statement fails."""
        command = [self.programs / "psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        place = {"PGHOST": self.host, "PGPORT": str(self.port), "PGDATABASE": self.name}
        access = {"PGUSER": self.user, "PGPASSWORD": self.password, "PGCLIENTENCODING": "UTF8"}
        ran = subprocess.run(
            command,
            input=statements,
            env={**os.environ, **place, **access},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert ran.returncode == 0, f"{statements[:300]}\n{ran.stderr}"
        return ran.stdout

    def tables(self, schema: str) -> list[str]:
        """The tables of a schema, except a client's internal ones (`_…`)."""
        asked = f"SELECT tablename FROM pg_tables WHERE schemaname = {text(schema)} ORDER BY 1"
        return [table for table in self.sql(asked).splitlines() if not table.startswith("_")]

    def columns(self, schema: str, table: str) -> dict[str, str]:
        """The columns of a table with their types, in order."""
        asked = (
            "SELECT json_build_array(column_name, data_type) FROM information_schema.columns"
            f" WHERE table_schema = {text(schema)} AND table_name = {text(table)}"
            " ORDER BY ordinal_position"
        )
        return dict(json.loads(line) for line in self.sql(asked).splitlines())

    def create(self, schema: str, table: str, columns: Mapping[str, str]) -> None:
        """Create a table; `columns` with their types, as `type_of` gives them."""
        listed = ", ".join(f"{name(column)} {kind}" for column, kind in columns.items())
        self.sql(f"CREATE SCHEMA IF NOT EXISTS {name(schema)}")
        self.sql(f"CREATE TABLE {name(schema)}.{name(table)} ({listed})")

    def load(
        self, schema: str, table: str, columns: Mapping[str, str], rows: Iterable[Row]
    ) -> None:
        """Load rows of JSON values into a table, as Airbyte's destination casts them."""
        written = io.StringIO(newline="")
        lines = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for row in rows:
            lines.writerow([_cell(row.get(column), kind) for column, kind in columns.items()])
        listed = ", ".join(map(name, columns))
        options = f"FORMAT csv, NULL {text(NULL)}, FORCE_NULL ({listed})"
        copy = f"COPY {name(schema)}.{name(table)} ({listed}) FROM STDIN WITH ({options});"
        self.sql(f"{copy}\n{written.getvalue()}\\.\n")

    def rows(self, schema: str, table: str) -> list[Row]:
        """All rows of a table. Times are texts, numbers with a decimal point are Decimal."""
        asked = f"SELECT to_json(t)::text FROM {name(schema)}.{name(table)} AS t"
        found = self.sql(f"COPY ({asked}) TO STDOUT WITH (FORMAT csv)")
        csv.field_size_limit(2**31 - 1)
        lines = csv.reader(io.StringIO(found, newline=""))
        return [json.loads(line, parse_float=Decimal) for (line,) in lines]


def type_of(column: Mapping[str, Any]) -> str:
    """The type that Airbyte's destination-postgres gives a column of a stream's JSON schema."""
    kinds = column.get("type")
    kind = next(one for one in ([kinds] if isinstance(kinds, str) else kinds) if one != "null")
    if column.get("airbyte_type") == "timestamp_with_timezone":
        return TIMESTAMP
    return TYPES[kind]


def _cell(value: Any, kind: str) -> str:
    if value is None:
        return NULL
    if kind == "jsonb":
        return json.dumps(value, ensure_ascii=False)
    return value if isinstance(value, str) else json.dumps(value)


def text(value: str) -> str:
    """An SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def name(identifier: str) -> str:
    """A quoted SQL identifier, in the case as written."""
    return '"' + identifier.replace('"', '""') + '"'


def programs() -> Path:
    """The folder of `initdb`, `postgres` and `psql`. AssertionError if there is none."""
    found = [*sorted(ROOT.glob(WHEELS)), *_debian()]
    on_path = shutil.which("postgres")
    found += [Path(on_path).resolve().parent] if on_path else []
    there = [place for place in found if (place / "initdb").exists()]
    assert there, "No PostgreSQL: `make .venv-clients/ready`, or install Debian's postgresql."
    return there[0]


def _debian() -> list[Path]:
    versions = [place for place in Path(DEBIAN).glob("*/bin") if place.parent.name.isdecimal()]
    return sorted(versions, key=lambda place: int(place.parent.name), reverse=True)


@contextmanager
def server() -> Iterator[Database]:
    """A server with one empty database; it is removed at the end of the block."""
    database = Database(programs(), _free_port())
    folder = Path(tempfile.mkdtemp(prefix="streak-postgres-", dir="/tmp"))  # short, for sockets
    options: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam(STARTED_BY_ROOT)
        os.chown(folder, user.pw_uid, user.pw_gid)
        options = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    try:
        _make(database, folder, options)
        with _running(database, folder, options):
            yield database
    finally:
        shutil.rmtree(folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make(database: Database, folder: Path, options: dict[str, Any]) -> None:
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    command = [database.programs / "initdb", "--username", USER, "--pwfile", secret, "--no-sync"]
    command += ["--encoding", "UTF8", "--locale", "C", "--auth", "scram-sha-256"]
    ran = subprocess.run(
        [*command, "--pgdata", folder / "data"],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    assert ran.returncode == 0, ran.stderr


@contextmanager
def _running(database: Database, folder: Path, options: dict[str, Any]) -> Iterator[None]:
    command: list[Any] = [database.programs / "postgres", "-D", folder / "data", "-k", folder]
    command += ["-h", database.host, "-p", str(database.port)]
    for setting in (*QUICK, *QUIET):
        command += ["-c", setting]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd="/", stdout=log, stderr=log, **options)
        try:
            _wait(database, process, folder / "log")
            Database(database.programs, database.port, name="postgres").sql(
                f"CREATE DATABASE {name(DATABASE)}"
            )
            yield
        finally:
            process.terminate()
            process.wait(30)


def _wait(database: Database, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server accepts connections."""
    ready = [database.programs / "pg_isready", "-q", "-h", database.host, "-p", str(database.port)]
    for _ in range(300):
        assert process.poll() is None, log.read_text()
        if subprocess.run(ready, check=False).returncode == 0:
            return
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    raise AssertionError(f"PostgreSQL does not answer.\n{log.read_text()}")
