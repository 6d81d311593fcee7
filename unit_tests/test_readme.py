"""What is written for people agrees with the code: streams, keys and modes, sentences, links, and the version wherever it stands."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from airbyte_cdk.models import AirbyteStream, SyncMode

from source_streak import SourceStreak
from source_streak.account import Account
from source_streak.records.columns import schema_of
from source_streak.config import Config
from source_streak.tables import PipelineTable, fixed_columns

TOP = Path(__file__).parents[1]
README, CHANGELOG, INCREMENTAL, PAGE, DOCKERFILE, PYPROJECT = (
    (TOP / name).read_text()
    for name in ("README.md", "CHANGELOG.md", "docs/incremental.md", "docs/streak.md", "Dockerfile", "pyproject.toml")
)
METADATA: dict[str, Any] = yaml.safe_load((TOP / "metadata.yaml").read_text())["data"]
TABLES = "boxes_<pipeline>"  # how the pages call the tables of pipelines
DEDUPED, OVERWRITE = "Incremental - Append + Deduped", "Full Refresh - Overwrite"
LINKING = sorted({*TOP.glob("*.md"), *TOP.glob("docs/**/*.md"), *TOP.glob("examples/*/*.md")})
SPOKEN = ("account", "base", "box_lists", "client", "config", "errors", "memory", "source", "streams", "tables")  # modules with sentences


def a_table() -> AirbyteStream:
    """What discover says of any pipeline's table."""
    schema = schema_of({"key": "any", "name": "any"}, fixed_columns())
    return PipelineTable(Account(Config(api_key="any")), TABLES, schema, frozenset()).as_airbyte_stream()


FIXED = SourceStreak().discover(logging.getLogger("airbyte"), {"api_key": "any", "pipeline_tables": False}).streams
DISCOVERED = {stream.name: stream for stream in [*FIXED, a_table()]}
KEYS = {name: [path[0] for path in stream.source_defined_primary_key] for name, stream in DISCOVERED.items()}
CURSORS = {name: (stream.default_cursor_field or [""])[0] for name, stream in DISCOVERED.items()}
REMEMBERS = {name: SyncMode.incremental in stream.supported_sync_modes for name, stream in DISCOVERED.items()}
STREAMS = {stream.name for stream in FIXED}


def first(pattern: str, text: str) -> str:
    """What the pattern's group finds first; the line may begin anywhere."""
    found = re.search(pattern, text, re.MULTILINE)
    assert found, pattern
    return found[1]


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next of its level or above."""
    level = len(heading.split(maxsplit=1)[0])
    return re.split(rf"\n#{{1,{level}}} ", text.split(f"\n{heading}\n")[1])[0]


def names_in(text: str) -> list[str]:
    """All that is written as code."""
    return re.findall(r"`([^`\n]+)`", text)


def readme_s_streams() -> list[tuple[str, str, str]]:
    """Name, primary key, and whether incremental, of each row."""
    row = r"^\| `([\w<>]+)` \| [^|]+ \| (`[^|]+`) \| (yes|no) \| [^|]+ \|$"
    return re.findall(row, section(README, "## Streams"), re.MULTILINE)


def page_s_streams() -> list[tuple[str, str, str, str]]:
    """Name, primary key, cursor and recommended sync mode of each row."""
    row = r"^\| `([\w<>]+)` \| ([^|]+) \| ([^|]*)\| ([^|]+) \| [^|]+ \|$"
    return re.findall(row, section(PAGE, "## Supported Streams"), re.MULTILINE)


def test_readme_s_tables_of_streams_are_what_discover_says():
    written = readme_s_streams()

    assert [(name, names_in(keys)) for name, keys, _ in written] == list(KEYS.items())
    assert {name: incremental == "yes" for name, _, incremental in written} == REMEMBERS


def test_the_page_s_table_of_streams_is_what_discover_says():
    written = page_s_streams()

    assert [(name, names_in(keys)) for name, keys, _, _ in written] == list(KEYS.items())
    assert {name: "".join(names_in(cursor)) for name, _, cursor, _ in written} == CURSORS


def test_no_cursor_is_to_be_chosen_and_full_refresh_is_always_possible():
    for name, stream in DISCOVERED.items():
        assert stream.source_defined_cursor is (True if REMEMBERS[name] else None)
        assert SyncMode.full_refresh in stream.supported_sync_modes


def test_every_page_recommends_the_same_sync_modes():
    recommended = {name: mode.strip() for name, _, _, mode in page_s_streams()}
    incrementally = {name for name, mode in recommended.items() if mode == DEDUPED}
    table = section(INCREMENTAL, "## Stream by stream")
    rows = re.findall(r"^\| `(\w+)`.* \| (incremental|either, see below) \|$", table, re.MULTILINE)

    assert set(recommended.values()) == {DEDUPED, OVERWRITE}
    assert all(REMEMBERS[name] for name in incrementally)
    assert incrementally == {name for name, mode in rows if mode == "incremental"}
    assert incrementally == set(names_in(first(r"\*Incremental \| Append \+ Deduped\* for ((?:[^*]|\n)+), \*Full", README)))
    assert incrementally == set(names_in(first(r"\*\*Incremental \| Append \+ Deduped\*\* for ((?:[^*]|\n)+),\n\*\*Full", INCREMENTAL)))


def test_the_page_on_incremental_sync_has_every_stream_once_where_it_belongs():
    table, _, whole = section(INCREMENTAL, "## Stream by stream").partition("Read whole each time")
    incremental = [name for cell in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for name in names_in(cell)]

    assert sorted(incremental) == sorted(name for name, remembers in REMEMBERS.items() if remembers)
    assert sorted(names_in(whole)) == sorted(name for name, remembers in REMEMBERS.items() if not remembers)


def test_the_page_says_of_every_stream_what_it_holds_of_people():
    table = re.findall(r"^\| (`[^|]+) \|", section(PAGE, "## Personal data"), re.MULTILINE)

    assert sorted(name for cell in table for name in names_in(cell)) == sorted(DISCOVERED)


def test_the_number_of_incremental_streams_is_the_code_s():
    incremental = str(sum(REMEMBERS[name] for name in STREAMS))

    for pattern, text in (
        (r"(\d+) of its \d+ streams", README),
        (r"sync of (\d+) of them", CHANGELOG),
        (r"(\d+) streams and the tables", PAGE),
    ):
        assert first(pattern, text) == incremental


def test_the_tables_of_settings_have_the_fields_of_the_form_in_its_order():
    fields = SourceStreak().spec(None).connectionSpecification["properties"]
    assert [field["order"] for field in fields.values()] == list(range(len(fields)))

    readme = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ", section(README, "### Settings"), re.MULTILINE)
    page = re.findall(r"^\| ([A-Z][^|]+) \| ", section(PAGE, "### The form"), re.MULTILINE)

    assert readme == [(name, field["title"]) for name, field in fields.items()]
    assert page == ["Field", *(field["title"] for field in fields.values())]


def test_the_form_shows_all_of_its_descriptions():
    """Airbyte shows them as HTML: what looks like a tag would be left out."""
    specification = SourceStreak().spec(None).connectionSpecification["properties"]

    assert not [field for field in specification.values() if "<" in field["title"] + field["description"]]


def test_the_number_of_streams_is_the_code_s():
    tables = 5  # of the sandbox's pipelines, which the demo shows
    assert {int(number) for number in re.findall(r"(\d+) streams", README)} <= {len(STREAMS), len(STREAMS) + tables}
    assert first(r"version: (\d+) streams", PAGE) == str(len(STREAMS))


@pytest.mark.parametrize(
    "version",
    [
        METADATA["dockerImageTag"],
        first(r"^## \[([\d.]+)\] - \d{4}-\d\d-\d\d$", CHANGELOG),
        first(r"^ARG VERSION=(.+)$", DOCKERFILE),
        first(r"^This version \(([\d.]+)\)", README),
        first(r"^\| ([\d.]+) \| \d{4}-\d\d-\d\d \|", PAGE),
        *sorted(set(re.findall(r"source-streak:([\d.]+)", PAGE))),
        first(r"^   \| Docker image tag \| `([\d.]+)` \|$", PAGE),
    ],
)
def test_the_version_is_that_of_pyproject_toml(version):
    assert version == first(r'^version = "(.+)"$', PYPROJECT)


def test_the_changelogs_have_the_same_versions_and_dates():
    ours = re.findall(r"^## \[([\d.]+)\] - ([\d-]+)$", CHANGELOG, re.MULTILINE)

    assert re.findall(r"^\| ([\d.]+) \| ([\d-]+) \|", section(PAGE, "## Changelog"), re.MULTILINE) == ours
    assert ours[0][1] == str(METADATA["releaseDate"])


def test_the_image_is_built_on_the_base_that_metadata_yaml_names():
    assert first(r"^ARG BASE_IMAGE=(.+)$", DOCKERFILE) == METADATA["connectorBuildOptions"]["baseImage"]


def test_the_suggested_streams_exist():
    assert set(METADATA["suggestedStreams"]["streams"]) <= STREAMS


def links() -> Iterator[tuple[str, str, str]]:
    """File, target and anchor of each link that leads to a file of this project."""
    for page in LINKING:
        prose = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\(([^)\s]+)\)", prose):
            if not re.match(r"[a-z]+:", link):
                target, _, anchor = link.partition("#")
                yield str(page.relative_to(TOP)), target, anchor


def anchors(page: Path) -> set[str]:
    """Those that GitHub makes of a page's headings."""
    prose = re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("page", "target", "anchor"), sorted(set(links())))
def test_a_link_leads_to_a_file_and_a_heading_that_exist(page, target, anchor):
    file = (TOP / page).parent / target if target else TOP / page

    assert file.exists()
    assert not anchor or anchor in anchors(file)


def sentences() -> Iterator[tuple[str, str]]:
    """Module and text of everything in the code that reads like a sentence: `…` where something is put in. No docstrings."""
    for module in SPOKEN:
        tree = ast.parse((TOP / f"source_streak/{module}.py").read_text())
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr | ast.Expr) for part in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            parts = node.values if isinstance(node, ast.JoinedStr) else [node] if isinstance(node, ast.Constant) else []
            if id(node) in inside:
                continue
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in parts).replace("%s", "…")
            if re.search(r"[a-z)…\"][.]$", text) and len(text.split()) > 3:
                yield module, text


@pytest.mark.parametrize(("module", "sentence"), sorted(set(sentences())))
def test_the_page_says_of_every_message_what_to_do(module, sentence):
    """Its first words between two things that are put in are on the page."""
    pieces = [piece.strip(' ,.;"()').split() for piece in re.split(r"…|[.:] ", sentence)]
    telling = next((piece for piece in pieces if len(piece) > 2), max(pieces, key=len))

    assert " ".join(telling[:6]) in PAGE
