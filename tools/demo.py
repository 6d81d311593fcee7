"""`make demo`: the connector's four commands as a user would type them, with their results.

Reads a sandbox, or a real account if STREAK_API_KEY is set, into a DuckDB file. With `--report` the
dbt package makes report.html from it. With `--quick` the connector's clock never waits (quick.py),
for the tests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import duckdb
import orjson
from progress import Progress
from questions import answer, questions
from runs import COMMAND, Message, configured, failure, finished, only, sandbox, stream_status

DATABASE = Path("streak.duckdb")
REPORT = Path(__file__).with_name("report.py")
DBT = Path(__file__).parents[1] / ".venv-dbt" / "bin" / "python"
ACCOUNT, RATE = "demo", 20  # for the sandbox; a real account is read at the connector's own rate
TODAY = "2026-06-01"  # the last day in that account's calendar
FORMATS = {"date-time": "TIMESTAMPTZ"}
TYPES = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
}  # JSON: all others
LONGEST = 64 * 1024 * 1024  # bytes of one record
ROW = "{:<26} {:>10} {:>9}"
NEXT = "SELECT name, pipelineName, stageName FROM boxes"
ANSWERS = 30  # rows: an account may have hundreds of stages


def main() -> NoReturn:
    """Ends with status 1 if anything could not be read."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # unwinds, which cleans up
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streak-demo-")))
            environment = account(stack, folder)
            whole = demo(folder, environment)
        if whole and "--report" in sys.argv:
            subprocess.run([DBT, REPORT], check=True)
    except KeyboardInterrupt:
        print("\nStopped.")
        sys.exit(130)
    sys.exit(0 if whole else 1)


def account(stack: ExitStack, folder: Path) -> dict[str, str]:
    """Writes config.json for the account to read; returns the environment to read it in."""
    key = os.environ.get("STREAK_API_KEY")
    if key:
        print("Reading the account of STREAK_API_KEY.")
        (folder / "config.json").write_bytes(orjson.dumps({"api_key": key}))
        return {name: value for name, value in os.environ.items() if name != "STREAK_API_KEY"}
    print(
        "No STREAK_API_KEY in the environment: reading a sandbox, "
        "a small Streak that runs on this machine."
    )
    shown(f"PYTHONPATH=sandbox python -m streak_sandbox --port 0 --account {ACCOUNT} &")
    streak = stack.enter_context(sandbox(account=ACCOUNT))
    shown(f"export STREAK_API_URL={streak.url}")
    (folder / "config.json").write_bytes(
        orjson.dumps({"api_key": streak.key, "requests_per_second": RATE})
    )
    return streak.environment


def demo(folder: Path, environment: dict[str, str]) -> bool:
    """Runs all four commands. Returns whether everything was read."""
    spec = only("SPEC", output("spec", folder, environment))
    fields = spec["spec"]["connectionSpecification"]["properties"]
    print(f"  settings: {', '.join(fields)}")
    status = only("CONNECTION_STATUS", output("check --config config.json", folder, environment))[
        "connectionStatus"
    ]
    if status["status"] != "SUCCEEDED":
        sys.exit(f"  {status['message']}")
    print("  the key works")
    lines = output("discover --config config.json > catalog.json", folder, environment)
    catalog = configured(only("CATALOG", lines))
    print(
        f"  {len(catalog['streams'])} streams; "
        "configured_catalog.json takes them all, each with full refresh"
    )
    (folder / "configured_catalog.json").write_bytes(orjson.dumps(catalog))
    return read(folder, environment, [chosen["stream"] for chosen in catalog["streams"]])


def read(folder: Path, environment: dict[str, str], streams: list[Message]) -> bool:
    """Reads into a new file that replaces the old one, with a table for each finished stream."""
    arguments = "read --config config.json --catalog configured_catalog.json"
    shown(f"source-streak {arguments}")
    fresh = DATABASE.with_name(f"{DATABASE.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        with (
            duckdb.connect(str(fresh)) as database,
            running(arguments, folder, environment) as process,
        ):
            rows = load(process.stdout, Tables(database, folder, streams))
            if "STREAK_API_URL" in environment:
                database.execute(f"CREATE TABLE _sandbox AS SELECT DATE '{TODAY}' AS today")
        whole = process.returncode == 0
        if rows or whole:
            fresh.replace(DATABASE)
            print(f"\nLoaded into {DATABASE}, one table for each stream.\n\n{funnel()}", end="")
            print(
                "docs/model.md has the SQL of this and of three more questions. "
                "To ask one of your own:\n"
            )
            query = f"""import duckdb; duckdb.connect("{DATABASE}").sql("{NEXT}").show()"""
            print(f"  {os.path.relpath(sys.executable)} -c '{query}'")
    finally:
        fresh.unlink(missing_ok=True)
    return whole


def funnel() -> str:
    """The first question of docs/model.md with its answer; empty if what it needs was not read."""
    question = questions()[0]
    try:
        with duckdb.connect(str(DATABASE), read_only=True) as database:
            return f"{question.title}\n\n{answer(database, question.sql, ANSWERS)}\n"
    except duckdb.Error:
        return ""


class Tables:
    """The streams as tables. Records wait in a file of JSON lines until their stream ends."""

    def __init__(
        self, database: duckdb.DuckDBPyConnection, folder: Path, streams: list[Message]
    ) -> None:
        self._database = database
        self._columns = {stream["name"]: columns(stream["json_schema"]) for stream in streams}
        self._files = {name: folder / f"{name}.jsonl" for name in self._columns}
        self._open: dict[str, BinaryIO] = {}
        for file in self._files.values():
            file.touch()

    def add(self, stream: str, record: Message) -> None:
        """One record of a stream."""
        if stream not in self._open:
            self._open[stream] = self._files[stream].open("wb")
        self._open[stream].write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))

    def load(self, stream: str) -> int:
        """Make the table; returns how many rows it has."""
        if stream in self._open:
            self._open.pop(stream).close()
        options = f"columns = {{{self._columns[stream]}}}, maximum_object_size = {LONGEST}"
        source = f"read_json($file, format = 'newline_delimited', {options})"
        table = f'CREATE TABLE "{stream}" AS SELECT * FROM {source}'  # noqa: S608 # names of the catalog, no stranger's
        self._database.execute(table, {"file": str(self._files[stream])})
        self._files[stream].unlink()
        return int(self._database.execute(f'SELECT count(*) FROM "{stream}"').fetchone()[0])  # noqa: S608


def columns(schema: Message) -> str:
    """A stream's columns for DuckDB: 'name': 'type', …"""
    quoted = (
        f"'{name.replace(chr(39), 2 * chr(39))}': '{kind(column)}'"
        for name, column in schema["properties"].items()
    )
    return ", ".join(quoted)


def kind(column: Message) -> str:
    """The DuckDB type of a column of the schema."""
    types = column.get("type", "object")
    types = [types] if isinstance(types, str) else [one for one in types if one != "null"]
    return FORMATS.get(column.get("format", "")) or (
        TYPES.get(types[0], "JSON") if len(types) == 1 else "JSON"
    )


def load(output: BinaryIO, tables: Tables) -> int:
    """Loads the read's records into tables, and prints a line for each stream that ends.

    Returns the number of rows.
    """
    began: dict[str, float] = {}
    rows, seconds = 0, 0.0
    said = set[str]()
    print("\n" + ROW.format("stream", "rows", "seconds"), flush=True)
    with Progress("Reading the account") as progress:
        for message in map(orjson.loads, output):
            progress.follow(message)
            if message["type"] == "RECORD":
                tables.add(message["record"]["stream"], message["record"]["data"])
            elif status := stream_status(message):
                stream, state, moment = status
                began.setdefault(stream, moment)
                if finished(state):
                    count, took = tables.load(stream), moment - began[stream]
                    rows, seconds = rows + count, seconds + took
                    whole = "" if state == "COMPLETE" else "  incomplete"
                    progress.say(line(stream, count, took) + whole, sys.stdout)
            elif (sentence := worth_saying(message)) and not any(one in sentence for one in said):
                said.add(sentence)
                progress.say(f"  {sentence}", sys.stdout)
    print(line("total", rows, seconds))
    return rows


def line(name: str, rows: int, seconds: float) -> str:
    """A row of the printed table."""
    return ROW.format(name, f"{rows:,}", f"{seconds:.1f}")


def worth_saying(message: Message) -> str | None:
    """The text of a warning or a failure; None for other messages."""
    log = message.get("log") or {}
    if log.get("level") == "WARN":
        return str(log["message"])
    return failure(message)


def output(arguments: str, folder: Path, environment: dict[str, str]) -> list[bytes]:
    """The lines that a command prints. A failure ends the demo with the connector's sentence."""
    shown(f"source-streak {arguments}")
    with running(arguments.partition(" > ")[0], folder, environment) as process:
        lines = process.stdout.readlines()
    if process.returncode:
        sentences = [sentence for sentence in map(failure, map(orjson.loads, lines)) if sentence]
        sys.exit(
            "\n".join(f"  {sentence}" for sentence in sentences)
            or f"  It ended with status {process.returncode}."
        )
    return lines


@contextmanager
def running(arguments: str, folder: Path, environment: dict[str, str]) -> Iterator[Any]:
    """Starts the connector. Terminates it if the block fails."""
    command = [sys.executable, "-m", "quick"] if "--quick" in sys.argv else [COMMAND]
    with subprocess.Popen(
        [*command, *arguments.split()], cwd=folder, env=environment, stdout=subprocess.PIPE
    ) as process:
        try:
            yield process
        except BaseException:
            process.terminate()
            raise


def shown(command: str) -> None:
    """The command as a user would type it."""
    print(f"\n$ {command}", flush=True)


if __name__ == "__main__":
    main()
