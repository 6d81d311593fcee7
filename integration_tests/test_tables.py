"""A table for each pipeline, and the labels beside keys in the other streams.

Discover finds and declares a table with all its columns, and a read fills exactly these.
"""

from __future__ import annotations

import copy
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import AirbyteCatalog, SyncMode
from airbyte_cdk.test import entrypoint_wrapper
from airbyte_cdk.test.models.scenario import ExpectedOutcome
from conftest import Discover, Read, Reading
from copies import Copies
from destination import Record, discovered
from jsonschema import Draft7Validator
from pytest_mock import MockerFixture
from quick import QuickClock
from streak_sandbox import Sandbox, objects
from test_command import Desk
from test_schemas import TIMES

from source_streak import SourceStreak
from source_streak.stream import Failure
from source_streak.streams import STREAMS

DATE = 1_772_323_200_000
ISO = "2026-03-01T00:00:00.000Z"
BOX_LISTS = "v1/pipelines/*/boxes"
OPTIONS = ("Web", "Messe 🤝")
KINDS = (
    "TEXT_INPUT",
    "DROPDOWN",
    "DATE",
    "TAG",
    "CHECKBOX",
    "PERSON",
    "FORMULA",
    "TEAM_CONTACT",
    "TEAM_ORGANIZATION",
)
COLUMNS = {kind: f"my_{kind.lower()}" for kind in KINDS}
KEYS = {kind: str(1001 + place) for place, kind in enumerate(KINDS)}

empty_account = pytest.mark.parametrize("streak", [{"account": "empty"}], indirect=True, ids=[""])


def every_kind() -> list[dict[str, Any]]:
    """A field of each type."""
    return [
        objects.field(KEYS[kind], COLUMNS[kind].replace("_", " "), kind, OPTIONS) for kind in KINDS
    ]


@pytest.fixture
def sales(streak: Sandbox) -> str:
    """The key of a pipeline with a field of each type and three boxes."""
    streak.account.add_team("Team")
    return streak.account.add_pipeline("Sales", boxes=3, fields=every_kind())["key"]


def schema_in(catalog: AirbyteCatalog, stream: str) -> dict[str, Any]:
    return next(one.json_schema for one in catalog.streams if one.name == stream)


def tables_in(catalog: AirbyteCatalog) -> list[str]:
    return [stream.name for stream in catalog.streams if stream.name.startswith("boxes_")]


def changed(
    catalog: AirbyteCatalog, stream: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> AirbyteCatalog:
    """A copy of the catalog with this change to the schema of one stream."""
    catalog = copy.deepcopy(catalog)
    for one in catalog.streams:
        if one.name == stream:
            made = change(one.json_schema)
            one.json_schema = one.json_schema if made is None else made
    return catalog


def by_box(reading: Reading, stream: str) -> dict[str, Record]:
    """The records of a table by the keys of their boxes, each of which comes once."""
    return dict(
        zip(
            (key for (key,) in reading.keys(stream, "box_key")),
            reading.records[stream],
            strict=True,
        )
    )


def assert_as_declared(catalog: AirbyteCatalog, reading: Reading, stream: str) -> None:
    """Assert that every record of the table has only the declared columns.

    Every column has to have a type and a description.
    """
    for name, column in schema_in(catalog, stream)["properties"].items():
        assert column["type"], name
        assert re.fullmatch(r"[A-Z].{5,400}[.]", column["description"]), name
    validator = Draft7Validator(
        {**schema_in(catalog, stream), "additionalProperties": False}, format_checker=TIMES
    )
    assert reading.records[stream]
    assert not [
        error.message
        for record in reading.records[stream]
        for error in validator.iter_errors(record)
    ]


def set_fields(streak: Sandbox, values: dict[str, Any]) -> str:
    """Give the first box these values, by the field's type; returns its key."""
    box = next(iter(streak.account.boxes))
    streak.account.edit_box(box, fields={KEYS[kind]: value for kind, value in values.items()})
    return box


def said(reading: Reading, *words: str) -> list[str]:
    return [line for line in reading.logs if all(word in line for word in words)]


# --- Discover -------------------------------------------------------------------------------------


def test_discover_offers_a_table_for_each_pipeline_after_all_other_streams(
    streak: Sandbox, discover: Discover
) -> None:
    catalog = discover()
    names = [stream.name for stream in catalog.streams]

    assert names[: len(STREAMS)] == [stream.name for stream in discovered().streams]
    assert names[len(STREAMS) :] == [
        "boxes_sales",
        "boxes_hiring_bewerbungen",
        "boxes_support",
        "boxes_leer_empty",
        "boxes_adas_ideen",
    ]
    for table in catalog.streams[len(STREAMS) :]:
        assert (table.source_defined_primary_key, table.default_cursor_field) == (
            [["box_key"]],
            ["read_at"],
        )
        assert table.source_defined_cursor
        assert set(table.supported_sync_modes) == {SyncMode.full_refresh, SyncMode.incremental}


def test_discover_requests_only_the_user_and_the_pipelines(
    streak: Sandbox, discover: Discover
) -> None:
    discover()

    assert [entry.path for entry in streak.requests()] == ["v1/users/me", "v2/pipelines"]


def test_discover_without_tables_needs_no_network(
    streak: Sandbox, discover: Discover, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAK_API_URL", "http://127.0.0.1:9/api/")

    assert [stream.name for stream in discover(pipeline_tables=False).streams] == [
        stream.name for stream in discovered().streams
    ]
    assert not streak.log


def test_discover_offers_no_tables_of_pipelines_that_the_settings_leave_out(
    discover: Discover,
) -> None:
    assert tables_in(discover(pipelines=["Support 🎧", "Sales"])) == [
        "boxes_sales",
        "boxes_support",
    ]


def logs_of_discover(streak: Sandbox, **settings: Any) -> list[str]:
    output = entrypoint_wrapper.discover(
        SourceStreak(),
        {"api_key": streak.key, **settings},
        expected_outcome=ExpectedOutcome.ALLOW_ANY,
    )
    return [message.log.message for message in output.logs]


@pytest.mark.usefixtures("read")
@empty_account
def test_only_the_200_oldest_pipelines_get_tables_and_the_log_names_the_others(
    streak: Sandbox, discover: Discover
) -> None:
    for number in range(199):
        streak.account.add_pipeline(f"Pipeline {number}")
    for name in ("Kept", "Straw 1", "Straw 2", ""):
        last = streak.account.add_pipeline(name)["key"]
    tables = tables_in(discover())

    assert len(tables) == 200
    assert "boxes_kept" in tables
    (line,) = [line for line in logs_of_discover(streak) if "200" in line]
    assert f"Straw 1, Straw 2, {last[-6:]}" in line
    assert "Kept" not in line


@empty_account
def test_a_pipeline_named_in_the_settings_gets_its_table_however_many_are_older(
    streak: Sandbox, discover: Discover, mocker: MockerFixture
) -> None:
    mocker.patch("source_streak.tables.MOST", 3)
    for number in range(5):
        streak.account.add_pipeline(f"Pipeline {number}")

    assert tables_in(discover()) == ["boxes_pipeline_0", "boxes_pipeline_1", "boxes_pipeline_2"]
    assert tables_in(discover(pipelines=["Pipeline 3", "Pipeline 4"])) == [
        "boxes_pipeline_3",
        "boxes_pipeline_4",
    ]


def test_the_name_of_a_table_does_not_depend_on_the_settings(
    streak: Sandbox, discover: Discover
) -> None:
    younger = streak.account.add_pipeline("Sales")["key"]

    assert tables_in(discover(pipelines=[younger])) == tables_in(discover())[-1:]
    assert re.fullmatch(r"boxes_sales_[0-9a-f]{4}", tables_in(discover())[-1])


@empty_account
@pytest.mark.usefixtures("sales")
def test_a_later_namesake_changes_no_existing_table_or_column(
    streak: Sandbox, discover: Discover
) -> None:
    before = discover()
    streak.account.add_pipeline("Sales")
    streak.account.add_pipeline("sales!")
    streak.account.add_field(next(iter(streak.account.pipelines)), "My Dropdown", "TEXT_INPUT")
    after = discover()

    assert tables_in(after)[0] == "boxes_sales"
    assert len(set(tables_in(after))) == 3
    columns = schema_in(after, "boxes_sales")["properties"]
    assert [name for name in columns if name != "my_dropdown_1010"] == list(
        schema_in(before, "boxes_sales")["properties"]
    )


BAD_DEFINITIONS: list[Any] = [
    None,
    "x",
    5,
    {},
    [None, 5, "x", [], {}],
    [{"key": 5, "name": "x"}],
    {"1001": None},
    [{"key": "1001"}],
]


@empty_account
@pytest.mark.parametrize("fields", BAD_DEFINITIONS, ids=repr)
def test_malformed_lists_of_fields_fail_neither_discover_nor_the_table(
    streak: Sandbox, discover: Discover, read: Read, sales: str, fields: Any
) -> None:
    set_fields(streak, dict.fromkeys(KINDS, "9001"))
    streak.account.pipelines[sales]["fields"] = fields
    catalog = discover()
    read_ = read(
        "boxes_sales",
        "box_field_values",
        "pipeline_field_options",
        "pipeline_fields",
        catalog=catalog,
    )

    assert read_.ok, read_.errors
    assert len(by_box(read_, "boxes_sales")) == 3
    assert_as_declared(catalog, read_, "boxes_sales")


HOSTILE: list[dict[str, Any]] = [
    {"name": None},
    {"name": ["x"]},
    {"name": {"x": 1}},
    {"name": 5},
    {"name": "x" * 10_000},
    {"name": "line\nbreak \x00 \u202e"},
    {"name": "💰"},
    {"key": ""},
    {"key": "9" * 5000},
    {"key": "key with spaces / and more"},
    {"type": None},
    {"type": ["TAG"]},
    {"type": {"TAG": 1}},
    {"type": "NEW_IN_2030"},
    *(
        {settings: {members: options}}
        for settings, members, label in (
            ("dropdownSettings", "items", "name"),
            ("tagSettings", "tags", "tag"),
        )
        for options in (
            None,
            {},
            "x",
            [None, 5, []],
            [{"key": None}],
            [{"key": 9001, label: 5}],
            [{"key": "9001", label: ["x"]}],
        )
    ),
]


@empty_account
@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: ascii(hostile)[:60])
def test_a_malformed_field_fails_neither_discover_nor_any_stream_that_shows_it(
    streak: Sandbox, discover: Discover, read: Read, sales: str, hostile: dict[str, Any]
) -> None:
    box = next(iter(streak.account.boxes))
    for field in streak.account.pipelines[sales]["fields"]:
        field.update(hostile)
        streak.account.edit_box(
            box, fields={field["key"]: ["9001"] if field["type"] == "TAG" else "9001"}
        )
    catalog = discover()
    fixed = ("box_field_values", "pipeline_fields", "pipeline_field_options")
    read_ = read("boxes_sales", *fixed, catalog=catalog)

    assert read_.ok, read_.errors
    assert_as_declared(catalog, read_, "boxes_sales")
    for stream in fixed:
        validator = Draft7Validator(schema_in(catalog, stream), format_checker=TIMES)
        assert not [
            error.message
            for record in read_.records[stream]
            for error in validator.iter_errors(record)
        ]


@empty_account
@pytest.mark.parametrize(
    "name",
    [None, "", 5, ["x"], {"x": 1}, "💰", "x" * 10_000, "Stages", "Boxes"],
    ids=lambda name: ascii(name)[:20],
)
def test_a_pipeline_of_any_name_has_a_table(
    streak: Sandbox, discover: Discover, read: Read, sales: str, name: Any
) -> None:
    streak.account.pipelines[sales]["name"] = name
    catalog = discover()
    (table,) = tables_in(catalog)
    read_ = read(table, catalog=catalog)

    assert read_.ok, read_.errors
    assert len(by_box(read_, table)) == 3


@empty_account
def test_a_table_of_200_fields_is_declared_and_filled_whole(
    streak: Sandbox, discover: Discover, read: Read
) -> None:
    fields = [
        objects.field(str(1001 + place), f"Field {place // 2}", KINDS[place % 9], OPTIONS)
        for place in range(200)
    ]
    pipeline = streak.account.add_pipeline("Wide", fields=fields)["key"]
    values = {"TAG": ["9001"], "DATE": DATE, "CHECKBOX": True}
    streak.account.add_box(
        pipeline,
        "Acme",
        fields={field["key"]: values.get(field["type"], "9001") for field in fields},
    )
    catalog = discover()
    read_ = read("boxes_wide", catalog=catalog)

    assert_as_declared(catalog, read_, "boxes_wide")
    (record,) = read_.records["boxes_wide"]
    assert len([name for name in record if name.startswith("field_")]) == 200
    assert "other_properties" not in record


def test_discover_gives_the_same_schemas_from_v1_as_from_v2(
    streak: Sandbox, discover: Discover
) -> None:
    before = discover()
    streak.moods.v2_pipelines_missing = True

    assert [stream.json_schema for stream in discover().streams] == [
        stream.json_schema for stream in before.streams
    ]


# --- Discover that fails --------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, streak: Sandbox, copies: Copies) -> Desk:
    return Desk(tmp_path, streak, copies)


def assert_discover_fails_like_check(desk: Desk, **environment: str) -> str:
    """Run both as commands and return their error message."""
    checked = desk.type("check", "--config", desk.config, **environment)
    found = desk.type("discover", "--config", desk.config, **environment)
    (status,) = checked.of_type("CONNECTION_STATUS")
    (error,) = [message["trace"]["error"] for message in found.of_type("TRACE")]

    assert status["connectionStatus"]["status"] == "FAILED"
    assert error["message"] == status["connectionStatus"]["message"]
    assert not error.get("stack_trace")
    assert (found.code, found.err, found.of_type("CATALOG")) == (1, "", [])
    found.assert_no_traceback()
    return str(error["message"])


def test_discover_with_a_wrong_key_fails_with_the_message_of_check(desk: Desk) -> None:
    desk.write("config.json", {"api_key": "wrong"})

    assert "refused this API key" in assert_discover_fails_like_check(desk)


@pytest.mark.usefixtures("read")
def test_discover_without_network_fails_with_the_message_of_check(
    streak: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAK_API_URL", "http://127.0.0.1:9/api/")
    config = {"api_key": streak.key}
    with pytest.raises(Failure) as failed:
        SourceStreak(QuickClock()).check(logging.getLogger("airbyte"), config)
    output = entrypoint_wrapper.discover(
        SourceStreak(QuickClock()), config, expected_outcome=ExpectedOutcome.ALLOW_ANY
    )
    (error,) = [message.trace.error for message in output.errors]

    assert re.sub(r"\d+ attempts?", "", error.message) == re.sub(
        r"\d+ attempts?", "", failed.value.message
    )
    assert "Gave up after" in error.message
    assert (error.failure_type.value, error.stack_trace) == ("transient_error", None)


def test_discover_with_an_unknown_pipeline_fails_with_the_message_of_check(
    desk: Desk,
) -> None:
    desk.write("config.json", {"api_key": desk.streak.key, "pipelines": ["Sells"]})

    assert '"Sales"' in assert_discover_fails_like_check(desk)


# --- Contents of the columns ----------------------------------------------------------------------


@empty_account
def test_a_table_row_shows_labels_stage_names_and_email_addresses(
    streak: Sandbox, discover: Discover, read: Read, sales: str
) -> None:
    organization = streak.account.add_organization(next(iter(streak.account.teams)))["key"]
    contact = streak.account.add_contact(next(iter(streak.account.teams)))["key"]
    box = set_fields(
        streak,
        {
            "TEXT_INPUT": "12000",
            "DROPDOWN": "9002",
            "DATE": DATE,
            "TAG": ["9001", "9002", "9077"],
            "CHECKBOX": False,
            "PERSON": [{"email": "mia@example.org", "fullName": "Mia Muster"}],
            "FORMULA": 16.8,
            "TEAM_CONTACT": [{"key": contact}],
            "TEAM_ORGANIZATION": [organization],
        },
    )
    streak.account.edit_box(
        box,
        stageKey="5002",
        notes="Call first",
        contacts=[{"key": contact, "isStarred": True}],
        lastEmailReceivedTimestamp=DATE,
        taskOverdueCount=2,
        followerSharingEntries=[{"email": "bea@example.com"}, {"fullName": "no address"}],
    )
    record = by_box(read("boxes_sales", catalog=discover()), "boxes_sales")[box]

    assert {name: record[name] for name in COLUMNS.values()} == {
        "my_text_input": "12000",
        "my_dropdown": "Messe 🤝",
        "my_date": ISO,
        "my_tag": ["Web", "Messe 🤝", "9077"],
        "my_checkbox": False,
        "my_person": "Mia Muster",
        "my_formula": "16.8",
        "my_team_contact": [contact],
        "my_team_organization": [organization],
    }
    assert (record["name"], record["stage"], record["stage_key"], record["notes"]) == (
        "Sales 1",
        "Talking",
        "5002",
        "Call first",
    )
    assert (record["contact_keys"], record["follower_emails"]) == ([contact], ["bea@example.com"])
    assert (record["assigned_to_emails"], record["creator_email"]) == (
        ["ada@example.com"],
        "ada@example.com",
    )
    assert (record["last_email_received"], record["task_overdue_count"]) == (ISO, 2)
    assert record["created"] < record["updated"]
    assert record["stage_changed"] <= record["updated"]


ODD_VALUES: list[Any] = [
    *(
        None,
        "",
        [],
        {},
        0,
        -1,
        5,
        -0.0,
        1.5,
        1e300,
        2**63 - 1,
        10**15,
        True,
        False,
        "true",
        "maybe",
        "9001",
        "x" * 100_000,
        "\x00\u202e",
    ),
    *(
        ["9001"],
        ["9001", None],
        [None],
        [[]],
        [["9001"]],
        [{}],
        [{"key": None}],
        [{"key": ["x"]}],
        [1, 2.5, True],
        ["9001", {"a": 1}],
    ),
    *(
        {"key": "agx"},
        {"email": "x"},
        {"a": {"b": [1]}},
        [{"email": 5, "fullName": None}],
        [{"key": "agx", "name": "Acme"}],
    ),
]


@empty_account
@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda value: ascii(value)[:30])
def test_any_value_in_any_field_gives_records_that_fit_the_schema(
    streak: Sandbox, discover: Discover, read: Read, sales: str, value: Any
) -> None:
    box = next(iter(streak.account.boxes))
    streak.account.boxes[box]["fields"] = dict.fromkeys(KEYS.values(), value) | {
        "1999": value,
        "": value,
    }
    catalog = discover()
    read_ = read("boxes_sales", "boxes", "box_field_values", catalog=catalog)

    assert read_.ok, read_.errors
    assert_as_declared(catalog, read_, "boxes_sales")
    assert len(by_box(read_, "boxes_sales")) == 3
    for stream in ("boxes", "box_field_values"):
        validator = Draft7Validator(schema_in(catalog, stream), format_checker=TIMES)
        assert not [
            error.message
            for record in read_.records[stream]
            for error in validator.iter_errors(record)
        ]


@empty_account
def test_values_that_do_not_fit_are_kept_by_column_name_and_counted_once(
    streak: Sandbox, discover: Discover, read: Read, sales: str
) -> None:
    odd = {
        "DATE": "next week",
        "CHECKBOX": "maybe",
        "TAG": [{"a": 1}],
        "TEAM_CONTACT": {"email": "s3cret"},
    }
    box = set_fields(streak, odd)
    read_ = read("boxes_sales", catalog=discover())
    record = by_box(read_, "boxes_sales")[box]

    assert record["other_properties"] == {COLUMNS[kind]: value for kind, value in odd.items()}
    assert not [kind for kind in odd if record.get(COLUMNS[kind]) not in (None, [None])]
    (line,) = said(read_, "did not fit")
    assert "boxes_sales: 4 values" in line
    assert "other_properties (my_checkbox, my_date, my_tag, my_team_contact)" in line
    assert "next week" not in line
    assert "s3cret" not in line


@empty_account
def test_a_secret_in_a_value_that_does_not_fit_is_dropped(
    streak: Sandbox, discover: Discover, read: Read, sales: str
) -> None:
    set_fields(
        streak,
        {
            "TAG": [{"directUrl": "s3cret", "a": 1}],
            "DATE": {"apiKey": "s3cret"},
            "TEXT_INPUT": {"apiKey": "s3cret", "a": 1},
        },
    )
    read_ = read("boxes_sales", "boxes", "box_field_values", catalog=discover())

    assert "s3cret" not in json.dumps(read_.records)
    assert {record.get("my_text_input") for record in read_.records["boxes_sales"]} == {
        None,
        '{"a":1}',
    }


@empty_account
@pytest.mark.parametrize(
    "value",
    [None, "x", 5, [5], ["x"], [None], {"x": 1}, {"key": 5}, [{"key": {}, "email": []}]],
    ids=str,
)
@pytest.mark.parametrize(
    "name",
    [
        *(
            "name",
            "notes",
            "stageKey",
            "fields",
            "contacts",
            "organizations",
            "assignedToSharingEntries",
            "followerSharingEntries",
        ),
        *(
            "creatorSharingEntry",
            "lastStageChangeTimestamp",
            "commentCount",
            "lastEmailSentTimestamp",
            "read_at",
            "box_key",
            "other_properties",
        ),
    ],
)
@pytest.mark.usefixtures("sales")
def test_a_box_with_an_odd_part_gives_records_that_fit_the_schema(
    streak: Sandbox, discover: Discover, read: Read, name: str, value: Any
) -> None:
    streak.account.boxes[next(iter(streak.account.boxes))][name] = value
    catalog = discover()
    read_ = read("boxes_sales", catalog=catalog)

    assert read_.ok, read_.errors
    assert len(by_box(read_, "boxes_sales")) == 3
    assert_as_declared(catalog, read_, "boxes_sales")


@empty_account
def test_undefined_options_stages_and_fields_are_shown_by_their_keys(
    streak: Sandbox, discover: Discover, read: Read, sales: str
) -> None:
    catalog = discover()
    box = set_fields(streak, {"DROPDOWN": "9077", "TAG": ["9001", "9078"], "DATE": DATE})
    streak.account.boxes[box]["stageKey"] = "5099"
    streak.account.delete_field(sales, KEYS["DATE"])
    streak.account.delete_field(sales, KEYS["TAG"])
    read_ = read("boxes_sales", "boxes", "box_field_values", catalog=catalog)
    record = by_box(read_, "boxes_sales")[box]

    assert (record["my_dropdown"], record["my_tag"], record["my_date"]) == (
        "9077",
        ["9001", "9078"],
        ISO,
    )
    assert (record["stage"], record["stage_key"]) == ("5099", "5099")
    assert {
        row["fieldKey"]: (row["fieldName"], row.get("fieldType"))
        for row in read_.records["box_field_values"]
    } == {
        KEYS["DROPDOWN"]: ("my dropdown", "DROPDOWN"),
        KEYS["TAG"]: (KEYS["TAG"], None),
        KEYS["DATE"]: (KEYS["DATE"], None),
    }


# --- Changes of pipelines and fields after discover -----------------------------------------------


@empty_account
def test_a_new_field_gets_its_column_in_every_row_after_the_next_discover(
    streak: Sandbox, discover: Discover, read: Read, sales: str
) -> None:
    before = discover()
    first = read("boxes_sales", incremental=True, catalog=before)
    key = streak.account.add_field(sales, "Region", "DROPDOWN", ("North",))["key"]
    for box in streak.account.boxes:
        streak.account.boxes[box]["fields"][key] = "9001"
    second = read("boxes_sales", incremental=True, catalog=before, state=first.last_states)

    assert_as_declared(before, second, "boxes_sales")
    assert len(said(second, '"Region"', "discover")) == 1
    assert not said(first, "without a column")

    after = discover()
    third = read("boxes_sales", incremental=True, catalog=after, state=second.last_states)
    assert {record["region"] for record in by_box(third, "boxes_sales").values()} == {"North"}
    assert len(third.records["boxes_sales"]) == 3
    assert not said(third, "without a column")
    assert not read(
        "boxes_sales", incremental=True, catalog=after, state=third.last_states
    ).records["boxes_sales"]


@empty_account
def test_a_renamed_field_keeps_its_column_until_the_next_discover(
    streak: Sandbox, discover: Discover, read: Read, sales: str
) -> None:
    catalog = discover()
    box = set_fields(streak, {"TEXT_INPUT": "hello"})
    streak.account.rename_field(sales, KEYS["TEXT_INPUT"], "Remark")
    streak.account.add_field(sales, "my text input")
    streak.account.edit_box(box, fields={"1010": "of another field"})

    assert (
        by_box(read("boxes_sales", catalog=catalog), "boxes_sales")[box]["my_text_input"] == "hello"
    )
    record = by_box(read("boxes_sales", catalog=discover()), "boxes_sales")[box]
    assert (record["remark"], record["my_text_input"]) == ("hello", "of another field")


@empty_account
def test_a_field_with_a_new_type_keeps_its_column_until_the_next_discover(
    streak: Sandbox, discover: Discover, read: Read, sales: str
) -> None:
    before = discover()
    box = set_fields(streak, {"TEXT_INPUT": str(DATE), "DATE": DATE})
    first = read("boxes_sales", incremental=True, catalog=before)
    for field, kind in zip(
        streak.account.pipelines[sales]["fields"][:3:2], ("DATE", "TEXT_INPUT"), strict=True
    ):
        field["type"] = kind
    streak.account.boxes[box]["fields"][KEYS["DATE"]] = "next week"
    second = read("boxes_sales", incremental=True, catalog=before, state=first.last_states)
    record = by_box(second, "boxes_sales")[box]

    assert_as_declared(before, second, "boxes_sales")
    assert record["my_text_input"] == ISO
    assert record["other_properties"] == {"my_date": "next week"}

    after = discover()
    third = read("boxes_sales", incremental=True, catalog=after, state=second.last_states)
    assert_as_declared(after, third, "boxes_sales")
    assert len(third.records["boxes_sales"]) == 3
    record = by_box(third, "boxes_sales")[box]
    assert (record["my_text_input"], record["my_date"]) == (ISO, "next week")


@empty_account
def test_a_renamed_pipeline_keeps_its_table_and_its_namesake_does_not_fill_it(
    streak: Sandbox, discover: Discover, read: Read, sales: str
) -> None:
    catalog = discover()
    streak.account.edit_pipeline(sales, name="Old deals")
    streak.account.add_pipeline("Sales", boxes=2)
    read_ = read("boxes_sales", catalog=catalog)

    assert set(by_box(read_, "boxes_sales")) == {
        box["key"] for box in streak.account.boxes_of(sales)
    }
    assert tables_in(discover()) == ["boxes_old_deals", "boxes_sales"]


@empty_account
@pytest.mark.parametrize("incremental", [False, True])
def test_a_deleted_pipeline_fails_its_table_and_no_namesake_fills_it(
    streak: Sandbox, discover: Discover, read: Read, sales: str, incremental: bool
) -> None:
    catalog = discover()
    streak.account.delete_pipeline(sales)
    streak.account.add_pipeline("Sales", boxes=2)
    read_ = read("boxes_sales", "boxes", catalog=catalog, incremental=incremental)
    error = read_.error_of("boxes_sales")

    assert error.failure_type.value == "config_error"
    assert "boxes_sales" in error.message
    assert "no longer exists" in error.message
    assert not error.stack_trace
    assert not read_.records["boxes_sales"]
    assert read_.statuses["boxes"] == "COMPLETE"


@pytest.mark.parametrize("incremental", [False, True])
def test_a_table_that_the_settings_leave_out_fails_and_names_the_setting(
    read: Read, discover: Discover, incremental: bool
) -> None:
    catalog = discover()
    read_ = read(
        "boxes_sales",
        "boxes_support",
        catalog=catalog,
        incremental=incremental,
        pipelines=["Support 🎧"],
    )
    error = read_.error_of("boxes_sales")

    assert error.failure_type.value == "config_error"
    assert 'setting "Pipelines"' in error.message
    assert not read_.records["boxes_sales"]
    assert read_.statuses["boxes_support"] == "COMPLETE"


def test_configured_tables_are_read_even_if_discover_offers_none(
    read: Read, discover: Discover
) -> None:
    assert by_box(read("boxes_sales", catalog=discover(), pipeline_tables=False), "boxes_sales")


def test_an_empty_pipeline_has_an_empty_table(read: Read, discover: Discover) -> None:
    read_ = read("boxes_leer_empty", catalog=discover())

    assert read_.ok
    assert read_.statuses["boxes_leer_empty"] == "COMPLETE"
    assert not read_.records["boxes_leer_empty"]


def test_the_tables_together_hold_the_rows_of_the_stream_boxes(
    streak: Sandbox, read: Read, discover: Discover
) -> None:
    catalog = discover()
    tables = tables_in(catalog)
    read_ = read("boxes", *tables, catalog=catalog)
    rows = [record for table in tables for record in read_.records[table]]

    assert sorted(row["box_key"] for row in rows) == sorted(streak.account.boxes)
    for table in tables:
        if read_.records[table]:
            assert_as_declared(catalog, read_, table)
    boxes = {record["key"]: record for record in read_.records["boxes"]}
    for row in rows:
        box = boxes[row["box_key"]]
        assert (row.get("name"), row.get("stage"), row.get("created")) == (
            box["name"],
            box["stageName"],
            box["creationTimestamp"],
        )


@pytest.mark.parametrize("incremental", [False, True])
def test_a_refused_pipeline_affects_only_its_own_table(
    streak: Sandbox, read: Read, discover: Discover, incremental: bool
) -> None:
    catalog = discover()
    streak.moods.refused_pipelines = {streak.account.pipeline_named("Support 🎧")["key"]}
    read_ = read("boxes_sales", "boxes_support", catalog=catalog, incremental=incremental)

    assert read_.statuses["boxes_sales"] == "COMPLETE"
    assert not read_.records["boxes_support"]
    if incremental:
        assert said(read_, "boxes_support:", '"Support 🎧"')
    else:
        assert '"Support 🎧"' in read_.error_of("boxes_support").message


@empty_account
def test_the_start_date_leaves_the_same_boxes_out_of_a_table_and_of_the_stream_boxes(
    streak: Sandbox, read: Read, discover: Discover, sales: str
) -> None:
    old = streak.account.add_box(sales, "Old")
    old.update({name: DATE for name in old if name.endswith("Timestamp")})
    read_ = read("boxes", "boxes_sales", catalog=discover(), start_date="2026-04-01")

    assert (
        set(by_box(read_, "boxes_sales"))
        == set(read_.keys("boxes"))
        == set(streak.account.boxes) - {old["key"]}
    )


# --- Requests -------------------------------------------------------------------------------------


def asked(streak: Sandbox) -> list[str]:
    """The paths requested since the log was cleared, each once."""
    return sorted({entry.path for entry in streak.requests()})


@pytest.mark.parametrize("incremental", [False, True])
def test_a_table_alone_requests_only_the_pipelines_and_its_own_box_list(
    streak: Sandbox, discover: Discover, read: Read, incremental: bool
) -> None:
    catalog = discover()
    streak.clear_log()
    read_ = read("boxes_sales", catalog=catalog, incremental=incremental)

    assert read_.ok
    user = ["v1/users/me"] if incremental else []
    assert asked(streak) == sorted(
        [
            *user,
            "v2/pipelines",
            f"v1/pipelines/{streak.account.pipeline_named('Sales')['key']}/boxes",
        ]
    )
    assert len(streak.requests("v2/pipelines")) == 1


def test_two_tables_request_only_their_two_box_lists(
    streak: Sandbox, discover: Discover, read: Read
) -> None:
    catalog = discover()
    streak.clear_log()
    read("boxes_sales", "boxes_support", "pipelines", "contacts", catalog=catalog)

    assert len({entry.path for entry in streak.requests(BOX_LISTS)}) == 2


def test_tables_beside_the_stream_boxes_cost_no_further_requests(
    streak: Sandbox, discover: Discover, read: Read
) -> None:
    catalog = discover()
    streak.clear_log()
    read("boxes", "box_comments", catalog=catalog)
    alone = sorted((entry.path, sorted(entry.query.items())) for entry in streak.requests())
    streak.clear_log()
    read("boxes", "box_comments", *tables_in(catalog), catalog=catalog)

    assert sorted((entry.path, sorted(entry.query.items())) for entry in streak.requests()) == alone


def test_labels_do_not_depend_on_which_streams_are_selected(discover: Discover, read: Read) -> None:
    catalog = discover()
    among_all = read(catalog=catalog).records

    def plain(records: list[Record]) -> list[str]:
        return sorted(
            json.dumps({**record, "readAt": 0, "read_at": 0}, sort_keys=True) for record in records
        )

    for stream in ("boxes", "box_field_values", "boxes_sales", "pipeline_stages"):
        alone = read(stream, catalog=catalog).records[stream]
        assert plain(alone) == plain(among_all[stream]), stream
        assert alone, stream


# --- Catalogs that a client has changed -----------------------------------------------------------

STRIPPED: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
    "nothing left": lambda _: {},
    "an object": lambda _: {"type": "object"},
    "no properties": lambda _: {"type": "object", "properties": {}},
    "no keywords of ours": lambda schema: {
        "type": "object",
        "properties": {
            name: {
                key: value
                for key, value in column.items()
                if key in ("type", "format", "airbyte_type", "items")
            }
            for name, column in schema["properties"].items()
        },
    },
    "the pipeline's key alone": lambda schema: {
        **schema,
        "properties": {name: {} for name in schema["properties"]},
    },
    "the fields' keys alone": lambda schema: {
        name: value for name, value in schema.items() if name != "streakPipelineKey"
    },
    "as it was": lambda _: None,
}


@pytest.mark.parametrize("stripped", STRIPPED)
def test_a_stripped_schema_gives_the_same_records(
    read: Read, discover: Discover, stripped: str
) -> None:
    catalog = discover()
    read_ = read("boxes_sales", catalog=changed(catalog, "boxes_sales", STRIPPED[stripped]))

    assert read_.ok, read_.errors
    assert_as_declared(catalog, read_, "boxes_sales")
    assert {record.get("source") for record in read_.records["boxes_sales"]} >= {
        "Web",
        "Empfehlung 🤝",
    }
    assert len([record for record in read_.records["boxes_sales"] if record.get("close_date")]) > 50


@empty_account
@pytest.mark.parametrize("stripped", STRIPPED)
def test_a_stripped_schema_never_fills_a_table_from_another_pipeline(
    streak: Sandbox, read: Read, discover: Discover, sales: str, stripped: str
) -> None:
    catalog = changed(discover(), "boxes_sales", STRIPPED[stripped])
    streak.account.delete_pipeline(sales)
    streak.account.add_pipeline("Sells", boxes=2)

    reading = read("boxes_sales", catalog=catalog)

    assert not reading.ok
    assert not reading.records["boxes_sales"]


def test_deselected_columns_stay_out_and_the_others_are_unchanged(
    read: Read, discover: Discover
) -> None:
    catalog = discover()
    wanted = {"stage", "source", "labels", "close_date"}

    def choose(schema: dict[str, Any]) -> dict[str, Any]:
        return {
            **schema,
            "properties": {
                name: column for name, column in schema["properties"].items() if name in wanted
            },
        }

    chosen = by_box(
        read("boxes_sales", catalog=changed(catalog, "boxes_sales", choose)), "boxes_sales"
    )
    whole = by_box(read("boxes_sales", catalog=catalog), "boxes_sales")

    assert {key: {name: record.get(name) for name in wanted} for key, record in chosen.items()} == {
        key: {name: record.get(name) for name in wanted} for key, record in whole.items()
    }
    assert {name for record in chosen.values() for name in record} == {
        *wanted,
        "box_key",
        "read_at",
    }


@empty_account
def test_a_value_that_does_not_fit_is_dropped_if_other_properties_is_deselected(
    streak: Sandbox, read: Read, discover: Discover, sales: str
) -> None:
    catalog = discover()
    box = set_fields(streak, {"DATE": "next week"})

    def without_other(schema: dict[str, Any]) -> dict[str, Any]:
        return {
            **schema,
            "properties": {
                name: one
                for name, one in schema["properties"].items()
                if name != "other_properties"
            },
        }

    record = by_box(
        read("boxes_sales", catalog=changed(catalog, "boxes_sales", without_other)), "boxes_sales"
    )[box]
    assert record.get("my_date") is None
    assert not {"otherProperties", "other_properties"} & record.keys()


# --- Incremental ----------------------------------------------------------------------------------


def both(read: Read, catalog: AirbyteCatalog, before: Reading | None = None) -> Reading:
    return read(
        "boxes",
        "boxes_sales",
        incremental=True,
        catalog=catalog,
        state=before and before.last_states,
    )


@empty_account
def test_unchanged_boxes_are_not_sent_again(
    streak: Sandbox, read: Read, discover: Discover, sales: str
) -> None:
    catalog = discover()
    first = both(read, catalog)
    streak.account.drift()
    second = both(read, catalog, first)
    box = set_fields(streak, {"DROPDOWN": "9001"})
    third = both(read, catalog, second)

    assert (len(first.records["boxes_sales"]), second.records["boxes_sales"]) == (3, [])
    assert {key: record["my_dropdown"] for key, record in by_box(third, "boxes_sales").items()} == {
        box: "Web"
    }
    assert third.records["boxes_sales"][0]["read_at"] > first.records["boxes_sales"][0]["read_at"]


RENAMED: dict[str, Callable[[Sandbox, str], object]] = {
    "a stage": lambda streak, sales: streak.account.rename_stage(sales, "5001", "Prospect"),
    "an option": lambda streak, sales: streak.account.pipelines[sales]["fields"][1][
        "dropdownSettings"
    ]["items"][0].update(name="Website"),
    "a tag": lambda streak, sales: streak.account.pipelines[sales]["fields"][3]["tagSettings"][
        "tags"
    ][0].update(tag="Website"),
}


@empty_account
@pytest.mark.parametrize("what", RENAMED)
def test_renaming_a_stage_an_option_or_a_tag_sends_the_boxes_again(
    streak: Sandbox, read: Read, discover: Discover, sales: str, what: str
) -> None:
    catalog = discover()
    box = set_fields(streak, {"DROPDOWN": "9001", "TAG": ["9001"]})
    first = both(read, catalog)
    RENAMED[what](streak, sales)
    second = both(read, catalog, first)
    record = by_box(second, "boxes_sales")[box]

    expected = {
        "a stage": ("Prospect", "Web", ["Web"]),
        "an option": ("Lead", "Website", ["Web"]),
        "a tag": ("Lead", "Web", ["Website"]),
    }
    assert (record["stage"], record["my_dropdown"], record["my_tag"]) == expected[what]
    assert len(second.records["boxes_sales"]) == 3
    assert not both(read, catalog, second).records["boxes_sales"]


@empty_account
def test_an_emptied_field_becomes_null(
    streak: Sandbox, read: Read, discover: Discover, sales: str
) -> None:
    catalog = discover()
    box = set_fields(streak, {"DROPDOWN": "9001", "TEXT_INPUT": "hello"})
    first = both(read, catalog)
    streak.account.edit_box(box, fields={KEYS["DROPDOWN"]: None, KEYS["TEXT_INPUT"]: ""})
    record = by_box(both(read, catalog, first), "boxes_sales")[box]

    assert (record.get("my_dropdown"), record.get("my_text_input")) == (None, None)


@empty_account
def test_a_pipeline_that_takes_over_a_table_is_read_whole_despite_its_state(
    streak: Sandbox, read: Read, discover: Discover, sales: str
) -> None:
    first = read("boxes_sales", incremental=True, catalog=discover())
    streak.account.edit_pipeline(sales, name="Old deals")
    new = streak.account.add_pipeline("Sales", boxes=2)["key"]
    second = read("boxes_sales", incremental=True, catalog=discover(), state=first.last_states)

    assert {
        key
        for key, record in by_box(second, "boxes_sales").items()
        if not record.get("_ab_cdc_deleted_at")
    } == {box["key"] for box in streak.account.boxes_of(new)}


# --- Labels in the other streams ------------------------------------------------------------------


@empty_account
def test_box_field_values_keeps_values_of_a_wrong_shape_as_text_and_counts_them(
    streak: Sandbox, read: Read, sales: str
) -> None:
    odd = {
        "DATE": "next week",
        "CHECKBOX": 1,
        "TAG": [{"a": 1}],
        "TEXT_INPUT": {"a": "s3cret"},
        "DROPDOWN": "9001",
    }
    set_fields(streak, odd)
    read_ = read("box_field_values")
    rows = {row["fieldType"]: row for row in read_.records["box_field_values"]}

    assert read_.ok
    assert {kind: json.loads(row["rawValue"]) for kind, row in rows.items()} == odd
    assert {kind: row["textValue"] for kind, row in rows.items()} == {
        "DATE": "next week",
        "CHECKBOX": "1",
        "TAG": '{"a":1}',
        "TEXT_INPUT": '{"a":"s3cret"}',
        "DROPDOWN": "Web",
    }
    assert not [
        kind
        for kind in ("DATE", "CHECKBOX", "TEXT_INPUT")
        if rows[kind].get("timeValue") or "booleanValue" in rows[kind]
    ]
    (line,) = said(read_, "textValue and rawValue")
    assert line.startswith("box_field_values: 4 values")
    assert "(CHECKBOX, DATE, TAG, TEXT_INPUT)" in line
    assert "s3cret" not in "".join(read_.logs)


def test_no_value_of_the_default_account_is_counted_as_odd(read: Read, discover: Discover) -> None:
    catalog = discover()
    read_ = read("box_field_values", *tables_in(catalog), catalog=catalog)

    assert [line for line in said(read_, "value") if "box_field_values:" in line] == []
    assert not said(read_, "did not fit")


def test_pipeline_field_options_join_with_box_field_values(read: Read) -> None:
    read_ = read("box_field_values", "pipeline_field_options", "pipeline_fields")
    options = {
        (row["pipelineKey"], row["fieldKey"], row["key"]): row
        for row in read_.records["pipeline_field_options"]
    }
    joined = [
        (options.get((row["pipelineKey"], row["fieldKey"], key), {}).get("label"), label)
        for row in read_.records["box_field_values"]
        for key, label in zip(row.get("optionKeys") or (), row.get("labels") or (), strict=True)
    ]

    assert len(options) == len(read_.records["pipeline_field_options"])
    assert len([one for one in joined if one[0]]) > 100
    assert {label for known, label in joined if known is None} == {"9098", "9099"}
    assert not [one for one in joined if one[0] and one[0] != one[1]]
    for field in read_.records["pipeline_fields"]:
        own = sorted(
            (
                row
                for row in options.values()
                if (row["pipelineKey"], row["fieldKey"]) == (field["pipelineKey"], field["key"])
            ),
            key=lambda row: row["position"],
        )
        assert [(row["key"], row["label"]) for row in own] == [
            (one["key"], one["label"]) for one in field["options"]
        ]
        assert {row["fieldName"] for row in own} <= {field["name"]}


@pytest.mark.parametrize(
    ("stream", "kind"), [("contacts", "CONTACT"), ("organizations", "ORGANIZATION")]
)
def test_team_fields_join_with_the_custom_fields_of_contacts_and_organizations(
    read: Read, stream: str, kind: str
) -> None:
    read_ = read(stream, "team_fields")
    fields = {
        (row["teamKey"], row["key"]): row
        for row in read_.records["team_fields"]
        if row["appliesTo"] == kind
    }
    values = [
        (record["teamKey"], one)
        for record in read_.records[stream]
        for one in record.get("customFields") or ()
    ]

    assert [row["position"] for row in fields.values()] == list(range(6))
    assert [row["type"] for row in fields.values()][:4] == ["DROPDOWN", "TAG", "DATE", "TEXT_INPUT"]
    assert values
    for team, one in values:
        field = fields.get((team, one["key"]), {})
        assert one["name"] == field.get("name", one["key"])
        labels = {option["key"]: option["label"] for option in field.get("options", ())}
        assert not labels or one["label"] == labels.get(one["value"], one["label"])


def test_stages_have_their_position_and_color(streak: Sandbox, read: Read) -> None:
    stages = read("pipeline_stages").records["pipeline_stages"]

    for key, pipeline in streak.account.pipelines.items():
        own = sorted(
            (stage for stage in stages if stage["pipelineKey"] == key),
            key=lambda stage: stage["position"],
        )
        assert [stage["key"] for stage in own] == pipeline["stageOrder"]
        assert {stage["pipelineName"] for stage in own} <= {pipeline["name"]}
        assert [stage["color"]["backgroundColor"] for stage in own] == ["#1f6feb"] * len(own)


@empty_account
def test_stages_without_a_position_or_a_color_are_rows_too(
    streak: Sandbox, read: Read, sales: str
) -> None:
    pipeline = streak.account.pipelines[sales]
    pipeline["stageOrder"] = ["5002", "5001"]
    del pipeline["stages"]["5001"]["color"]
    rows = {row["key"]: row for row in read("pipeline_stages").records["pipeline_stages"]}

    assert {key: row.get("position") for key, row in rows.items()} == {
        "5001": 1,
        "5002": 0,
        "5003": None,
        "5004": None,
    }
    assert "color" not in rows["5001"]


NOW_ANOTHERS: dict[str, Callable[[Sandbox, str], object]] = {
    "renamed": lambda streak, sales: streak.account.edit_pipeline(sales, name="Old deals"),
    "deleted": lambda streak, sales: streak.account.delete_pipeline(sales),
}


@empty_account
@pytest.mark.parametrize("what", NOW_ANOTHERS)
def test_rows_of_the_earlier_pipeline_are_deleted_when_a_table_gets_another(
    streak: Sandbox, read: Read, discover: Discover, sales: str, what: str
) -> None:
    first = read("boxes_sales", incremental=True, catalog=discover())
    earlier = set(by_box(first, "boxes_sales"))
    NOW_ANOTHERS[what](streak, sales)
    streak.account.add_pipeline("Sales", boxes=2)
    second = read("boxes_sales", incremental=True, catalog=discover(), state=first.last_states)

    assert {
        key
        for key, record in by_box(second, "boxes_sales").items()
        if record.get("_ab_cdc_deleted_at")
    } == earlier
