"""A fingerprint changes whenever a stream's rows would change, and never otherwise."""

from __future__ import annotations

import copy
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streak_sandbox import Account, Sandbox

from source_streak.incremental.fingerprint import (
    DRIFTING,
    fingerprint,
    names_in,
    names_in_team,
    names_of,
    recheck_slot,
    stage_names_in,
    stamps,
    visible_activity,
    visible_fields,
    visible_history,
    visible_record,
)
from source_streak.records.fields import definitions_of

EXAMPLES = settings(derandomize=True, deadline=None, max_examples=200)
FEW = settings(derandomize=True, deadline=None, max_examples=100)
Row = dict[str, Any]


@pytest.fixture(scope="module")
def crm() -> Account:
    """The sandbox's default account. Every property that the API documents is on some box."""
    return Sandbox().account


@pytest.fixture
def sales(crm: Account) -> Row:
    return crm.pipeline_named("Sales")


@pytest.fixture
def box(crm: Account, sales: Row) -> Row:
    """The box that has every property."""
    boxes = crm.boxes_of(sales["key"])
    return next(box for box in boxes if box["name"] == "Acme – 200 anvils")  # noqa: RUF001


def record(box: Row, pipeline: Row) -> int:
    return fingerprint("box", visible_record(box, names_in(pipeline)), 1)


def activity(box: Row) -> int:
    return fingerprint("box", visible_activity(box, box["pipelineKey"]), 1)


def fields(box: Row, pipeline: Row) -> int:
    names = names_of(definitions_of(pipeline.get("fields")))
    return fingerprint("box", visible_fields(box, names), 1)


def history(box: Row, pipeline: Row) -> int:
    return fingerprint("box", visible_history(box, stage_names_in(pipeline)), 1)


def other(value: Any) -> Any:
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str):
        return value + "!"
    if isinstance(value, list):
        return value[1:] if value else ["new"]
    return {**value, "new": 1} if isinstance(value, dict) else "new"


def changing(box: Row, take: Any) -> set[str]:
    """The properties whose change changes the result of `take`."""
    before = take(box)
    return {name for name, value in box.items() if take({**box, name: other(value)}) != before}


def losing(box: Row, take: Any) -> set[str]:
    """The properties whose loss changes the result of `take`."""
    before = take(box)
    without = {name: {one: box[one] for one in box if one != name} for name in box}
    return {name for name in box if take(without[name]) != before}


# Properties of the box


def test_every_property_of_a_box_except_freshness_changes_its_record_fingerprint(
    box: Row, sales: Row
) -> None:
    assert len(box) > 60
    assert changing(box, lambda box: record(box, sales)) == box.keys() - {"freshness"}
    assert losing(box, lambda box: record(box, sales)) == box.keys() - {"freshness"}
    assert {"freshness"} == DRIFTING


def test_a_new_property_changes_the_record_fingerprint(box: Row, sales: Row) -> None:
    assert record({**box, "mood": None}, sales) != record(box, sales)


VIEWS = {
    "totalNumberOfSentEmailsViews",
    "totalNumberOfLastSentEmailViews",
    "totalNumberOfLastSentEmailLinksClicks",
    "mostRecentLastSentEmailViewsTimestamp",
    "mostRecentSentEmailsViewsTimestamp",
}


def test_an_opened_email_changes_only_the_record_fingerprint(box: Row, sales: Row) -> None:
    """Boxes and tables show its counters. No other row has to be read again."""
    assert box.keys() >= VIEWS
    opened = {**box, **{name: box[name] + 1 for name in VIEWS}}

    assert record(opened, sales) != record(box, sales)
    assert activity(opened) == activity(box)
    assert fields(opened, sales) == fields(box, sales)
    assert history(opened, sales) == history(box, sales)


ACTIVITY = {
    *("creationTimestamp", "lastUpdatedTimestamp", "lastSavedTimestamp"),
    *("lastStageChangeTimestamp", "lastCommentTimestamp"),
    *("firstEmailTimestamp", "firstEmailReceivedTimestamp", "firstEmailSentTimestamp"),
    *("lastEmailUpdatedTimestamp", "lastEmailReceivedTimestamp", "lastEmailSentTimestamp"),
    *("lastTouchpointTimestamp", "firstCallLogTimestamp", "mostRecentCallLogTimestamp"),
    *("firstMeetingNotesTimestamp", "mostRecentMeetingNotesTimestamp"),
    *("soonestTaskDueDate", "earliestOverdueTaskDueDate"),
    *("commentCount", "callLogCount", "meetingNotesCount", "gmailThreadCount", "fileCount"),
    *("followerCount", "taskTotal", "taskCompleteCount", "taskIncompleteCount"),
    *("taskOverdueCount", "taskPercentageComplete"),
    *("totalCallLogDuration", "totalMeetingNotesDuration"),
    *("totalNumberOfEmails", "totalNumberOfSentEmails", "totalNumberOfReceivedEmails"),
}


def test_only_timestamps_counters_and_the_pipeline_change_the_activity_fingerprint(
    box: Row,
) -> None:
    assert changing(box, activity) == (ACTIVITY & box.keys()) | {"pipelineKey"}
    assert not ACTIVITY & {"name", "notes", "fields", "stageKey", "freshness"}


@pytest.mark.parametrize("name", sorted(ACTIVITY))
def test_a_timestamp_or_counter_that_falls_appears_or_goes_changes_the_activity(
    name: str, box: Row
) -> None:
    without = {key: value for key, value in box.items() if key != name}
    sights = [{**box, name: 5}, {**box, name: 4}, {**box, name: 0}, without]

    assert len({activity(sight) for sight in sights}) == len(sights)


def test_the_pipeline_that_lists_a_box_is_part_of_its_activity(box: Row) -> None:
    assert fingerprint("box", visible_activity(box, "another"), 1) != activity(box)


@pytest.mark.parametrize(
    "counter",
    [
        *("commentCount", "callLogCount", "meetingNotesCount"),
        *("taskTotal", "gmailThreadCount", "fileCount"),
    ],
)
def test_the_counters_that_streams_rely_on_are_part_of_the_activity(counter: str) -> None:
    one, two = (visible_activity({counter: number}, "p") for number in (1, 2))

    assert fingerprint("box", one, 1) != fingerprint("box", two, 1)


def test_only_its_fields_change_the_field_values_fingerprint_of_a_box(box: Row, sales: Row) -> None:
    assert changing(box, lambda box: fields(box, sales)) == {"fields"}
    assert losing(box, lambda box: fields(box, sales)) == {"fields"}
    for key, value in box["fields"].items():
        changed = {**box, "fields": {**box["fields"], key: other(value)}}
        assert fields(changed, sales) != fields(box, sales)


def test_only_history_entries_change_the_stage_history_fingerprint_of_a_box(
    box: Row, sales: Row
) -> None:
    assert changing(box, lambda box: history(box, sales)) == {"stageHistoryEntries"}
    assert losing(box, lambda box: history(box, sales)) == {"stageHistoryEntries"}


# Values that change with the clock


def test_a_day_on_which_nobody_does_anything_changes_no_fingerprint() -> None:
    account = Sandbox().account
    pipelines = account.pipelines

    def all_of(box: Row) -> tuple[int, ...]:
        pipeline = pipelines[box["pipelineKey"]]
        # An opened email is a real change, although no user of the account made it.
        still = {**box, **dict.fromkeys(VIEWS, 0)}
        return (
            *(record(still, pipeline), activity(box)),
            *(fields(box, pipeline), history(box, pipeline)),
        )

    before = {key: all_of(box) for key, box in account.boxes.items()}
    as_it_was = copy.deepcopy(account.boxes)
    account.drift()

    assert account.boxes != as_it_was
    assert {key: all_of(box) for key, box in account.boxes.items()} == before


@pytest.mark.parametrize("take", [record, history])
def test_the_time_in_a_stage_changes_no_fingerprint_but_other_history_does(
    take: Any, box: Row, sales: Row
) -> None:
    entry, *rest = box["stageHistoryEntries"]
    before = take(box, sales)

    def changed(**properties: int) -> Row:
        return {**box, "stageHistoryEntries": [{**entry, **properties}, *rest]}

    assert take(changed(timeInStageMs=7), sales) == before
    assert take(changed(lastEntryToStageTs=7), sales) != before
    assert take({**box, "stageHistoryEntries": rest}, sales) != before


@pytest.mark.parametrize("take", [record, history])
@pytest.mark.parametrize("entries", [None, 5, "x", {}, [None], [5, "x"], [[]], []])
def test_a_stage_history_of_another_shape_changes_the_fingerprint(
    take: Any, entries: Any, box: Row, sales: Row
) -> None:
    assert take({**box, "stageHistoryEntries": entries}, sales) != take(box, sales)


def test_taking_fingerprints_does_not_change_the_box(box: Row, sales: Row) -> None:
    before = copy.deepcopy(box)
    for take in (record, fields, history):
        take(box, sales)
    activity(box)

    assert box == before


# Definitions that rows show


def changed_pipeline(pipeline: Row, change: str) -> Row:
    pipeline = copy.deepcopy(pipeline)
    fields = {field["key"]: field for field in pipeline["fields"]}
    if change == "pipeline renamed":
        pipeline["name"] += "!"
    elif change == "stage renamed":
        pipeline["stages"]["5002"]["name"] += "!"
    elif change == "stage added":
        pipeline["stages"]["5099"] = {"key": "5099", "name": "New"}
    elif change == "field renamed":
        fields["1001"]["name"] += "!"
    elif change == "field of another type":
        fields["1001"]["type"] = "DATE"
    elif change == "field deleted":
        pipeline["fields"].remove(fields["1001"])
    elif change == "field added":
        pipeline["fields"].append({"key": "1099", "name": "New", "type": "TEXT_INPUT"})
    elif change == "dropdown option renamed":
        fields["1002"]["dropdownSettings"]["items"][0]["name"] += "!"
    elif change == "tag renamed":
        fields["1004"]["tagSettings"]["tags"][0]["tag"] += "!"
    elif change == "nothing shown":
        pipeline["boxCount"] += 1
        pipeline["lastSavedTimestamp"] += 1
        pipeline["stages"]["5002"]["boxCount"] += 1
        pipeline["stages"]["5002"]["color"] = {}
        pipeline["aclEntries"] = []
        fields["1001"]["lastUpdatedTimestamp"] = 7
    return pipeline


STAGES = ("stage renamed", "stage added")
FIELDS = (
    *("field renamed", "field of another type", "field deleted", "field added"),
    *("dropdown option renamed", "tag renamed"),
)


@pytest.mark.parametrize("change", ["pipeline renamed", *STAGES, *FIELDS])
def test_a_changed_definition_changes_the_fingerprints_of_the_rows_that_show_it_only(
    change: str, box: Row, sales: Row
) -> None:
    changed = changed_pipeline(sales, change)

    assert record(box, changed) != record(box, sales)
    assert (fields(box, changed) != fields(box, sales)) == (change in FIELDS)
    assert (history(box, changed) != history(box, sales)) == (change in STAGES)


def test_a_pipeline_change_that_no_row_shows_changes_no_fingerprint(box: Row, sales: Row) -> None:
    changed = changed_pipeline(sales, "nothing shown")

    assert changed != sales
    for take in (record, fields, history):
        assert take(box, changed) == take(box, sales)


def test_the_order_of_stages_and_of_properties_changes_no_fingerprint(box: Row, sales: Row) -> None:
    backwards = {**sales, "stages": dict(reversed(sales["stages"].items()))}
    reversed_box = dict(reversed(box.items()))

    for take in (record, fields, history):
        assert take(reversed_box, backwards) == take(box, sales)


@pytest.mark.parametrize("nonsense", [None, 5, "x", [], [None], {"a": 5}])
def test_definitions_of_an_unexpected_shape_cause_no_error(nonsense: Any) -> None:
    pipeline = {"name": nonsense, "stages": nonsense, "fields": nonsense}

    assert names_in(pipeline)
    assert names_of(definitions_of(pipeline.get("fields")))
    assert stage_names_in(pipeline)
    assert names_in_team({"contactSettings": nonsense}, "contactSettings")
    assert names_in_team({"contactSettings": {"fields": nonsense}}, "contactSettings")


# Contacts and organizations


SETTINGS = ("contactSettings", "organizationSettings")
CONTACT = {"key": "c", "fields": {"1002": "9001"}, "emailAddresses": ["mia@example.org"]}


def team(name: str = "Source", label: str = "Web", kind: str = "DROPDOWN") -> Row:
    options = {"items": [{"key": "9001", "name": label}]}
    definition = {"name": name, "type": kind, "dropdownSettings": options}
    fields = {"fields": {"1002": definition}}
    return {"key": "t", "name": "Acme", "contactSettings": fields, "organizationSettings": fields}


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("changed", [{"name": "x"}, {"label": "x"}, {"kind": "TEXT_INPUT"}])
def test_a_changed_field_or_option_changes_contacts_and_their_field_values(
    settings: str, changed: dict[str, str]
) -> None:
    before, after = names_in_team(team(), settings), names_in_team(team(**changed), settings)

    for visible in (visible_record, visible_fields):
        assert visible(CONTACT, before) != visible(CONTACT, after)


def test_contacts_do_not_depend_on_the_fields_of_organizations() -> None:
    one = {**team(), "organizationSettings": {}}

    assert names_in_team(one, "contactSettings") == names_in_team(team(), "contactSettings")
    assert names_in_team(one, "organizationSettings") != names_in_team(one, "contactSettings")
    assert names_in_team({**one, "name": "Globex"}, "contactSettings") == names_in_team(
        one, "contactSettings"
    )


def test_every_property_of_a_contact_changes_its_record_fingerprint() -> None:
    def take(contact: Row) -> Any:
        return fingerprint("c", visible_record(contact, names_in_team(team(), SETTINGS[0])), 1)

    assert changing(CONTACT, take) == losing(CONTACT, take) == CONTACT.keys()


# Stamps, for the start date


def test_the_stamps_of_a_box_are_all_its_timestamps_and_due_dates(box: Row) -> None:
    times = {value for name, value in box.items() if name.endswith(("Timestamp", "DueDate"))}

    assert set(stamps(box)) == times
    assert max(stamps(box)) > 3_900_000_000_000, "its meeting of 2096"


@pytest.mark.parametrize("value", [0, -1, None, "5", 5.0, True, [5]])
def test_a_value_that_is_not_a_time_is_not_a_stamp(value: Any) -> None:
    row = {"lastSavedTimestamp": value, "name": 7, "creationTimestamp": 12}

    assert list(stamps(row)) == [12]


# The recheck slot


@EXAMPLES
@given(key=st.text(), day=st.integers(0, 50_000), recheck_days=st.integers(1, 400))
def test_a_recheck_slot_changes_exactly_once_within_recheck_days(
    key: str, day: int, recheck_days: int
) -> None:
    slots = [recheck_slot(key, day + days, recheck_days) for days in range(recheck_days + 1)]

    assert sum(later != earlier for earlier, later in pairwise(slots)) == 1
    assert slots[-1] == slots[0] + 1


def test_about_equally_many_recheck_slots_change_each_day() -> None:
    keys, days = [f"box{number}" for number in range(9_000)], 30
    changes = Counter(
        day
        for key in keys
        for day in range(100, 100 + days)
        if recheck_slot(key, day, days) != recheck_slot(key, day + 1, days)
    )

    assert sum(changes.values()) == len(keys)
    assert all(200 < changes[day] < 400 for day in range(100, 100 + days))


@FEW
@given(key=st.text(), day=st.integers(0, 50_000))
def test_a_recheck_slot_never_changes_with_0_recheck_days(key: str, day: int) -> None:
    assert recheck_slot(key, day, 0) == recheck_slot(key, day + 1, 0) == 0


# Fingerprints

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@EXAMPLES
@given(visible=JSON, slot=st.integers(0, 2**31))
def test_the_fingerprint_of_any_json_has_32_bits_and_changes_with_key_and_slot(
    visible: object, slot: int
) -> None:
    print_ = fingerprint("box", visible, slot)

    assert 0 <= print_ < 2**32
    assert print_ == fingerprint("box", visible, slot)
    assert print_ not in (
        fingerprint("box", visible, slot + 1),
        fingerprint("another", visible, slot),
    )


@EXAMPLES
@given(st.dictionaries(st.text(max_size=3), st.integers(), max_size=6))
def test_the_order_of_properties_does_not_change_a_fingerprint(parts: dict[str, int]) -> None:
    bounded = {name: value % 2**53 for name, value in parts.items()}
    backwards = dict(reversed(bounded.items()))

    assert fingerprint("box", bounded, 1) == fingerprint("box", backwards, 1)
