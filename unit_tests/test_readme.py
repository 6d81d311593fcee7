"""README, docs and metadata agree with the code.

Streams, keys, modes, settings, figures, messages, links, versions.
"""

from __future__ import annotations

import ast
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import estimate
import pytest
import set_owner
import yaml
from airbyte_cdk.models import AirbyteStream, SyncMode
from streak_sandbox import Sandbox

from source_streak import SourceStreak

TOP = Path(__file__).parents[1]
README, CHANGELOG, INCREMENTAL, PAGE, DOCKERFILE, PYPROJECT, LARGE, DOCKER, MODEL = (
    (TOP / name).read_text()
    for name in (
        "README.md",
        "CHANGELOG.md",
        "docs/incremental.md",
        "docs/streak.md",
        "Dockerfile",
        "pyproject.toml",
        "docs/large_accounts.md",
        "docs/docker.md",
        "docs/model.md",
    )
)
METADATA: dict[str, Any] = yaml.safe_load((TOP / "metadata.yaml").read_text())["data"]
FACTS: dict[str, dict[str, Any]] = yaml.safe_load((TOP / "docs/streams.yml").read_text())
TABLES = "boxes_<pipeline>"  # what the pages call the tables of pipelines
DEDUPED, OVERWRITE = "Incremental - Append + Deduped", "Full Refresh - Overwrite"
LINKED = ("*.md", ".github/**/*.md", "docs/**/*.md", "examples/**/*.md", "dbt/*.md")
LINKING = sorted({page for pattern in LINKED for page in TOP.glob(pattern)})
SPOKEN = sorted((TOP / "source_streak").rglob("*.py"))
# Messages after which there is nothing to do.
GOOD = {
    "… records so far.",
    "…; … records so far.",
}


def discovered() -> dict[str, AirbyteStream]:
    """All streams by name, with one table of a pipeline under the name that the pages use."""
    with Sandbox(account="empty") as sandbox, pytest.MonkeyPatch.context() as patch:
        sandbox.account.add_team("Team")
        sandbox.account.add_pipeline("Any")
        patch.setenv("STREAK_API_URL", sandbox.url)
        catalog = SourceStreak().discover(logging.getLogger("airbyte"), {"api_key": sandbox.key})
    return {stream.name.replace("boxes_any", TABLES): stream for stream in catalog.streams}


DISCOVERED = discovered()
KEYS = {
    name: [path[0] for path in one.source_defined_primary_key] for name, one in DISCOVERED.items()
}
CURSORS = {name: (one.default_cursor_field or [""])[0] for name, one in DISCOVERED.items()}
INCREMENTALLY = {
    name: SyncMode.incremental in one.supported_sync_modes for name, one in DISCOVERED.items()
}
STREAMS = DISCOVERED.keys() - {TABLES}


def first(pattern: str, text: str) -> str:
    """The first match of the pattern's group; ^ and $ match at every line."""
    found = re.search(pattern, text, re.MULTILINE)
    assert found, pattern
    return found[1]


def section(text: str, heading: str) -> str:
    """The text under a heading, up to the next heading of its level or above."""
    level = len(heading.split(maxsplit=1)[0])
    return re.split(rf"\n#{{1,{level}}} ", text.split(f"\n{heading}\n")[1])[0]


def names_in(text: str) -> list[str]:
    """All words that are set as code."""
    return re.findall(r"`([^`\n]+)`", text)


def page_s_streams() -> list[tuple[str, str, str, str]]:
    """Name, primary key, cursor and recommended sync mode in each row of the page's table."""
    row = r"^\| `([\w<>]+)` \| ([^|]+) \| ([^|]*)\| ([^|]+) \| [^|]+ \|$"
    return re.findall(row, section(PAGE, "## Supported Streams"), re.MULTILINE)


# --- Streams ---


def test_the_table_in_the_readme_has_every_stream_once() -> None:
    table = re.findall(r"^\| [^|]+ \| (`.+) \|$", section(README, "## Streams"), re.MULTILINE)

    assert sorted(name for cell in table for name in names_in(cell)) == sorted(DISCOVERED)


def test_the_readme_says_which_streams_are_incremental() -> None:
    told = first(r"^Incremental, with deletions: ((?:.|\n)+?)All others are read whole", README)

    assert sorted(names_in(told)) == sorted(name for name, can in INCREMENTALLY.items() if can)


def test_the_pages_table_of_streams_agrees_with_discover() -> None:
    written = page_s_streams()

    assert {name: names_in(keys) for name, keys, _, _ in written} == KEYS
    assert {name: "".join(names_in(cursor)) for name, _, cursor, _ in written} == CURSORS
    assert [name for name, *_ in written] == [*(one for one in DISCOVERED if one != TABLES), TABLES]


def test_every_cursor_is_source_defined_and_full_refresh_is_always_possible() -> None:
    for name, stream in DISCOVERED.items():
        assert stream.source_defined_cursor is (True if INCREMENTALLY[name] else None)
        assert SyncMode.full_refresh in stream.supported_sync_modes


def test_the_page_recommends_incremental_sync_wherever_it_is_possible() -> None:
    recommended = {name: mode.strip() for name, _, _, mode in page_s_streams()}

    assert recommended == {
        name: DEDUPED if can else OVERWRITE for name, can in INCREMENTALLY.items()
    }


def test_the_page_on_incremental_sync_has_every_stream_once_in_its_place() -> None:
    text = section(INCREMENTAL, "## Stream by stream")
    table, _, whole = text.partition("Read whole each time")
    cells = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    incremental = [name for cell in cells for name in names_in(cell)]

    assert sorted(incremental) == sorted(name for name, can in INCREMENTALLY.items() if can)
    assert sorted(names_in(whole)) == sorted(name for name, can in INCREMENTALLY.items() if not can)


def test_the_page_says_what_personal_data_every_stream_holds() -> None:
    table = re.findall(r"^\| (`[^|]+) \|", section(PAGE, "## Personal data"), re.MULTILINE)

    assert sorted(name for cell in table for name in names_in(cell)) == sorted(DISCOVERED)


def test_the_documentation_site_has_facts_about_every_stream() -> None:
    facts = {name: one for streams in FACTS.values() for name, one in streams.items()}

    assert sorted(facts) == sorted(DISCOVERED)
    assert all(one["what"].endswith(".") and one["requests"] for one in facts.values())


def test_the_diagram_of_the_model_shows_every_stream() -> None:
    drawn = set(re.findall(r"\w+", " ".join(re.findall(r"```mermaid(.*?)```", MODEL, re.DOTALL))))

    assert not STREAMS - drawn


def test_the_suggested_streams_exist() -> None:
    assert set(METADATA["suggestedStreams"]["streams"]) <= STREAMS


# --- SQL ---


def test_the_sql_for_given_up_keys_leaves_out_deleted_comments() -> None:
    """Boxes: one with fewer comments than before, one without, a deleted one, an unchanged one."""
    sql = first(r"```sql\n(SELECT c\.\*[^`]+)```", INCREMENTAL)
    with duckdb.connect() as database:
        database.execute("CREATE TABLE boxes (key TEXT, commentCount INT, _ab_cdc_deleted_at TEXT)")
        database.execute(
            "CREATE TABLE box_comments (boxKey TEXT, key TEXT, readAt INT, _ab_cdc_deleted_at TEXT)"
        )
        database.executemany(
            "INSERT INTO boxes VALUES (?, ?, ?)",
            [("fewer", 1, None), ("none", 0, None), ("dead", 1, "2026"), ("same", None, None)],
        )
        database.executemany(
            "INSERT INTO box_comments VALUES (?, ?, ?, ?)",
            [
                ("fewer", "stays", 2, None),
                ("fewer", "gone", 1, None),
                ("none", "gone too", 1, None),
                ("dead", "of a box that is gone", 1, None),
                ("nowhere", "of a box that is in no table", 1, None),
                ("same", "told deleted before", 1, "2026"),
                ("same", "old", 1, None),
            ],
        )
        left = database.execute(sql).fetchall()

    assert sorted(row[1] for row in left) == ["old", "stays"]


def test_the_counters_that_the_sql_needs_are_columns_of_boxes() -> None:
    table = section(INCREMENTAL, "## Where keys were given up").partition("| Table |")[2]
    counters = set(re.findall(r"\w+Count|\w+Total", table))
    schema = json.loads((TOP / "source_streak/schemas/boxes.json").read_text())

    assert len(counters) == 6
    assert counters <= schema["properties"].keys()


# --- Settings ---


def test_the_page_describes_the_fields_of_the_form_in_order_with_airbytes_anchors() -> None:
    fields = SourceStreak().spec(logging.getLogger("airbyte")).connectionSpecification["properties"]
    form = section(PAGE, "### The form")
    written = re.findall(r'<FieldAnchor field="(\w+)">\n\n\*\*([^*]+)\*\*: ', form)

    assert [field["order"] for field in fields.values()] == list(range(len(fields)))
    assert written == [(name, field["title"]) for name, field in fields.items()]
    assert form.count("<FieldAnchor") == form.count("</FieldAnchor>")


def test_no_title_or_description_in_the_form_looks_like_html() -> None:
    """Airbyte shows them as HTML and would leave out anything like a tag."""
    specification = SourceStreak().spec(logging.getLogger("airbyte")).connectionSpecification
    fields = specification["properties"].values()

    assert not [field for field in fields if "<" in field["title"] + field["description"]]


@pytest.mark.parametrize(
    ("setting", "value", "fits"),
    [
        ("api_key", "0123456789abcdef0123456789abcdef", True),
        ("api_key", "  strk_abcDEF-123\n", True),
        ("api_key", "", False),
        ("api_key", "a b", False),
        ("api_key", "schlüssel", False),
        ("api_key", "name:key", False),
        ("start_date", "", True),
        ("start_date", "2024-01-31", True),
        ("start_date", "2024-01-31T09:00:00Z", True),
        ("start_date", "2024-01-31 09:00:00.123+02:00", True),
        ("start_date", "31.1.2024", False),
        ("start_date", "2024-01-01/P1D", False),
    ],
)
def test_the_forms_patterns_accept_what_the_connector_accepts(
    setting: str, value: str, fits: bool
) -> None:
    field = json.loads((TOP / "source_streak/spec.json").read_text())
    field = field["connectionSpecification"]["properties"][setting]

    assert bool(re.search(field["pattern"], value)) is fits
    assert field["pattern_descriptor"]
    assert not re.search(r"\(\?P|\\Z|\\A|\(\?i", field["pattern"]), "not in JavaScript"


# --- Figures ---


def test_the_page_gives_the_time_for_a_first_sync_that_the_script_computes() -> None:
    accounts = [estimate.Account(boxes) for boxes in estimate.BOXES]

    assert estimate.table(accounts, list(estimate.RATES)) in LARGE
    assert estimate.table_of_texts(list(estimate.BOXES), estimate.RATES[0]) in LARGE


@pytest.mark.parametrize("page", ["README.md", "docs/streak.md", "docs/incremental.md"])
def test_every_page_gives_the_same_time_for_box_changes_and_box_documents(page: str) -> None:
    told = " ".join((TOP / page).read_text().split())
    costs = [
        estimate.duration(estimate.seconds(boxes, estimate.RATES[0])) for boxes in (10_000, 100_000)
    ]

    assert f"10,000 boxes {costs[0]} each, 100,000 boxes {costs[1]}" in told


def test_the_readme_says_how_many_points_are_open() -> None:
    points = re.findall(r"^\| \d+ \|", (TOP / "docs/open_points.md").read_text(), re.MULTILINE)

    assert first(r"account: (\d+) \[points", README) == str(len(points))


# --- Versions and owner ---


@pytest.mark.parametrize(
    "version",
    [
        METADATA["dockerImageTag"],
        first(r"^## \[([\d.]+)\] - \d{4}-\d\d-\d\d$", CHANGELOG),
        first(r"^ARG VERSION=(.+)$", DOCKERFILE),
        first(r"^\| ([\d.]+) \| \d{4}-\d\d-\d\d \|", PAGE),
        first(r"^ *\| Docker image tag \| `([\d.]+)` \|$", PAGE),
        first(r"the tag `([\d.]+)`", README),
        *sorted(set(re.findall(r"source-streak:(\d[\d.]*\d)", PAGE + README + DOCKER))),
    ],
)
def test_every_file_gives_the_version_of_pyproject_toml(version: str) -> None:
    assert version == first(r'^version = "(.+)"$', PYPROJECT)


def test_the_changelogs_have_the_same_versions_and_dates() -> None:
    ours = re.findall(r"^## \[([\d.]+)\] - ([\d-]+)$", CHANGELOG, re.MULTILINE)
    page = section(PAGE, "## Changelog")

    assert re.findall(r"^\| ([\d.]+) \| ([\d-]+) \|", page, re.MULTILINE) == ours
    assert ours[0][1] == str(METADATA["releaseDate"])


def test_the_image_is_built_on_the_base_that_metadata_yaml_names() -> None:
    base = METADATA["connectorBuildOptions"]["baseImage"]

    assert first(r"^ARG BASE_IMAGE=(.+)$", DOCKERFILE) == base


def test_one_script_sets_the_owner_everywhere_and_sets_it_back(tmp_path: Path) -> None:
    texts = {
        "pyproject.toml": 'repository = "https://github.com/OWNER/source-streak"\n',
        "page.md": "ghcr.io/OWNER/source-streak:1 https://OWNER.github.io/source-streak/ OWNER\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    set_owner.subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    set_owner.subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)

    set_owner.set_owner(tmp_path, "Ada-Example")
    page = (tmp_path / "page.md").read_text()
    set_owner.set_owner(tmp_path, "OWNER")

    assert set_owner.owner(tmp_path) == "OWNER"
    assert page == (
        "ghcr.io/ada-example/source-streak:1 https://ada-example.github.io/source-streak/ OWNER\n"
    )


def test_every_repository_address_names_the_same_owner() -> None:
    """tools/set_owner.py would not find any other."""
    owner = set_owner.owner(TOP)
    mentions = [
        f"{file.relative_to(TOP)}: {line}"
        for file in set_owner.text_files(TOP)
        if file.suffix in (".md", ".yml", ".yaml", ".toml", ".json") or file.name == "Dockerfile"
        for line in file.read_text().splitlines()
        for found in re.findall(r"(?:github\.com|ghcr\.io)/([\w-]+)/source-streak", line)
        if found.lower() != owner.lower()
    ]

    assert not mentions


# --- Links ---


def prose(page: Path) -> str:
    """The page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def links() -> Iterator[tuple[str, str, str]]:
    """File, target and anchor of each link to a file of this project."""
    for page in LINKING:
        for link in re.findall(
            r"\]\(([^)\s]+)\)|srcset=\"([^\"]+)\"|src=\"([^\"]+)\"", prose(page)
        ):
            address = next(filter(None, link))
            if not re.match(r"[a-z]+:", address):
                target, _, anchor = address.partition("#")
                yield str(page.relative_to(TOP)), target, anchor


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes from a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {one.strip().replace(" ", "-") for one in plain}


@pytest.mark.parametrize(("page", "target", "anchor"), sorted(set(links())))
def test_a_link_leads_to_a_file_and_a_heading_that_exist(
    page: str, target: str, anchor: str
) -> None:
    file = (TOP / page).parent / target if target else TOP / page

    assert file.exists()
    assert not anchor or file.suffix == ".svg" or anchor in anchors(file)


# --- Sentences ---


def sentences() -> Iterator[tuple[str, str]]:
    """Module and text of every string in the code that reads like a sentence, without docstrings.

    `…` stands for a value that is filled in.
    """
    for path in SPOKEN:
        tree = ast.parse(path.read_text())
        inside = {
            id(part)
            for node in ast.walk(tree)
            if isinstance(node, ast.JoinedStr | ast.Expr)
            for part in ast.iter_child_nodes(node)
        }
        for node in ast.walk(tree):
            if id(node) in inside:
                continue
            text = spoken(node)
            if re.search(r"[a-z)…\"][.]$", text) and len(text.split()) > 3 and text not in GOOD:
                yield str(path.relative_to(TOP / "source_streak")), text


def spoken(node: ast.AST) -> str:
    """A string of the code, with … for the values that are filled in."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    if not all(isinstance(part, ast.Constant | ast.FormattedValue) for part in parts):
        return ""
    said = (part.value if isinstance(part, ast.Constant) else "…" for part in parts)
    return "".join(map(str, said)).replace("%s", "…")


@pytest.mark.parametrize(("module", "sentence"), sorted(set(sentences())))
def test_the_page_says_what_to_do_about_every_message(module: str, sentence: str) -> None:
    """The page has the first words between two values that are filled in."""
    pieces = [piece.strip(' ,.;"()').split() for piece in re.split(r"…|[.:] ", sentence)]
    telling = next((piece for piece in pieces if len(piece) > 2), max(pieces, key=len))

    assert " ".join(telling[:6]) in PAGE
