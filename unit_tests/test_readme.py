"""What is written for people agrees with the code: the README's streams, and the version wherever it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from source_streak import SourceStreak

TOP = Path(__file__).parents[1]
README, CHANGELOG, DOCKERFILE, PYPROJECT = (
    (TOP / name).read_text() for name in ("README.md", "CHANGELOG.md", "Dockerfile", "pyproject.toml")
)
METADATA: dict[str, Any] = yaml.safe_load((TOP / "metadata.yaml").read_text())["data"]
STREAMS = {stream.name: stream.primary_key for stream in SourceStreak().streams({"api_key": "any"})}


def first(pattern: str, text: str) -> str:
    """What the pattern's group finds first; the line may begin anywhere."""
    found = re.search(pattern, text, re.MULTILINE)
    assert found, pattern
    return found[1]


def test_the_table_of_streams_has_the_names_and_keys_of_the_code_in_its_order():
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (`[^|]+`) \| [^|]+ \|$", README.split("## Streams")[1].split("\n## ")[0], re.MULTILINE)

    written = [(name, re.findall(r"\w+", keys)) for name, keys in rows]

    assert written == [(name, [key] if isinstance(key, str) else key) for name, key in STREAMS.items()]


def test_the_table_of_settings_has_the_fields_and_titles_of_the_form():
    fields = SourceStreak().spec(None).connectionSpecification["properties"]

    written = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ", README.split("### Settings")[1].split("\n## ")[0], re.MULTILINE)

    assert written == [(name, field["title"]) for name, field in fields.items()]


def test_the_number_of_streams_is_the_code_s():
    assert {int(number) for number in re.findall(r"(\d+) streams", README)} <= {len(STREAMS)}


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
