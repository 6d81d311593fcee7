"""`make test-clients`: third-party clients of Airbyte connectors read the sandbox.

Each client runs as its users run it. The connector's own command reads the account at the same
moments, and each client must end up with the rows that the command wrote. Streams, keys and columns
come from discover. Not part of `make test`: the clients need their own environment, .venv-clients.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
from runs import COMMAND, Message, only
from streak_sandbox import Sandbox
from streak_sandbox.account import Account

pytestmark = pytest.mark.clients
ROOT = Path(__file__).parents[1]
CLIENTS = ROOT / ".venv-clients/bin"
BOXES, RATE = 30, 20
LONGEST = 300.0  # seconds for one command of a client
DELETED_AT = "_ab_cdc_deleted_at"
SERVERLESS = """
import json, sys
from airbyte_serverless.connections import Connection
asked = json.load(sys.stdin)
destination = {"connector": "print", "config": {}}
Connection({"source": asked["source"], "destination": destination}).run(state=asked["state"])
"""

Record = dict[str, Any]
Rows = dict[str, list[Record]]  # by stream


@dataclass
class Place:
    """Where one client runs: an account and a separate folder."""

    url: str
    config: Message
    folder: Path

    def run(self, *command: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command that must succeed."""
        environment = os.environ | {
            "STREAK_API_URL": self.url,
            "STREAK_API_KEY": self.config["api_key"],
            "AIRBYTE_OFFLINE_MODE": "1",
            "AIRBYTE_LOGGING_ROOT": str(self.folder / "logs"),
            "NO_COLOR": "1",
            "COLUMNS": "300",
        }
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        words = " ".join(map(str, command))[:200]
        assert done.returncode == 0, (
            f"{words}\nended with status "
            f"{done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
        return done

    def file(self, name: str, content: Any) -> str:
        """Write a JSON file for a command; returns its name."""
        (self.folder / name).write_bytes(orjson.dumps(content))
        return name


@dataclass
class ByHand:
    """The connector's command, which keeps its state from read to read.

    The clients are compared with what it writes.
    """

    place: Place
    states: dict[str, Message] = field(default_factory=dict)
    streams: dict[str, Message] = field(default_factory=dict)  # what discover says of each

    def read(self) -> Rows:
        """The records of one read."""
        self.place.file("config.json", self.place.config)
        lines = (
            self.place.run(COMMAND, "discover", "--config", "config.json")
            .stdout.encode()
            .splitlines()
        )
        self.streams = {
            stream["name"]: stream for stream in only("CATALOG", lines)["catalog"]["streams"]
        }
        catalog = {"streams": [self._configured(stream) for stream in self.streams.values()]}
        arguments = [
            "--config",
            "config.json",
            "--catalog",
            self.place.file("catalog.json", catalog),
        ]
        if self.states:
            arguments += ["--state", self.place.file("state.json", list(self.states.values()))]
        rows: Rows = {name: [] for name in self.streams}
        for message in map(
            orjson.loads, self.place.run(COMMAND, "read", *arguments).stdout.splitlines()
        ):
            if message["type"] == "RECORD":
                rows[message["record"]["stream"]].append(message["record"]["data"])
            elif message["type"] == "STATE":
                self.states[message["state"]["stream"]["stream_descriptor"]["name"]] = message[
                    "state"
                ]
        return rows

    def _configured(self, stream: Message) -> Message:
        mode = "incremental" if incremental(stream) else "full_refresh"
        return {"stream": stream, "sync_mode": mode, "destination_sync_mode": "append"}


@dataclass
class PyAirbyte:
    """examples/pyairbyte_duckdb.py as a user runs it, and the contents of its DuckDB file."""

    place: Place
    printed: list[str] = field(default_factory=list)  # stdout of each run
    complaints: list[str] = field(default_factory=list)  # stderr of each run

    def read(self, streams: dict[str, Message]) -> Rows:
        """Run the example; returns all rows of its tables, under Streak's own names."""
        done = self.place.run(CLIENTS / "python", ROOT / "examples/pyairbyte_duckdb.py", COMMAND)
        self.printed.append(done.stdout)
        self.complaints.append(done.stderr)
        with duckdb.connect(
            str(self.place.folder / "streak_cache.duckdb"), read_only=True
        ) as database:
            return {name: list(rows_of(database, stream)) for name, stream in streams.items()}


@dataclass
class Serverless:
    """airbyte-serverless with the destination that prints records.

    It keeps its state from read to read, as that destination prints it.
    """

    place: Place
    states: dict[str, Message] = field(default_factory=dict)

    def read(self, streams: dict[str, Message]) -> Rows:
        """The records of one read."""
        source = {"executable": COMMAND, "config": self.place.config}
        asked = orjson.dumps({"source": source, "state": list(self.states.values())}).decode()
        names = {f"_AIRBYTE_RAW_{name.upper()}": name for name in streams}
        rows: Rows = {name: [] for name in streams}
        for title, printed in titled(
            self.place.run(CLIENTS / "python", "-c", SERVERLESS, stdin=asked).stdout
        ):
            content = orjson.loads(printed["_airbyte_data"])
            if title in names:
                rows[names[title]].append(content)
            elif title == "_AIRBYTE_STATES":
                self.states[content["stream"]["stream_descriptor"]["name"]] = content
        return rows


@dataclass
class Story:
    """All reads, before and after the account changed."""

    hand: ByHand
    pyairbyte: PyAirbyte
    boxes: list[int] = field(default_factory=list)  # how many the account had at each read
    wrote: list[Rows] = field(default_factory=list)
    in_duckdb: list[Rows] = field(default_factory=list)
    printed: list[Rows] = field(default_factory=list)  # by airbyte-serverless

    @property
    def streams(self) -> dict[str, Message]:
        return self.hand.streams

    def expected(self, moment: int) -> Rows:
        """The rows that tables must hold after that read."""
        return merged(self.streams, self.wrote[: moment + 1])


def merged(streams: dict[str, Message], wrote: list[Rows]) -> Rows:
    """The newest row of each key of an incremental stream; else the rows of the last read."""
    tables: Rows = {}
    for name, stream in streams.items():
        reads = [rows[name] for rows in wrote]
        rows = [row for read in reads for row in read] if incremental(stream) else reads[-1]
        tables[name] = list({key_of(stream, row): row for row in rows}.values())
    return tables


@pytest.fixture(scope="module")
def streak() -> Iterator[Sandbox]:
    with Sandbox(boxes=BOXES) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clients")


@pytest.fixture(scope="module")
def story(streak: Sandbox, folder: Path) -> Story:
    """Two reads by each client, with changes in between."""
    hand = ByHand(place(streak, folder / "by-hand"))
    pyairbyte = PyAirbyte(place(streak, folder / "pyairbyte"))
    serverless = Serverless(place(streak, folder / "serverless"))
    told = Story(hand, pyairbyte)
    for moment in range(2):
        if moment:
            change(streak.account)
        told.boxes.append(len(streak.account.boxes))
        told.wrote.append(hand.read())
        with ThreadPoolExecutor() as pool:
            in_duckdb, printed = (
                pool.submit(pyairbyte.read, hand.streams),
                pool.submit(serverless.read, hand.streams),
            )
        told.in_duckdb.append(in_duckdb.result())
        told.printed.append(printed.result())
    return told


def place(streak: Sandbox, folder: Path) -> Place:
    folder.mkdir()
    return Place(streak.url, {"api_key": streak.key, "requests_per_second": RATE}, folder)


def change(account: Account) -> None:
    """Add, change and delete rows, in incremental and full refresh streams."""
    renamed, commented, deleted, moved, *_ = account.boxes
    commented_box, comment = next(
        (box, row) for box, row in account.all("comments") if box["key"] != deleted
    )
    pipeline = next(key for key in account.pipelines if key != account.boxes[moved]["pipelineKey"])
    stage = account.pipelines[pipeline]["stageOrder"][0]
    team = next(iter(account.teams))
    account.delete_comment(commented_box["key"], comment["key"])
    account.edit_box(renamed, name="Another name")
    account.add_comment(commented, "Since the first read")
    account.add_task(commented)
    account.add_box(pipeline, "Since the first read")
    account.move_box(moved, pipeline)
    account.delete_box(deleted)
    account.rename_stage(pipeline, stage, "Another name")
    account.edit_contact(account.contacts[team][0]["key"], givenName="Another name")
    account.add_contact(team)
    account.edit_organization(account.organizations[team][0]["key"], name="Another name")
    account.snippets.pop()


# --- What discover says ---------------------------------------------------------------------------


def incremental(stream: Message) -> bool:
    return "incremental" in stream["supported_sync_modes"]


def key_of(stream: Message, row: Record) -> tuple[Any, ...]:
    return tuple(row[column] for (column,) in stream["source_defined_primary_key"])


def in_sql(name: str) -> str:
    """The name that PyAirbyte gives a stream or a column."""
    plain = re.sub(r"[^a-z0-9]", "_", name.lower())
    return f"_{plain}" if plain[0].isdigit() else plain


# --- Comparing rows -------------------------------------------------------------------------------


def rows_of(database: duckdb.DuckDBPyConnection, stream: Message) -> Iterator[Record]:
    """A table's rows as the connector would have written them."""
    columns = stream["json_schema"]["properties"]
    names = ", ".join(f'"{in_sql(column)}"' for column in columns)
    found = database.execute(f'SELECT {names} FROM "{in_sql(stream["name"])}"')  # noqa: S608 # names from the catalog
    kinds = [str(column[1]) for column in found.description]
    for cells in found.fetchall():
        yield {
            column: as_written(cell, kind)
            for column, cell, kind in zip(columns, cells, kinds, strict=True)
        }


def as_written(cell: Any, kind: str) -> Any:
    """A cell in the form that it had in the record."""
    if kind == "JSON" and cell is not None:
        return orjson.loads(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(timespec="milliseconds") + "Z"
    return float(cell) if isinstance(cell, Decimal) else cell


def assert_same(stream: Message, found: list[Record], expected: list[Record]) -> None:
    """Assert that both hold the same rows, in any order.

    Null equals absent. Timestamps of a read differ, so only their presence counts.
    """
    name = stream["name"]
    assert len(found) == len(expected), f"{name}: {len(found)} rows instead of {len(expected)}"
    clocks = {DELETED_AT, *stream.get("default_cursor_field", ())}  # different in each read
    theirs = {key_of(stream, row): row for row in found}
    for row in expected:
        other = theirs.get(key_of(stream, row))
        assert other is not None, f"{name}: no row with the key {key_of(stream, row)}"
        columns = sorted(row.keys() | other.keys())
        wrong = [
            column
            for column in columns
            if not same(other.get(column), row.get(column), clock=column in clocks)
        ]
        assert not wrong, (
            f"{name}.{wrong[0]}: {other.get(wrong[0])!r} where the connector wrote "
            f"{row.get(wrong[0])!r}"
        )


def same(cell: Any, other: Any, clock: bool) -> bool:
    if clock:
        return (cell is None) == (other is None)
    if isinstance(other, float):
        return cell == pytest.approx(other, abs=1e-9)  # PyAirbyte's numbers have nine decimals
    return cell == other


def titled(printed: str) -> Iterator[tuple[str, Message]]:
    """Each JSON line that airbyte-serverless prints, with the table name printed above it."""
    title = ""
    for line in printed.splitlines():
        if line.startswith("_AIRBYTE_"):
            title = line
        elif line.startswith('{"'):
            yield title, orjson.loads(line)


# --- The tests ------------------------------------------------------------------------------------


def test_the_two_reads_hold_rows_of_every_stream_and_a_deletion(story: Story) -> None:
    first, second = story.wrote
    assert [
        name for name, rows in first.items() if not rows and not name.startswith("boxes_")
    ] == []  # a pipeline may be empty
    assert {"boxes", "box_comments", "contacts", "newsfeed"} <= {
        name for name in story.streams if second[name]
    }
    assert len(second["box_comments"]) < len(first["box_comments"]), (
        "the second read was not incremental"
    )
    assert any(row.get(DELETED_AT) for row in second["boxes"]), "the deleted box was not told"


def test_stream_and_column_names_stay_unique_in_lower_case(story: Story) -> None:
    """PyAirbyte and most warehouses fold names; equal names would overwrite each other."""
    assert [name for name, times in Counter(map(in_sql, story.streams)).items() if times > 1] == []
    for name, stream in story.streams.items():
        folded = Counter(map(in_sql, stream["json_schema"]["properties"]))
        assert [column for column, times in folded.items() if times > 1] == [], name


@pytest.mark.parametrize("moment", [0, 1], ids=["first", "incremental"])
def test_pyairbyte_has_every_row_that_the_connector_wrote(story: Story, moment: int) -> None:
    for name, rows in story.expected(moment).items():
        assert_same(story.streams[name], story.in_duckdb[moment][name], rows)


@pytest.mark.parametrize("moment", [0, 1], ids=["first", "incremental"])
def test_pyairbyte_has_no_primary_key_twice(story: Story, moment: int) -> None:
    for name, stream in story.streams.items():
        keys = Counter(key_of(stream, row) for row in story.in_duckdb[moment][name])
        assert [key for key, times in keys.items() if times > 1] == [], name


@pytest.mark.parametrize("moment", [0, 1], ids=["first", "incremental"])
def test_the_example_prints_how_many_rows_it_read(story: Story, moment: int) -> None:
    wrote = sum(map(len, story.wrote[moment].values()))
    assert f"First read: {wrote:,} rows" in story.pyairbyte.printed[moment]


@pytest.mark.parametrize("moment", [0, 1], ids=["first", "incremental"])
def test_the_example_counts_the_boxes_of_each_stage_without_deleted_ones(
    story: Story, moment: int
) -> None:
    shown = story.pyairbyte.printed[moment].partition("pipelinename")[2]
    boxes = sum(int(line.split()[-1]) for line in shown.splitlines()[1:])
    assert boxes == story.boxes[moment], "deleted boxes are counted"


def test_the_example_shows_no_stack_trace(story: Story) -> None:
    assert not [text for text in story.pyairbyte.complaints if "Traceback" in text]


def test_pyairbyte_validate_passes(streak: Sandbox, folder: Path) -> None:
    here = place(streak, folder / "validate")
    here.run(
        CLIENTS / "pyairbyte",
        "validate",
        f"--connector={COMMAND}",
        f"--config={here.file('config.json', here.config)}",
    )


@pytest.mark.parametrize("moment", [0, 1], ids=["first", "incremental"])
def test_airbyte_serverless_has_every_row_that_the_connector_wrote(
    story: Story, moment: int
) -> None:
    for name, rows in story.wrote[moment].items():
        assert_same(story.streams[name], story.printed[moment][name], rows)


def test_airbyte_serverless_writes_a_configuration_with_every_setting(
    streak: Sandbox, folder: Path
) -> None:
    here = place(streak, folder / "create")
    said = here.run(CLIENTS / "abs", "create", "streak", "--source", COMMAND).stdout
    assert "SUCCESS" in said  # its status is 0 in any case
    written = (here.folder / "connections/streak.yaml").read_text()
    spec = only("SPEC", here.run(COMMAND, "spec").stdout.encode().splitlines())
    for setting in spec["spec"]["connectionSpecification"]["properties"]:
        assert f"{setting}:" in written, setting


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, *sys.argv[1:]]))
