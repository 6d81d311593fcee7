"""metadata.yaml is what Airbyte's own schema and model of it accept, and says what is true of this
connector.
"""

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
    """Each part of the published schema kept the $id of the file that it came from, beside which
    its references lead nowhere.
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
    """YAML has dates of its own; JSON has not."""
    return json.loads(json.dumps(document, default=str))


@needs_models
def test_airbyte_s_schema_accepts_it():
    assert [
        error.message
        for error in Draft7Validator(published_schema()).iter_errors(as_json(METADATA))
    ] == []


@needs_models
def test_airbyte_s_schema_would_refuse_what_is_wrong():
    """That its references lead somewhere."""
    wrong = as_json(METADATA)
    wrong["data"]["connectorTestSuitesOptions"][0]["suite"] = "guesses"
    wrong["data"]["unknown"] = True

    assert len(list(Draft7Validator(published_schema()).iter_errors(wrong))) == 2


@needs_models
def test_airbyte_s_model_accepts_it():
    from airbyte_connector_models.metadata.v0.connector_metadata_definition_v0 import (
        ConnectorMetadataDefinitionV0,
    )

    assert ConnectorMetadataDefinitionV0.model_validate(METADATA).data.name == "Streak"


def test_the_framework_s_own_reader_accepts_it():
    assert (
        MetadataFile.from_file(TOP / "metadata.yaml").data.dockerRepository
        == "ghcr.io/OWNER/source-streak"
    )


def test_the_host_that_it_allows_is_the_one_that_is_asked():
    assert METADATA["data"]["allowedHosts"]["hosts"] == [urlsplit(STREAK).hostname]


def test_the_icon_is_square():
    icon = ET.parse(TOP / METADATA["data"]["icon"]).getroot()  # noqa: S314 # our own file
    width, height = icon.get("viewBox", "").split()[2:]

    assert float(width) == float(height) > 0


def test_the_suites_that_it_names_are_there():
    suites = {option["suite"] for option in METADATA["data"]["connectorTestSuitesOptions"]}

    assert suites == {"unitTests", "integrationTests", "acceptanceTests"}
    assert all(
        (TOP / name).exists()
        for name in ("unit_tests", "integration_tests", "acceptance-test-config.yml")
    )


def test_it_asks_for_no_time_that_the_platform_would_not_keep():
    """Less than three hours between two messages is raised to that: DbConverter.kt:331-349."""
    assert METADATA["data"].get("maxSecondsBetweenMessages", 10_800) >= 10_800


def test_nothing_is_named_as_airbyte_names_its_own():
    """Airbyte looks such a name up in its registry, for updates and breaking changes."""
    assert not METADATA["data"]["dockerRepository"].startswith("airbyte/")
    named = ("Makefile", "Dockerfile", "README.md", "docs/streak.md", "acceptance-test-config.yml")
    assert [name for name in named if "airbyte/source-streak" in (TOP / name).read_text()] == []
