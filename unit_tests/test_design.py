"""Rules that keep the code simple. Each failure names the broken rule and the place."""

from __future__ import annotations

import ast
import inspect
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import get_origin

import pytest

import source_streak.streams
from source_streak.stream import StreakStream
from source_streak.streams import STREAMS

CODE = Path(source_streak.streams.__file__).parent

# Each module or folder may import what is below it here, and anything in its own folder.
FROM_TOP_TO_BOTTOM = (
    "__main__",
    "run",  # the process
    "command",  # the command line
    "__init__",
    "source",  # spec, check, discover, which streams
    "streams",  # the facts of each stream
    "kinds",  # what several streams have in common
    "tables",
    "stream",  # a stream as the framework calls it
    "reading",  # one stream, one sync
    "incremental",  # the state of a stream
    "records",  # from rows to records
    "api",  # Streak over HTTP
    "config",
    "api.errors",  # what a refusal means: values that every module may use
)
KNOW_NO_FRAMEWORK = ("reading", "incremental", "records", "api", "config")
PURE = (
    *("incremental", "records", "api.paging", "api.bounds", "api.errors", "api.patience"),
    "api.parsing",
)
DO_SOMETHING = {"requests", "urllib3", "time", "socket", "os", "random", "logging"}
ON_THE_WIRE = {"api.client", "api.transport"}
LONGEST = {"file": 400, "class": 250, "function": 40}

MODULES = {
    ".".join(path.relative_to(CODE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(CODE.rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}
STREAM_CLASSES = [
    cls
    for _, cls in inspect.getmembers(source_streak.streams, inspect.isclass)
    if not get_origin(cls) and issubclass(cls, StreakStream) and cls.__module__.endswith(".streams")
]


def imports(module: str) -> Iterator[str]:
    """The dotted name of everything that the module imports."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str:
    """The entry of FROM_TOP_TO_BOTTOM that the module belongs to."""
    return module if module in FROM_TOP_TO_BOTTOM else module.partition(".")[0]


def rooms_used_by(module: str) -> set[str]:
    """The entries of FROM_TOP_TO_BOTTOM that the module imports from."""
    ours = (
        name.removeprefix("source_streak.")
        for name in imports(module)
        if name.startswith("source_streak.")
    )
    known = (
        next((part for part in (name, name.rpartition(".")[0]) if part in MODULES), None)
        for name in ours
    )
    return {room_of(name) for name in known if name}


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    room = room_of(module)
    assert room in FROM_TOP_TO_BOTTOM, f"{module} is new: give it its place in FROM_TOP_TO_BOTTOM"
    below = FROM_TOP_TO_BOTTOM[FROM_TOP_TO_BOTTOM.index(room) + 1 :]

    assert rooms_used_by(module) <= {room, *below}


@pytest.mark.parametrize(
    "module",
    [name for name in MODULES if room_of(name) in KNOW_NO_FRAMEWORK or name == "api.errors"],
)
def test_only_modules_above_reading_import_the_framework(module: str) -> None:
    assert not [name for name in imports(module) if name.startswith("airbyte")]


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith(PURE)])
def test_pure_modules_do_no_input_or_output_and_read_no_clock(module: str) -> None:
    assert not DO_SOMETHING & {name.partition(".")[0] for name in imports(module)}


@pytest.mark.parametrize("module", [name for name in MODULES if name not in ON_THE_WIRE])
def test_only_client_and_transport_import_requests_and_urllib3(module: str) -> None:
    assert not [
        name for name in imports(module) if name.partition(".")[0] in ("requests", "urllib3")
    ]


@pytest.mark.parametrize("module", [name for name in MODULES if name not in ("api.clock", "run")])
def test_only_the_clock_and_run_import_time(module: str) -> None:
    assert "time" not in {name.partition(".")[0] for name in imports(module)}


@pytest.mark.parametrize("module", MODULES)
def test_no_file_class_or_function_is_too_long(module: str) -> None:
    lines = MODULES[module].read_text().count("\n")
    assert lines <= LONGEST["file"], f"{module} has {lines} lines"
    for node in ast.walk(TREES[module]):
        kind = (
            "class"
            if isinstance(node, ast.ClassDef)
            else "function"
            if isinstance(node, ast.FunctionDef)
            else None
        )
        if kind:
            long = node.end_lineno - node.lineno + 1
            assert long <= LONGEST[kind], f"{module}: {node.name} has {long} lines"


@pytest.mark.parametrize("module", MODULES)
def test_no_private_name_of_the_framework_is_used(module: str) -> None:
    text = MODULES[module].read_text()
    for name in (
        "_fetch_next_page",
        "_http_client",
        "_session",
        "_wrapped_cursor_field",
        "_read_pages",
    ):
        assert f"self.{name}(" not in text or module in ON_THE_WIRE


@pytest.mark.parametrize(
    "word", ["import requests", "stream_state", "airbyte_cdk", "self.state", "self.account"]
)
@pytest.mark.parametrize("module", ["streams", "kinds"])
def test_streams_and_kinds_state_facts_and_contain_no_reading_code(module: str, word: str) -> None:
    assert word not in MODULES[module].read_text()


@pytest.mark.parametrize("stream", STREAM_CLASSES, ids=lambda cls: cls.__name__)
def test_a_stream_is_at_most_40_lines(stream: type[StreakStream]) -> None:
    assert len(inspect.getsource(stream).splitlines()) <= 40


@pytest.mark.parametrize("stream", STREAM_CLASSES, ids=lambda cls: cls.__name__)
def test_a_streams_docstring_starts_with_the_address_of_streaks_documentation(
    stream: type[StreakStream],
) -> None:
    assert (stream.__doc__ or "").startswith("https://streak.readme.io/")


def test_every_stream_is_in_the_table_once() -> None:
    assert Counter(STREAMS) == Counter(STREAM_CLASSES)


def test_no_module_but_streams_imports_a_stream_by_name() -> None:
    names = {stream.__name__ for stream in STREAM_CLASSES}

    for module in MODULES:
        if module != "streams":
            assert not names & {part for name in imports(module) for part in name.split(".")}, (
                f"{module} names a stream"
            )


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_docstring(module: str) -> None:
    assert ast.get_docstring(TREES[module])


def test_every_stream_has_its_schema_and_every_schema_its_stream() -> None:
    names = {
        "".join(
            f"_{letter.lower()}" if letter.isupper() else letter for letter in cls.__name__
        ).lstrip("_")
        for cls in STREAM_CLASSES
    }

    assert {path.stem for path in (CODE / "schemas").glob("*.json")} == names | {"pipeline_table"}


def test_tests_patch_fewer_than_20_things() -> None:
    replacing = re.compile(
        r"\bsetattr\(|mocker\.(patch|spy|stub)|monkeypatch\.(setattr|setitem|delattr)"
    )
    tests = [*CODE.parent.glob("unit_tests/*.py"), *CODE.parent.glob("integration_tests/*.py")]
    found = [
        f"{path.name}:{number}"
        for path in tests
        if path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if replacing.search(line)
    ]

    assert len(found) < 20, found
