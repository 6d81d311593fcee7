"""Rows inside other rows. Any shape is accepted, and what is missing gives no rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from source_streak.records import parts

settings.register_profile("no clock", deadline=None, derandomize=True)
settings.load_profile("no clock")

WEB, FAIR = {"key": "9001", "name": "Web"}, {"key": "9002", "name": "Fair"}
SOURCE = {"name": "Source", "type": "DROPDOWN", "dropdownSettings": {"items": [WEB, FAIR]}}
TEAM = {
    "key": "team",
    "contactSettings": {"fields": {"1001": {"name": "Birthday", "type": "DATE"}, "1002": SOURCE}},
    "organizationSettings": {"fields": {"1001": {"type": "TEXT_INPUT"}}},
}
PIPELINE = {
    "key": "sales",
    "stages": {"5001": {"name": "Lead"}, "5002": {"name": "Won"}, "5003": None},
    "stageOrder": ["5002", "5001"],
    "fields": [{"key": "1002", **SOURCE}, {"key": "1001", "type": "DATE"}, None],
    "aclEntries": [{"userKey": "mia"}, {"email": "noah@example.net"}, "x"],
}


def test_the_fields_of_a_team_have_what_they_apply_to_a_position_and_options() -> None:
    rows = list(parts.team_fields(TEAM))

    assert [(row["appliesTo"], row["key"], row["position"]) for row in rows] == [
        ("CONTACT", "1001", 0),
        ("CONTACT", "1002", 1),
        ("ORGANIZATION", "1001", 0),
    ]
    assert [option["label"] for option in rows[1]["options"]] == ["Web", "Fair"]


def test_the_options_of_a_teams_fields_name_their_field() -> None:
    assert list(parts.team_field_options(TEAM)) == [
        {
            "appliesTo": "CONTACT",
            "fieldKey": "1002",
            "fieldName": "Source",
            "key": key,
            "label": label,
            "position": position,
        }
        for position, (key, label) in enumerate([("9001", "Web"), ("9002", "Fair")])
    ]


def test_the_position_of_a_stage_is_its_place_in_the_stage_order() -> None:
    rows = list(parts.stages(PIPELINE))

    assert [(row["key"], row.get("name"), row["position"]) for row in rows] == [
        ("5001", "Lead", 1),
        ("5002", "Won", 0),
        ("5003", None, None),
    ]


def test_the_fields_of_a_pipeline_are_in_streaks_order_with_their_options() -> None:
    rows = list(parts.pipeline_fields(PIPELINE))
    options = list(parts.pipeline_field_options(PIPELINE))

    assert [(row["key"], row["position"], len(row["options"])) for row in rows] == [
        ("1002", 0, 2),
        ("1001", 1, 0),
    ]
    assert [(one["fieldKey"], one["key"], one["position"]) for one in options] == [
        ("1002", "9001", 0),
        ("1002", "9002", 1),
    ]


def test_a_member_without_a_user_key_is_identified_by_email_address() -> None:
    assert [row["userKey"] for row in parts.pipeline_members(PIPELINE)] == [
        "mia",
        "noah@example.net",
    ]


def test_the_people_of_a_box_have_roles_and_each_follower_comes_once() -> None:
    box = {
        "creatorKey": "mia",
        "creatorSharingEntry": {"email": "mia@example.org"},
        "assignedToSharingEntries": [{"userKey": "noah"}, 5],
        "followerSharingEntries": [{"userKey": "noah", "email": "noah@example.net"}, {}],
        "followerKeys": ["mia", "noah", None],
    }
    rows = [(row["userKey"], row["role"], row.get("email")) for row in parts.box_users(box)]

    assert rows == [
        ("mia", "creator", "mia@example.org"),
        ("noah", "assignee", None),
        ("noah", "follower", "noah@example.net"),
        ("mia", "follower", None),
    ]


def test_the_latest_entry_of_a_stage_history_comes_first() -> None:
    entries = [{"stageKey": key, "lastEntryToStageTs": key} for key in (1, 3, None, 2)]
    rows = parts.stage_history({"stageHistoryEntries": entries})

    assert [row["stageKey"] for row in rows] == [3, 2, 1, None]


def test_the_key_of_a_link_goes_into_the_column_for_what_it_links_to() -> None:
    box = {"contacts": [{"key": "c", "isStarred": True}, "x", {}]}

    assert parts.links(box, "contacts", "contactKey") == [
        {"contactKey": "c", "isStarred": True},
        {"contactKey": None},
    ]


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["key", "name", "fields", "items", "tags", "userKey"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)
NAMES = sorted(
    {*TEAM, *PIPELINE, "creatorSharingEntry", "assignedToSharingEntries", "contacts"}
    | {"followerSharingEntries", "followerKeys", "stageHistoryEntries", "dropdownSettings"}
)


@pytest.mark.parametrize(
    "rows_in",
    [
        *(parts.team_fields, parts.team_field_options, parts.stages, parts.pipeline_fields),
        *(parts.pipeline_field_options, parts.pipeline_members, parts.box_users),
        *(parts.stage_history, lambda row: parts.links(row, "contacts", "contactKey")),
    ],
)
@given(row=st.dictionaries(st.sampled_from(NAMES), any_json, max_size=8))
def test_a_row_of_any_shape_causes_no_error(rows_in: Callable[[Any], Any], row: Any) -> None:
    assert all(isinstance(one, dict) for one in rows_in(row))
