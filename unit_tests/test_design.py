"""What keeps the code simple, held by tests: each names the rule that was broken and where."""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import get_origin

import pytest

import source_streak.base
import source_streak.streams
from source_streak.stream import StreakStream
from source_streak.streams import STREAMS

CODE = Path(source_streak.base.__file__).parent

# Each may import what stands below it, and nothing else of ours.
FROM_TOP_TO_BOTTOM = (
    *(
        "__main__",
        "run",
        "__init__",
        "source",
        "streams",
        "tables",
        "base",
        "progress",
        "account",
        "box_lists",
        "client",
        "budget",
        "config",
    ),
    *("memory", "ledger", "faces", "paging", "columns", "fields", "records", "errors"),
)
KNOW_NO_FRAMEWORK = ("memory", "ledger", "faces", "paging", "errors", "columns", "fields", "records", "progress", "config")
MODULES = sorted(path.stem for path in CODE.glob("*.py"))
STREAM_CLASSES = [
    cls
    for _, cls in inspect.getmembers(source_streak.streams, inspect.isclass)
    if not get_origin(cls) and issubclass(cls, StreakStream) and cls.__module__.endswith(".streams")
]


def imports(module: str) -> Iterator[str]:
    """Every module or name that is imported anywhere in it, with dots."""
    for node in ast.walk(ast.parse((CODE / f"{module}.py").read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}.py imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(module: str) -> set[str]:
    """The modules of this package that it imports."""
    parts = [name.split(".") for name in imports(module)]
    return {part[1] for part in parts if part[0] == "source_streak" and part[1] in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    assert module in FROM_TOP_TO_BOTTOM, f"{module}.py is new: give it its place in FROM_TOP_TO_BOTTOM"
    below = FROM_TOP_TO_BOTTOM[FROM_TOP_TO_BOTTOM.index(module) + 1 :]

    assert ours(module) <= set(below)


@pytest.mark.parametrize("module", [module for module in KNOW_NO_FRAMEWORK if module in MODULES])
def test_what_is_pure_knows_no_framework(module: str) -> None:
    assert not [name for name in imports(module) if name.startswith("airbyte")]


@pytest.mark.parametrize("word", ["requests", "stream_state", "next_page_token", "airbyte_cdk"])
def test_the_streams_say_what_is_true_of_them_and_not_how_they_are_read(word: str) -> None:
    assert word not in (CODE / "streams.py").read_text()


@pytest.mark.parametrize("stream", STREAM_CLASSES, ids=lambda cls: cls.__name__)
def test_a_stream_is_at_most_20_lines(stream: type[StreakStream]) -> None:
    assert len(inspect.getsource(stream).splitlines()) <= 20


@pytest.mark.parametrize("stream", STREAM_CLASSES, ids=lambda cls: cls.__name__)
def test_a_streams_docstring_starts_with_streaks_own_page_of_it(stream: type[StreakStream]) -> None:
    assert (stream.__doc__ or "").startswith("https://streak.readme.io/")


def test_every_stream_is_in_the_table_once() -> None:
    assert Counter(STREAMS) == Counter(STREAM_CLASSES)


def test_no_stream_is_named_where_streams_are_read() -> None:
    names = {stream.__name__ for stream in STREAM_CLASSES}

    for module in MODULES:
        if module != "streams":
            assert not names & {part for name in imports(module) for part in name.split(".")}, f"{module}.py names a stream"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(ast.parse((CODE / f"{module}.py").read_text()))


def test_every_stream_has_its_schema_and_every_schema_its_stream() -> None:
    names = {"".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in cls.__name__).lstrip("_") for cls in STREAM_CLASSES}

    assert {path.stem for path in (CODE / "schemas").glob("*.json")} == names | {"pipeline_table"}
