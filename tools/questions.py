"""The questions of docs/model.md, each with its SQL and the answer of the demo's account.

The page is the only place that has them.

    python tools/questions.py    # writes the answers from streak.duckdb (`make demo`) into the page
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

PAGE = Path(__file__).parents[1] / "docs" / "model.md"
ONE = re.compile(
    r"^### (?P<title>[^\n]+\?)\n(?:(?!^#).)*?"
    r"^```sql\n(?P<sql>.*?)^```\n\n(?P<answer>(?:^\|[^\n]*\n)+)",
    re.MULTILINE | re.DOTALL,
)
LONGEST = 40  # characters of a value: names in a real account may be long


@dataclass(frozen=True)
class Question:
    """One heading of the page, with the two blocks below it."""

    title: str
    sql: str
    answer: str


def questions(page: str | None = None) -> list[Question]:
    """The page's questions, in order."""
    return [Question(**found.groupdict()) for found in ONE.finditer(page or PAGE.read_text())]


def answer(database: duckdb.DuckDBPyConnection, sql: str, rows: int | None = None) -> str:
    """A query's result as a Markdown table, cut after `rows` rows."""
    database.execute("SET TimeZone = 'UTC'")
    result = database.execute(sql)
    names, values = [str(column[0]) for column in result.description], result.fetchall()
    shown = values if rows is None else values[:rows]
    more = f"… and {len(values) - len(shown)} more rows\n" if len(shown) < len(values) else ""
    return table(names, shown) + more


def table(names: list[str], rows: list[tuple[Any, ...]]) -> str:
    """A table with aligned columns and numbers to the right, readable in a terminal too."""
    right = [
        any(isinstance(row[place], int | float) for row in rows) for place in range(len(names))
    ]
    cells = [names, *([plain(value) for value in row] for row in rows)]
    widths = [max(3, *(width(row[place]) for row in cells)) for place in range(len(names))]
    lines = [line(row, widths, right) for row in cells]
    rule = "|".join(
        "-" * (wide + 1) + (":" if to_the_right else "-")
        for wide, to_the_right in zip(widths, right, strict=True)
    )
    return "\n".join((lines[0], f"|{rule}|", *lines[1:], ""))


def line(cells: list[str], widths: list[int], right: list[bool]) -> str:
    """A row of the table."""
    padded = []
    for cell, wide, to_the_right in zip(cells, widths, right, strict=True):
        room = " " * (wide - width(cell))
        padded.append(room + cell if to_the_right else cell + room)
    return f"| {' | '.join(padded)} |"


def plain(value: Any) -> str:
    """A value on one short line, without characters that would end a table cell."""
    text = " ".join(str("" if value is None else value).split())
    return (text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…").replace("|", "\\|")


def width(text: str) -> int:
    """How many columns a text takes in a terminal."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def main() -> None:
    """Rewrites the page with the answers from streak.duckdb."""
    page = PAGE.read_text()
    with duckdb.connect("streak.duckdb", read_only=True) as database:
        for question in questions(page):
            page = page.replace(question.answer, answer(database, question.sql))
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
