"""metadata.yaml fits Airbyte's own schema and model, and is true of this connector."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from airbyte_cdk.models.connector_metadata import MetadataFile
from jsonschema import Draft7Validator

from source_streak.config import STREAK

TOP = Path(__file__).parents[1]
METADATA: dict[str, Any] = yaml.safe_load((TOP / "metadata.yaml").read_text())
needs_models = pytest.mark.skipif(
    sys.version_info >= (3, 13), reason="airbyte-connector-models is for Python below 3.13"
)


def without_inner_ids(schema: Any) -> Any:
    """The schema without the $id of each part, which is that of the file it came from.

    With it, the references of the published schema lead nowhere.
    """
    if isinstance(schema, dict):
        return {
            key: without_inner_ids(value)
            for key, value in schema.items()
            if not (key == "$id" and isinstance(value, str))
        }
    return [without_inner_ids(item) for item in schema] if isinstance(schema, list) else schema


def published_schema() -> Any:
    from airbyte_connector_models.metadata import v0

    return without_inner_ids(
        json.loads((Path(v0.__file__).parent / "ConnectorMetadataDefinitionV0.json").read_text())
    )


def as_json(document: Any) -> Any:
    """The document with dates as texts: YAML has a type for dates, JSON has none."""
    return json.loads(json.dumps(document, default=str))


@needs_models
def test_airbytes_schema_accepts_metadata_yaml():
    assert [
        error.message
        for error in Draft7Validator(published_schema()).iter_errors(as_json(METADATA))
    ] == []


@needs_models
def test_airbytes_schema_refuses_wrong_metadata():
    """This shows that the references of the schema work."""
    wrong = as_json(METADATA)
    wrong["data"]["connectorTestSuitesOptions"][0]["suite"] = "guesses"
    wrong["data"]["unknown"] = True

    assert len(list(Draft7Validator(published_schema()).iter_errors(wrong))) == 2


@needs_models
def test_airbytes_model_accepts_metadata_yaml():
    from airbyte_connector_models.metadata.v0.connector_metadata_definition_v0 import (
        ConnectorMetadataDefinitionV0,
    )

    assert ConnectorMetadataDefinitionV0.model_validate(METADATA).data.name == "Streak"


def test_the_frameworks_reader_accepts_metadata_yaml():
    assert (
        MetadataFile.from_file(TOP / "metadata.yaml").data.dockerRepository
        == "ghcr.io/OWNER/source-streak"
    )


def test_the_allowed_host_is_the_one_that_requests_go_to():
    assert METADATA["data"]["allowedHosts"]["hosts"] == [urlsplit(STREAK).hostname]


def test_the_icon_is_square():
    icon = ET.parse(TOP / METADATA["data"]["icon"]).getroot()  # noqa: S314 # our own file
    width, height = icon.get("viewBox", "").split()[2:]

    assert float(width) == float(height) > 0


def test_the_test_suites_that_metadata_yaml_names_exist():
    suites = {option["suite"] for option in METADATA["data"]["connectorTestSuitesOptions"]}

    assert suites == {"unitTests", "integrationTests", "acceptanceTests"}
    assert all(
        (TOP / name).exists()
        for name in ("unit_tests", "integration_tests", "acceptance-test-config.yml")
    )


def test_the_seconds_between_messages_are_not_below_the_platforms_minimum():
    """The platform raises anything below three hours to three hours: DbConverter.kt:331-349."""
    assert METADATA["data"].get("maxSecondsBetweenMessages", 10_800) >= 10_800


def test_no_image_is_named_like_one_of_airbytes_own():
    """Airbyte would look up such a name in its registry, for updates and breaking changes."""
    assert not METADATA["data"]["dockerRepository"].startswith("airbyte/")
    named = ("Makefile", "Dockerfile", "README.md", "docs/streak.md", "acceptance-test-config.yml")
    assert [name for name in named if "airbyte/source-streak" in (TOP / name).read_text()] == []
