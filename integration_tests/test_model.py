"""docs/model.md: its diagrams match the code, and its queries give the answers that it prints."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pty
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import demo as command
import duckdb
import orjson
import pytest
from demo_account import demo
from questions import PAGE, Question, answer, questions, table

from source_streak import SourceStreak

QUESTIONS = questions()
README = (PAGE.parents[1] / "README.md").read_text()
TABLES = "boxes_PIPELINE"  # the diagram's name for the tables of pipelines: Mermaid allows no <


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    path, _ = demo()
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection


def drawn() -> dict[str, set[str]]:
    """The streams of the diagrams with the columns marked PK."""
    entities = re.findall(
        r"^    (\w+)(?:\[.*?\])? \{\n(.*?)^    \}", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
    assert len(entities) == len(dict(entities)), "a stream has its columns twice"
    return {
        name: set(re.findall(r"^ +\w+ (\w+) PK", columns, re.MULTILINE))
        for name, columns in entities
    }


def test_the_diagrams_have_every_stream_with_its_primary_key():
    streams = (
        SourceStreak()
        .discover(
            logging.getLogger("airbyte"),
            {"api_key": "for-discover-alone", "pipeline_tables": False},
        )
        .streams
    )
    keys = {
        stream.name: {path[0] for path in stream.source_defined_primary_key} for stream in streams
    }

    assert drawn() == {**keys, TABLES: {"box_key"}}


def test_every_line_of_the_diagrams_joins_streams_that_exist():
    ends = re.findall(r"^    (\w+) [|}][|o]--[|o][|{] (\w+) : ", PAGE.read_text(), re.MULTILINE)

    assert len(ends) > len(drawn()) / 2
    assert {name for pair in ends for name in pair} == drawn().keys()


def test_the_page_has_four_questions():
    assert len(QUESTIONS) == PAGE.read_text().count("```sql") == 4


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.title)
def test_each_query_gives_the_answer_that_the_page_prints(
    question: Question, database: duckdb.DuckDBPyConnection
):
    assert answer(database, question.sql) == question.answer, (
        "python tools/questions.py writes the new answers"
    )


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.title)
def test_no_answer_includes_a_deleted_box(question: Question, tmp_path: Path):
    shutil.copy(demo()[0], tmp_path / "deleted.duckdb")
    with duckdb.connect(str(tmp_path / "deleted.duckdb")) as database:
        database.execute(
            "INSERT INTO boxes SELECT * REPLACE ('Gone' AS name, readAt AS _ab_cdc_deleted_at) "
            "FROM boxes"
        )
        database.execute(
            "INSERT INTO boxes_sales SELECT * REPLACE ('Gone' AS name, read_at AS "
            "_ab_cdc_deleted_at) FROM boxes_sales"
        )

        assert answer(database, question.sql) == question.answer


def test_the_demo_prints_the_funnel():
    _, printed = demo()

    assert f"{QUESTIONS[0].title}\n\n{QUESTIONS[0].answer}" in printed


def test_readme_shows_what_the_demo_prints():
    """Except for the seconds."""
    told = re.search(r"```text\n(.+?)```", README, re.DOTALL)[1].replace("…\n", "")

    assert [line for line in plain(told) if line not in plain(demo()[1])] == []


def plain(text: str) -> list[str]:
    """The lines of a text, without times and without the padding of tables."""
    lines = [re.sub(r"(?<= )[\d.]+$", "", line.rstrip()) for line in text.splitlines()]
    return [re.sub(r"[ -]+", " ", line) for line in lines]


def test_the_page_says_how_many_boxes_the_demo_has(database: duckdb.DuckDBPyConnection):
    (boxes,) = database.execute("SELECT count(*) FROM boxes").fetchone()

    assert f"the sandbox's {boxes} boxes" in PAGE.read_text()


def test_a_demo_without_boxes_prints_no_funnel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    duckdb.connect("streak.duckdb").close()

    assert command.funnel() == ""


def test_a_long_answer_is_cut_and_counts_the_other_rows():
    with duckdb.connect() as database:
        assert (
            answer(database, "FROM range(40) t(n)", 2)
            == "|   n |\n|----:|\n|   0 |\n|   1 |\n… and 38 more rows\n"
        )


def test_line_breaks_bars_and_long_texts_stay_within_their_table_cell():
    assert table(["name"], [("a\nb | 株",), (None,), ("x" * 90,)]).splitlines()[2:] == [
        f"| a b \\| 株{' ' * 31} |",
        f"| {' ' * 40} |",
        f"| {'x' * 39}… |",
    ]


def test_the_demo_shows_its_progress_on_stderr_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Only in a terminal. stdout has no progress in it, so that it can be piped."""
    monkeypatch.setenv("TERM", "xterm")
    log = {"level": "INFO", "message": "1,000 of 4,000 boxes read, 9 records so far."}
    began = {"stream_descriptor": {"name": "boxes"}, "status": "STARTED"}
    messages = [
        {
            "type": "TRACE",
            "trace": {"type": "STREAM_STATUS", "stream_status": began, "emitted_at": 1},
        },
        {"type": "RECORD", "record": {"stream": "boxes", "data": {"key": "b1"}}},
        {"type": "LOG", "log": log},
    ]
    stream = {"name": "boxes", "json_schema": {"properties": {"key": {"type": "string"}}}}
    ours, theirs = pty.openpty()
    with duckdb.connect() as database, open(theirs, "w", closefd=False) as terminal:
        tables = command.Tables(database, tmp_path, [stream])
        with (
            contextlib.redirect_stderr(terminal),
            contextlib.redirect_stdout(io.StringIO()) as told,
        ):
            command.load(map(orjson.dumps, messages), tables)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)

    assert "boxes · 1 row" in shown
    assert "so far" not in told.getvalue()
