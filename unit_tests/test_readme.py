"""What is written for people agrees with the code: the README's streams, how they are read, and the version wherever it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from source_streak import SourceStreak
from source_streak.streams import STREAMS as CLASSES

TOP = Path(__file__).parents[1]
README, CHANGELOG, INCREMENTAL, DOCKERFILE, PYPROJECT = (
    (TOP / name).read_text() for name in ("README.md", "CHANGELOG.md", "docs/incremental.md", "Dockerfile", "pyproject.toml")
)
METADATA: dict[str, Any] = yaml.safe_load((TOP / "metadata.yaml").read_text())["data"]
STREAMS = {stream.name: stream.primary_key for stream in SourceStreak().streams({"api_key": "any"})}
REMEMBERS = {name: cls.remembers for name, cls in zip(STREAMS, CLASSES, strict=True)}


def first(pattern: str, text: str) -> str:
    """What the pattern's group finds first; the line may begin anywhere."""
    found = re.search(pattern, text, re.MULTILINE)
    assert found, pattern
    return found[1]


def table_of_streams() -> list[tuple[str, str, str]]:
    """Name, primary key, and whether incremental, of each row."""
    row = r"^\| `(\w+)` \| [^|]+ \| (`[^|]+`) \| (yes|no) \| [^|]+ \|$"
    return re.findall(row, README.split("## Streams")[1].split("\n## ")[0], re.MULTILINE)


def test_the_table_of_streams_has_the_names_and_keys_of_the_code_in_its_order():
    written = [(name, re.findall(r"\w+", keys)) for name, keys, _ in table_of_streams()]

    assert written == [(name, [key] if isinstance(key, str) else key) for name, key in STREAMS.items()]


def test_the_table_of_streams_says_which_can_be_read_incrementally():
    assert {name: {"yes": True, "no": False}[incremental] for name, _, incremental in table_of_streams()} == REMEMBERS


def test_the_page_on_incremental_sync_has_every_stream_once_where_it_belongs():
    table, _, whole = INCREMENTAL.split("## Stream by stream")[1].split("\n## ")[0].partition("Read whole each time")
    incremental = re.findall(r"^\| `(\w+)`[^|]* \| ", table, re.MULTILINE)

    assert sorted(incremental) == sorted(name for name, remembers in REMEMBERS.items() if remembers)
    assert sorted(re.findall(r"`(\w+)`", whole)) == sorted(name for name, remembers in REMEMBERS.items() if not remembers)


def test_the_number_of_incremental_streams_is_the_code_s():
    assert first(r"(\d+) of its \d+ streams", README) == first(r"sync of (\d+) of them", CHANGELOG) == str(sum(REMEMBERS.values()))


def test_the_table_of_settings_has_the_fields_and_titles_of_the_form():
    fields = SourceStreak().spec(None).connectionSpecification["properties"]

    written = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ", README.split("### Settings")[1].split("\n## ")[0], re.MULTILINE)

    assert written == [(name, field["title"]) for name, field in fields.items()]


def test_the_number_of_streams_is_the_code_s():
    tables = 5  # of the sandbox's pipelines, which the demo shows
    assert {int(number) for number in re.findall(r"(\d+) streams", README)} <= {len(STREAMS), len(STREAMS) + tables}


@pytest.mark.parametrize(
    "version",
    [
        METADATA["dockerImageTag"],
        first(r"^## \[([\d.]+)\] - \d{4}-\d\d-\d\d$", CHANGELOG),
        first(r"^ARG VERSION=(.+)$", DOCKERFILE),
        first(r"^This version \(([\d.]+)\)", README),
    ],
    ids=["metadata.yaml", "CHANGELOG.md", "Dockerfile", "README.md"],
)
def test_the_version_is_that_of_pyproject_toml(version):
    assert version == first(r'^version = "(.+)"$', PYPROJECT)


def test_the_image_is_built_on_the_base_that_metadata_yaml_names():
    assert first(r"^ARG BASE_IMAGE=(.+)$", DOCKERFILE) == METADATA["connectorBuildOptions"]["baseImage"]


def test_the_suggested_streams_exist():
    assert set(METADATA["suggestedStreams"]["streams"]) <= STREAMS.keys()
