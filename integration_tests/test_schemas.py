"""Schemas and records, compared in both directions.

Only records can show that a schema is right.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import Read, Reading, reading
from destination import DELETED_AT, Record, discovered
from jsonschema import Draft7Validator, FormatChecker
from streak_sandbox import Sandbox

import source_streak
from source_streak import SourceStreak
from source_streak.records.columns import schema_of
from source_streak.records.shape import OTHER, OTHER_IN_TABLES, SECRETS
from source_streak.streams import STREAMS
from source_streak.tables import fixed_columns

Schema = Mapping[str, Any]
SCHEMAS: dict[str, Schema] = {stream.name: stream.json_schema for stream in discovered().streams}
PRIMARY_KEYS = {
    stream.name: [name for (name,) in stream.source_defined_primary_key]
    for stream in discovered().streams
}
TABLE = "boxes_sales"  # represents all tables of pipelines
SCHEMAS[TABLE] = schema_of(Sandbox().account.pipeline_named("Sales"), fixed_columns())
PRIMARY_KEYS[TABLE] = ["box_key"]
TIME = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z"
)
TIMES = FormatChecker(formats=())


@TIMES.checks("date-time")
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(TIME.fullmatch(value))


every_stream = pytest.mark.parametrize("stream", sorted(SCHEMAS))


@dataclass(frozen=True)
class Account:
    """The sandbox's default account, read twice: with the pipelines of v2, and with those of v1."""

    streak: Sandbox
    readings: tuple[Reading, Reading]

    def records(self, stream: str) -> list[Record]:
        return [record for read_ in self.readings for record in read_.records[stream]]


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with Sandbox() as streak, reading(streak) as read:
        catalog = SourceStreak().discover(
            logging.getLogger("airbyte"), {"api_key": streak.key, "pipelines": ["Sales"]}
        )
        v2 = read(debug=True, catalog=catalog)
        streak.moods.v2_pipelines_missing = True
        yield Account(
            streak,
            (v2, read("pipelines", "pipeline_stages", "pipeline_fields", "pipeline_members")),
        )


def declared(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield every property at any depth, with its path.

    The contents of a free-form object are not declared.
    """
    for name, inner in schema.get("properties", {}).items():
        yield f"{path}{name}", inner
        yield from declared(inner, f"{path}{name}.")
    if "items" in schema:
        yield from declared(schema["items"], path)


def present(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """Yield the paths of all declared properties that have a value."""
    if isinstance(value, list):
        for one in value:
            yield from present(one, schema.get("items", {}), path)
    elif isinstance(value, dict):
        for name, inner in schema.get("properties", {}).items():
            if value.get(name) is not None:
                yield f"{path}{name}"
                yield from present(value[name], inner, f"{path}{name}.")


def undeclared(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """Yield the paths of everything in a value that its schema does not declare."""
    if isinstance(value, list):
        for one in value:
            yield from undeclared(one, schema.get("items", {}), path)
    elif isinstance(value, dict) and "properties" in schema:
        for name, inner in value.items():
            if name not in schema["properties"]:
                yield f"{path}{name}"
            yield from undeclared(inner, schema["properties"].get(name, {}), f"{path}{name}.")


# --- Schemas alone --------------------------------------------------------------------------------


def test_there_is_a_schema_for_each_stream_and_a_stream_for_each_schema() -> None:
    files = {path.stem for path in (Path(source_streak.__file__).parent / "schemas").glob("*.json")}

    assert files == set(SCHEMAS) - {TABLE} | {"pipeline_table"}
    assert len(SCHEMAS) - 1 == len(STREAMS)


def test_discover_gives_a_table_the_schema_that_is_made_from_its_pipeline(account: Account) -> None:
    catalog = SourceStreak().discover(logging.getLogger("airbyte"), {"api_key": account.streak.key})

    assert (
        next(stream.json_schema for stream in catalog.streams if stream.name == TABLE)
        == SCHEMAS[TABLE]
    )


def test_every_shared_part_of_a_schema_is_used() -> None:
    folder = Path(source_streak.__file__).parent / "schemas"
    used = {
        name
        for path in folder.rglob("*.json")
        for name in re.findall(r'"\$ref": "(\w+\.json)', path.read_text())
    }

    assert {path.name for path in (folder / "shared").glob("*.json")} == used


@every_stream
def test_every_property_has_a_type_and_a_description(stream: str) -> None:
    for path, schema in declared(SCHEMAS[stream]):
        assert schema.get("type"), path
        assert re.fullmatch(r"[A-Z`].*[.]", schema.get("description", "")), path


@every_stream
def test_every_property_but_a_key_may_be_null(stream: str) -> None:
    for path, schema in declared(SCHEMAS[stream]):
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        assert (
            path in PRIMARY_KEYS[stream]
            or path in ("boxKey", "pipelineKey", "teamKey")
            or "null" in kinds
        ), path


@every_stream
def test_every_time_is_declared_as_a_timestamp_with_timezone(stream: str) -> None:
    for path, schema in declared(SCHEMAS[stream]):
        assert ("format" in schema) == ("airbyte_type" in schema), path
        if "format" in schema:
            assert (schema["format"], schema["airbyte_type"]) == (
                "date-time",
                "timestamp_with_timezone",
            ), path
        elif path.endswith(("Timestamp", "Date", "Ts", "Timestamps")):
            assert "string" not in schema["type"], (
                f"{path} is named like a time and not declared as one"
            )


@every_stream
def test_every_schema_has_its_primary_key_and_a_column_for_unknown_properties(stream: str) -> None:
    properties = SCHEMAS[stream]["properties"]

    assert set(PRIMARY_KEYS[stream]) <= set(properties)
    assert other(stream) in properties
    assert not SECRETS & {path.rpartition(".")[2] for path, _ in declared(SCHEMAS[stream])}


@every_stream
def test_streams_of_box_children_declare_the_keys_of_box_and_pipeline(stream: str) -> None:
    if stream.startswith("box_"):
        assert {"boxKey", "pipelineKey"} <= set(SCHEMAS[stream]["properties"])


# --- Schemas and records --------------------------------------------------------------------------


@every_stream
def test_every_value_fits_its_schema(account: Account, stream: str) -> None:
    validator = Draft7Validator(SCHEMAS[stream], format_checker=TIMES)
    for record in account.records(stream):
        assert not [
            f"{error.json_path}: {error.message}" for error in validator.iter_errors(record)
        ]


@every_stream
def test_every_declared_property_occurs_in_a_record(account: Account, stream: str) -> None:
    found = {
        path for record in account.records(stream) for path in present(record, SCHEMAS[stream])
    }
    never = {path for path, _ in declared(SCHEMAS[stream])} - found

    assert never <= ({other(stream)} if stream in WITHOUT_ODDITIES else set()) | {DELETED_AT}
    assert (DELETED_AT in never) == (DELETED_AT in SCHEMAS[stream]["properties"])


def other(stream: str) -> str:
    """The column for properties without a column of their own."""
    return OTHER_IN_TABLES if stream == TABLE else OTHER


# The connector makes these from parts of other objects: they have no unknown properties.
WITHOUT_ODDITIES = {
    *("box_changes", "box_documents", "team_field_options"),
    *("contact_field_values", "contact_links", "contact_organizations"),
    *("organization_field_values", "organization_links"),
    *(
        "box_field_values",
        "box_stage_history",
        "box_contacts",
        "box_organizations",
        "box_users",
        "box_links",
    ),
    *("pipeline_field_options", TABLE),
}
# Undocumented properties that the sandbox hides in nested objects: they stay where they are.
ODDITIES = {
    "teams": {"members.seat"},
    "pipelines": {"aclEntries.invitedBy", "fields.pinned"},
    "box_tasks": {"actions.contact.nickname"},
}


@every_stream
def test_every_nested_property_is_declared(account: Account, stream: str) -> None:
    found = {
        path for record in account.records(stream) for path in undeclared(record, SCHEMAS[stream])
    }

    assert found == ODDITIES.get(stream, set())


@every_stream
def test_primary_keys_are_unique_and_never_null(account: Account, stream: str) -> None:
    for read_ in account.readings:
        assert None not in {
            value for key in read_.keys(stream, *PRIMARY_KEYS[stream]) for value in key
        }


@every_stream
def test_a_child_says_which_box_and_pipeline_it_belongs_to(account: Account, stream: str) -> None:
    if stream.startswith("box_"):
        boxes = account.streak.account.boxes
        for record in account.records(stream):
            assert record["pipelineKey"] == boxes[record["boxKey"]]["pipelineKey"]


UNDOCUMENTED = {  # the one that the sandbox hides in each object
    "teams": ("mascot", "otter"),
    "team_members": ("seat", "A1"),
    "team_fields": ("width", 120),
    "users": ("favouriteColour", "green"),
    "contacts": ("nickname", "Mimi"),
    "organizations": ("creditRating", "AA"),
    "pipelines": ("boardWidth", 3),
    "pipeline_stages": ("probability", 0.4),
    "pipeline_fields": ("pinned", True),
    "boxes": ("betaScore", 3),
    "box_meetings": ("weather", "rain"),
    "box_tasks": ("priority", "high"),
    "box_threads": ("mood", "friendly"),
    "box_files": ("pages", 12),
    "newsfeed": ("confetti", True),
    "snippets": ("usageCount", 17),
}


@pytest.mark.parametrize("stream", UNDOCUMENTED)
def test_an_undocumented_property_is_kept_and_named_in_the_log(
    account: Account, stream: str
) -> None:
    name, value = UNDOCUMENTED[stream]

    assert value in [
        record[OTHER].get(name) for record in account.records(stream) if record.get(OTHER)
    ]
    assert [
        line
        for line in account.readings[0].logs
        if line.startswith(f"{stream}: new properties") and name in line
    ]


def test_secrets_of_the_account_occur_nowhere_in_the_output(account: Account) -> None:
    everything = "\n".join(account.readings[0].texts())

    assert "intercomHmac" in account.streak.account.me
    for secret in (
        "intercomHmac",
        "0000sandbox-not-a-secret0000",
        "directUrl",
        "signature=sandbox",
    ):
        assert secret not in everything


def test_every_value_of_the_default_account_fits_its_column(account: Account) -> None:
    assert not [line for line in account.readings[0].logs if "did not fit" in line]


# --- Unexpected values ----------------------------------------------------------------------------


@pytest.fixture
def small(streak: Sandbox) -> Sandbox:
    streak.account.add_team("Team")
    streak.account.add_pipeline("Sales", boxes=2)
    return streak


small_account = pytest.mark.parametrize("streak", [{"account": "empty"}], indirect=True, ids=[""])


def box_after(small: Sandbox, read: Read, **properties: Any) -> Record:
    """The record of a box after it got these properties."""
    key = next(iter(small.account.boxes))
    small.account.boxes[key].update(properties)
    read_ = read("boxes")
    assert read_.ok, read_.errors
    record = next(record for record in read_.records["boxes"] if record["key"] == key)
    assert not list(Draft7Validator(SCHEMAS["boxes"], format_checker=TIMES).iter_errors(record))
    return record


@small_account
@pytest.mark.parametrize(
    ("name", "value", "column"),
    [
        ("firstEmailTimestamp", "yesterday", None),
        ("firstEmailTimestamp", {"ms": 1}, None),
        ("firstEmailTimestamp", True, None),
        ("firstEmailTimestamp", 1.5, None),
        ("firstEmailTimestamp", 10**15, None),
        ("notes", {"text": "hello"}, None),
        ("notes", ["hello"], None),
        ("commentCount", "many", None),
        ("commentCount", 1.5, None),
        ("commentCount", [1], None),
        ("fields", "none", None),
        ("fields", [1], None),
        ("followerKeys", "agx", None),
        ("followerKeys", [1, {"key": "x"}], ["1", None]),
        ("contacts", {"key": "x"}, None),
        (
            "contacts",
            [{"key": "k", "isStarred": "maybe"}, "x"],
            [{"key": "k", "isStarred": None}, None],
        ),
        ("creatorSharingEntry", [], None),
        (
            "creatorSharingEntry",
            {"email": {"a": 1}, "fullName": "Ada"},
            {"email": None, "fullName": "Ada"},
        ),
        (
            "stageHistoryEntries",
            [{"stageKey": "5001", "lastEntryToStageTs": "x"}],
            [{"stageKey": "5001", "lastEntryToStageTs": None}],
        ),
    ],
)
def test_a_value_that_does_not_fit_is_kept_in_other_properties(
    small: Sandbox, read: Read, name: str, value: Any, column: Any
) -> None:
    record = box_after(small, read, **{name: value})

    assert record.get(name) == column  # the framework leaves nulls out
    assert record[OTHER][name] == value


@small_account
@pytest.mark.parametrize(
    ("name", "value", "column"),
    [
        ("firstEmailTimestamp", "1772323200000", "2026-03-01T00:00:00.000Z"),
        ("firstEmailTimestamp", 1772323200000.0, "2026-03-01T00:00:00.000Z"),
        ("firstEmailTimestamp", 0, None),
        ("firstEmailTimestamp", -1, None),
        ("commentCount", "34", 34),
        ("commentCount", 34.0, 34),
        ("notes", 12, "12"),
        ("notes", False, "false"),
        ("freshness", "0.5", 0.5),
        ("freshness", 1, 1),
        ("fields", {"1001": {"deep": [1, {"er": None}]}}, {"1001": {"deep": [1, {"er": None}]}}),
    ],
)
def test_a_scalar_of_another_type_is_converted(
    small: Sandbox, read: Read, name: str, value: Any, column: Any
) -> None:
    record = box_after(small, read, **{name: value})

    assert record.get(name) == column  # the framework leaves nulls out
    assert name not in record.get(OTHER, {})


@small_account
def test_one_log_line_counts_the_values_that_do_not_fit(small: Sandbox, read: Read) -> None:
    for key in small.account.boxes:
        small.account.boxes[key].update(notes={"text": "hello"}, firstEmailTimestamp="yesterday")
    said = [line for line in read("boxes").logs if "did not fit" in line]

    assert len(said) == 1
    assert "4 values" in said[0]
    assert "firstEmailTimestamp, notes" in said[0]
    assert "yesterday" not in said[0]


@small_account
def test_a_secret_is_dropped_however_deeply_it_is_nested(small: Sandbox, read: Read) -> None:
    deep = {"a": [{"directUrl": "s3cret", "b": {"intercomHmac": "s3cret", "c": 1}}]}
    record = box_after(
        small, read, novelty=deep, fields={"1001": deep}, notes=deep, directUrl="s3cret"
    )

    assert "s3cret" not in json.dumps(record)
    assert record[OTHER]["novelty"] == record["fields"]["1001"] == {"a": [{"b": {"c": 1}}]}


@small_account
def test_a_streak_property_with_a_name_of_ours_does_not_replace_our_value(
    small: Sandbox, read: Read
) -> None:
    record = box_after(
        small, read, pipelineName="not this", stageName="nor this", otherProperties={"mine": 1}
    )

    assert (record["pipelineName"], record["stageName"]) == ("Sales", "Lead")
    assert record[OTHER]["otherProperties"] == {"mine": 1}


@small_account
@pytest.mark.parametrize("value", [None, "", 5, [], {}], ids=str)
@pytest.mark.parametrize(
    "name",
    ["fields", "stages", "stageOrder", "aclEntries", "name", "customPermissionSets"],
)
def test_a_pipeline_with_an_odd_part_is_still_read_with_its_boxes(
    small: Sandbox, read: Read, name: str, value: Any
) -> None:
    next(iter(small.account.pipelines.values()))[name] = value
    of_pipelines = (
        "pipelines",
        "pipeline_stages",
        "pipeline_fields",
        "pipeline_field_options",
        "pipeline_members",
    )
    read_ = read(*of_pipelines, "boxes", "box_field_values", "box_stage_history")

    assert read_.ok, read_.errors
    assert len(read_.records["boxes"]) == 2


@small_account
@pytest.mark.parametrize("value", [None, "x", 5, [5], ["x"], [None], {"x": 1}], ids=str)
@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("fields", "box_field_values"),
        ("stageHistoryEntries", "box_stage_history"),
        ("contacts", "box_contacts"),
        ("organizations", "box_organizations"),
        ("creatorSharingEntry", "box_users"),
        ("assignedToSharingEntries", "box_users"),
        ("followerKeys", "box_users"),
        ("followerSharingEntries", "box_users"),
        ("linkedBoxKeys", "box_links"),
        ("stageKey", "boxes"),
        ("commentCount", "box_comments"),
    ],
)
def test_a_box_with_an_odd_part_fails_no_stream(
    small: Sandbox, read: Read, name: str, stream: str, value: Any
) -> None:
    key, box = next(iter(small.account.boxes.items()))
    small.account.add_comment(key, "Hello")
    box[name] = value
    read_ = read(stream)
    validator = Draft7Validator(SCHEMAS[stream], format_checker=TIMES)

    assert read_.ok, read_.errors
    assert not [
        error.message for record in read_.records[stream] for error in validator.iter_errors(record)
    ]
    read_.keys(stream, *PRIMARY_KEYS[stream])


@small_account
@pytest.mark.parametrize(
    "value",
    [None, "x", 5, [5], {"x": 1}, {"fields": 5}, {"fields": [None]}, {"fields": {"1001": None}}],
    ids=str,
)
@pytest.mark.parametrize("name", ["members", "contactSettings", "organizationSettings"])
def test_a_team_with_an_odd_part_fails_no_stream(
    small: Sandbox, read: Read, name: str, value: Any
) -> None:
    team = next(iter(small.account.teams))
    for add in (small.account.add_contact, small.account.add_organization):
        add(team, fields={"1001": "9001"})
    users = {"results": [], "hasNextPage": False}
    small.fault("v2/teams/*/users", "wrong_shape", times=None, body=users)
    small.account.teams[team][name] = value
    read_ = read("teams", "team_members", "team_fields", "contacts", "organizations")

    assert read_.ok, read_.errors
    assert [len(read_.records[stream]) for stream in ("teams", "contacts", "organizations")] == [
        1,
        1,
        1,
    ]
