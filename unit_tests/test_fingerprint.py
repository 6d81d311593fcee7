"""The face of a box changes whenever its rows would look otherwise, and never by itself."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from streak_sandbox import Account, Sandbox

from source_streak.faces import DRIFTING, names_in, of_activity, of_record, stamps
from source_streak.ledger import print_of

Row = dict[str, Any]


@pytest.fixture(scope="module")
def crm() -> Account:
    """The sandbox's default account: every property that the API documents is on some box of it."""
    return Sandbox().account


@pytest.fixture
def sales(crm: Account) -> Row:
    return crm.pipeline_named("Sales")


@pytest.fixture
def box(crm: Account, sales: Row) -> Row:
    """The one with every property."""
    return next(box for box in crm.boxes_of(sales["key"]) if box["name"] == "Acme – 200 anvils")  # noqa: RUF001


def record(box: Row, pipeline: Row) -> int:
    return print_of("box", of_record(box, names_in(pipeline)), 1)


def activity(box: Row) -> int:
    return print_of("box", of_activity(box, box["pipelineKey"]), 1)


def other(value: Any) -> Any:
    """Another value of its kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str):
        return value + "!"
    if isinstance(value, list):
        return value[1:] if value else ["new"]
    return {**value, "new": 1} if isinstance(value, dict) else "new"


# Properties of the box


def test_each_property_of_a_box_changes_the_face_of_its_record_but_those_that_drift(box: Row, sales: Row) -> None:
    before = record(box, sales)
    unchanged = {name for name, value in box.items() if record({**box, name: other(value)}, sales) == before}

    assert len(box) > 60
    assert unchanged == DRIFTING & box.keys() == DRIFTING, "the sandbox has one of each"


def test_a_property_that_comes_or_goes_changes_the_face_of_the_record(box: Row, sales: Row) -> None:
    before = record(box, sales)

    assert record({**box, "mood": None}, sales) != before
    unchanged = {name for name in box if record({other: value for other, value in box.items() if other != name}, sales) == before}
    assert unchanged == DRIFTING


ACTIVITY = {
    *("creationTimestamp", "lastUpdatedTimestamp", "lastSavedTimestamp", "lastStageChangeTimestamp", "lastCommentTimestamp"),
    *("firstEmailTimestamp", "firstEmailReceivedTimestamp", "firstEmailSentTimestamp"),
    *("lastEmailUpdatedTimestamp", "lastEmailReceivedTimestamp", "lastEmailSentTimestamp", "lastTouchpointTimestamp"),
    *("firstCallLogTimestamp", "mostRecentCallLogTimestamp", "firstMeetingNotesTimestamp", "mostRecentMeetingNotesTimestamp"),
    *("soonestTaskDueDate", "earliestOverdueTaskDueDate"),
    *("commentCount", "callLogCount", "meetingNotesCount", "gmailThreadCount", "fileCount", "followerCount"),
    *("taskTotal", "taskCompleteCount", "taskIncompleteCount", "taskOverdueCount", "taskPercentageComplete"),
    *("totalCallLogDuration", "totalMeetingNotesDuration"),
    *("totalNumberOfEmails", "totalNumberOfSentEmails", "totalNumberOfReceivedEmails"),
}


def test_each_stamp_and_each_counter_of_a_box_changes_the_face_of_its_activity_and_nothing_else(box: Row) -> None:
    before = activity(box)
    changed = {name for name, value in box.items() if activity({**box, name: other(value)}) != before}

    assert changed == (ACTIVITY & box.keys()) | {"pipelineKey"}
    assert not changed & {"name", "notes", "fields", "stageKey", "freshness"}


@pytest.mark.parametrize("name", sorted(ACTIVITY))
def test_a_stamp_or_counter_changes_the_face_of_the_activity_also_by_falling_coming_or_going(name: str, box: Row) -> None:
    sights = [{**box, name: 5}, {**box, name: 4}, {**box, name: 0}, {key: value for key, value in box.items() if key != name}]

    assert len({activity(sight) for sight in sights}) == len(sights)


def test_the_pipeline_that_lists_a_box_is_part_of_its_activity(box: Row) -> None:
    assert print_of("box", of_activity(box, "another"), 1) != activity(box)


def test_no_counter_that_a_stream_goes_by_is_missing_from_the_face() -> None:
    """A counter of a stream of streams.py that does not end as faces.ACTIVITY says would change unseen."""
    from source_streak.streams import STREAMS

    counters = {counter for stream in STREAMS for counter in stream.counters}
    assert counters
    assert all(
        print_of("box", of_activity({counter: 1}, "p"), 1) != print_of("box", of_activity({counter: 2}, "p"), 1) for counter in counters
    )


# What drifts


def test_a_day_in_which_nobody_does_anything_changes_no_face() -> None:
    account = Sandbox().account
    pipelines = account.pipelines
    before = {key: (record(box, pipelines[box["pipelineKey"]]), activity(box)) for key, box in account.boxes.items()}
    as_it_was = copy.deepcopy(account.boxes)
    account.drift()

    assert account.boxes != as_it_was
    assert {key: (record(box, pipelines[box["pipelineKey"]]), activity(box)) for key, box in account.boxes.items()} == before


def test_the_time_in_a_stage_drifts_but_the_stages_do_not(box: Row, sales: Row) -> None:
    entry, *rest = box["stageHistoryEntries"]
    before = record(box, sales)

    assert record({**box, "stageHistoryEntries": [{**entry, "timeInStageMs": 7}, *rest]}, sales) == before
    assert record({**box, "stageHistoryEntries": [{**entry, "lastEntryToStageTs": 7}, *rest]}, sales) != before
    assert record({**box, "stageHistoryEntries": rest}, sales) != before


@pytest.mark.parametrize("history", [None, 5, "x", {}, [None], [5, "x"], [[]], []])
def test_a_history_of_another_shape_has_a_face_too(history: Any, box: Row, sales: Row) -> None:
    assert record({**box, "stageHistoryEntries": history}, sales) != record(box, sales)


def test_the_box_itself_is_left_as_it_is(box: Row, sales: Row) -> None:
    before = copy.deepcopy(box)
    record(box, sales)
    activity(box)

    assert box == before


# The definitions that it is shown with


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


@pytest.mark.parametrize(
    "change",
    [
        *("pipeline renamed", "stage renamed", "stage added"),
        *("field renamed", "field of another type", "field deleted", "field added", "dropdown option renamed", "tag renamed"),
    ],
)
def test_a_definition_that_is_shown_in_the_rows_changes_the_face_of_the_record(change: str, box: Row, sales: Row) -> None:
    assert record(box, changed_pipeline(sales, change)) != record(box, sales)


def test_what_is_not_shown_in_the_rows_changes_nothing(box: Row, sales: Row) -> None:
    assert changed_pipeline(sales, "nothing shown") != sales
    assert record(box, changed_pipeline(sales, "nothing shown")) == record(box, sales)


def test_the_order_of_stages_and_of_properties_changes_nothing(box: Row, sales: Row) -> None:
    backwards = {**sales, "stages": dict(reversed(sales["stages"].items()))}

    assert record(dict(reversed(box.items())), backwards) == record(box, sales)


@pytest.mark.parametrize("nonsense", [None, 5, "x", [], [None], {"a": 5}])
def test_definitions_of_another_shape_are_no_error(nonsense: Any) -> None:
    assert names_in({"name": nonsense, "stages": nonsense, "fields": nonsense})


# Stamps, for the start date


def test_the_stamps_of_a_box_are_all_its_times_from_the_first_to_the_last(box: Row) -> None:
    assert set(stamps(box)) == {value for name, value in box.items() if name.endswith(("Timestamp", "DueDate"))}
    assert max(stamps(box)) > 3_900_000_000_000, "its meeting of 2096"


@pytest.mark.parametrize("value", [0, -1, None, "5", 5.0, True, [5]])
def test_what_is_no_time_is_no_stamp(value: Any) -> None:
    assert list(stamps({"lastSavedTimestamp": value, "name": 7, "creationTimestamp": 12})) == [12]
