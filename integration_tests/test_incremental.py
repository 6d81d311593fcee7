"""Incremental sync through the real entrypoint: its records, requests and states.

Most tests read the account, change something, and read it again with the state of the first read.
"""

from __future__ import annotations

import copy
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from airbyte_cdk.models import (
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateMessageSerializer,
    AirbyteStateStats,
    AirbyteStateType,
    AirbyteStreamState,
    StreamDescriptor,
    SyncMode,
)
from conftest import Read, Reading
from destination import CURSOR, Destination, discovered, without_cursor
from pytest_mock import MockerFixture
from quick import HurryingClock, StoppedClock
from streak_sandbox import Sandbox, objects

from source_streak import SourceStreak
from source_streak.api.clock import Clock
from source_streak.api.errors import StreakError
from source_streak.config import Config
from source_streak.reading import fetching, heartbeat
from source_streak.records.shape import DAY_MS, iso_time, milliseconds_of

Row = dict[str, Any]
State = list[AirbyteStateMessage]

OF_RECORDS = ("boxes", "box_field_values", "box_stage_history")
CHILDREN = ("box_comments", "box_meetings", "box_tasks", "box_threads", "box_files")
OF_BOXES = OF_RECORDS + CHILDREN
SOME = ("boxes", "box_field_values", "box_comments")
PEOPLE = ("contacts", "organizations", "contact_field_values", "organization_field_values")
INCREMENTAL = {*OF_BOXES, *PEOPLE, "box_changes", "box_documents", "newsfeed"}
COUNTERS = {
    "box_comments": ("commentCount",),
    "box_meetings": ("callLogCount", "meetingNotesCount"),
    "box_tasks": ("taskTotal",),
    "box_threads": ("gmailThreadCount",),
    "box_files": ("fileCount",),
}
PATHS = {name: name.removeprefix("box_") for name in CHILDREN}
REFUSED = "Hiring – Bewerbungen"  # noqa: RUF001
TODAY = 1_795_284_000_000  # 2026-11-21


# --- Helpers --------------------------------------------------------------------------------------


@pytest.fixture
def streak(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """As in conftest.py, but smaller, since each test here reads it several times."""
    with Sandbox(**getattr(request, "param", {"boxes": 45})) as sandbox:
        yield sandbox


class Dial:
    """Holds the clock that the syncs of a test use."""

    clock: Clock | None = None


@pytest.fixture
def dial() -> Dial:
    return Dial()


@pytest.fixture
def sync(read: Read, dial: Dial) -> Callable[..., Reading]:
    """Like `read`, but incremental; `after` is the read whose states to start from."""

    def incremental(
        *names: str, after: Reading | None = None, state: State | None = None, **settings: Any
    ) -> Reading:
        last = after.last_states if after else state
        return read(*names, incremental=True, state=last, **{"clock": dial.clock, **settings})

    return incremental


Sync = Callable[..., Reading]


def asked(streak: Sandbox) -> Counter[str]:
    """The paths requested since the log was cleared, keys included, and how often."""
    return Counter(entry.path for entry in streak.requests())


def lists(streak: Sandbox) -> Counter[str]:
    """The requests of every sync of box streams.

    They are the API key's user, the pipelines, and the boxes of each pipeline (one page here).
    """
    return Counter(
        {
            "v1/users/me": 1,
            "v2/pipelines": 1,
            **{f"v1/pipelines/{key}/boxes": 1 for key in streak.account.pipelines},
        }
    )


def asked_for(streak: Sandbox, *boxes: Row) -> Counter[str]:
    """The requests for all children of these boxes."""
    return Counter(
        f"v{1 if name in ('box_threads', 'box_files') else 2}/boxes/{box['key']}/{PATHS[name]}"
        for box in boxes
        for name in CHILDREN
        if any(box.get(counter, 1) for counter in COUNTERS[name])
    )


def boxes_in(reading: Reading, stream: str) -> set[str]:
    """Keys of the boxes of which a stream delivered records."""
    return {record["key" if stream == "boxes" else "boxKey"] for record in reading.records[stream]}


def some_boxes(streak: Sandbox, having: str = "commentCount") -> list[Row]:
    """Boxes with a value for that property, such as a counter above 0."""
    return [box for box in streak.account.boxes.values() if box.get(having)]


def blob(reading: Reading, stream: str) -> Row:
    """A stream's last state as JSON."""
    state = next(
        state for state in reading.last_states if state.stream.stream_descriptor.name == stream
    )
    return json.loads(json.dumps(vars(state.stream.stream_state)))


def states_of(**blobs: Any) -> State:
    """States as the platform passes them to a sync."""
    return [
        AirbyteStateMessage(
            type=AirbyteStateType.STREAM,
            stream=AirbyteStreamState(
                stream_descriptor=StreamDescriptor(name=name), stream_state=AirbyteStateBlob(blob)
            ),
            sourceStats=AirbyteStateStats(recordCount=0.0),
        )
        for name, blob in blobs.items()
    ]


def rows_of(reading: Reading, stream: str) -> list[str]:
    """A stream's records as sorted JSON texts, without the cursor."""
    return sorted(
        orjson.dumps(without_cursor(record), option=orjson.OPT_SORT_KEYS).decode()
        for record in reading.records[stream]
    )


def warnings(reading: Reading, *words: str) -> list[str]:
    """The log lines that contain all of these words."""
    return [line for line in reading.logs if all(word in line for word in words)]


def assert_whole(*readings: Reading, fresh: Reading) -> None:
    """Assert that a destination with all these reads holds each record of `fresh` as it is there.

    `fresh` is a whole read of the account as it is now.
    """
    destination = Destination()
    for reading in readings:
        for stream, records in reading.records.items():
            destination.take(stream, records)
    for stream in INCREMENTAL & fresh.records.keys():
        kept = destination.rows(stream)
        for record in fresh.records[stream]:
            key = tuple(record[column] for column in destination.keys[stream])
            assert kept.get(key) == without_cursor(record), f"{stream}: missing or stale"


@contextmanager
def clock_at(dial: Dial, milliseconds: int) -> Iterator[None]:
    """Stop the connector's clock at that time."""
    dial.clock = StoppedClock(milliseconds)
    yield
    dial.clock = None


# --- Discover, first sync, full refresh -----------------------------------------------------------


def test_discover_marks_the_incremental_streams_and_their_source_defined_cursor() -> None:
    streams = {stream.name: stream for stream in discovered().streams}
    incremental = {
        name
        for name, stream in streams.items()
        if SyncMode.incremental in stream.supported_sync_modes
    }

    assert incremental == INCREMENTAL
    for name, stream in streams.items():
        assert SyncMode.full_refresh in stream.supported_sync_modes
        assert bool(stream.source_defined_cursor) == (name in INCREMENTAL)
        assert (stream.default_cursor_field or []) == (["readAt"] if name in INCREMENTAL else [])
        cursor = stream.json_schema["properties"].get("readAt")
        assert bool(cursor) == (name in INCREMENTAL)
        assert not cursor or (cursor["format"], cursor["airbyte_type"]) == (
            "date-time",
            "timestamp_with_timezone",
        )


def test_a_first_incremental_sync_equals_a_full_refresh_in_records_and_requests(
    streak: Sandbox, read: Read
) -> None:
    whole = read()
    asked_whole = asked(streak)
    streak.clear_log()
    first = read(incremental=True)

    assert whole.ok
    assert first.ok
    assert set(whole.records) == set(first.records)
    for stream in whole.records:
        assert rows_of(whole, stream) == rows_of(first, stream), stream
    assert asked(streak) == asked_whole + Counter(
        {"v1/users/me": 1}
    )  # the state holds the user of the API key
    assert all(
        CURSOR in record
        for stream in INCREMENTAL
        for reading in (whole, first)
        for record in reading.records[stream]
    )
    assert not any(
        CURSOR in record
        for stream in set(whole.records) - INCREMENTAL
        for record in whole.records[stream]
    )


def test_a_full_refresh_ignores_the_state_but_advances_the_cursor(
    streak: Sandbox, read: Read
) -> None:
    first = read(*INCREMENTAL, incremental=True)
    second = read(*INCREMENTAL, state=first.last_states)
    third = read(*INCREMENTAL, state=second.last_states)

    for reading in (second, third):
        for stream in INCREMENTAL:
            assert rows_of(reading, stream) == rows_of(first, stream), stream
    for stream in INCREMENTAL:
        times = [
            {record[CURSOR] for record in reading.records[stream]}
            for reading in (first, second, third)
        ]
        assert max(times[0]) < min(times[1]) <= max(times[1]) < min(times[2]), stream


def test_all_records_of_a_stream_carry_the_cursor_of_its_state(sync: Sync) -> None:
    first = sync("boxes", "box_comments")

    for stream in ("boxes", "box_comments"):
        times = {record[CURSOR] for record in first.records[stream]}
        assert times == {blob(first, stream)["readAt"]}
        assert milliseconds_of(times.pop()) is not None


def test_the_state_holds_a_summary_of_what_it_covers(streak: Sandbox, sync: Sync) -> None:
    first = sync("boxes", "box_comments", "organizations")

    for stream in ("boxes", "box_comments"):
        assert "45 boxes in 4 pipelines" in blob(first, stream)["summary"]
        with_boxes = {key for key in streak.account.pipelines if streak.account.boxes_of(key)}
        assert blob(first, stream)["ledgers"].keys() == with_boxes
    assert "organizations in 2 teams" in blob(first, "organizations")["summary"]


# --- Nothing has changed --------------------------------------------------------------------------


def test_a_second_sync_of_an_unchanged_account_requests_lists_and_delivers_nothing(
    streak: Sandbox, sync: Sync
) -> None:
    first = sync(*OF_BOXES)
    streak.clear_log()
    second = sync(*OF_BOXES, after=first)

    assert second.ok
    assert not second.records
    assert asked(streak) == lists(streak)


def test_a_second_sync_of_all_streams_requests_only_lists(streak: Sandbox, sync: Sync) -> None:
    first = sync()
    streak.clear_log()
    second = sync(after=first)

    assert not INCREMENTAL & second.records.keys()
    teams, pipelines = streak.account.teams, streak.account.pipelines
    others = [
        *("v2/users/me/teams", "v1/snippets"),
        *(
            f"v2/teams/{key}/{what}"
            for key in teams
            for what in ("users", "contacts", "organizations")
        ),
        *(f"v1/pipelines/{key}/newsfeed" for key in pipelines),
    ]
    assert asked(streak) == lists(streak) + Counter(others)


@pytest.mark.parametrize("streak", [{"boxes": 300}], indirect=True)
def test_boxes_edited_in_the_same_millisecond_are_delivered_once(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    first = sync("boxes", "box_comments")
    for number, key in enumerate(list(streak.account.boxes)):
        streak.account.edit_box(
            key, notes=f"No. {number}", lastUpdatedTimestamp=TODAY, lastSavedTimestamp=TODAY
        )
    second = sync("boxes", "box_comments", after=first)
    streak.clear_log()
    third = sync("boxes", "box_comments", after=second)

    assert len(second.records["boxes"]) == 300
    assert not third.records
    assert asked(streak) == lists(streak)
    assert_whole(first, second, third, fresh=read("boxes", "box_comments"))


def test_values_that_drift_with_the_clock_cause_no_child_requests(
    streak: Sandbox, sync: Sync
) -> None:
    first = sync(*OF_BOXES)
    streak.account.drift()  # also opened mails, which show only in boxes
    streak.clear_log()
    second = sync(*OF_BOXES, after=first)

    assert second.records.keys() == {"boxes"}
    assert asked(streak) == lists(streak)


# --- The recheck slot -----------------------------------------------------------------------------


def test_every_box_is_read_again_exactly_once_within_recheck_days(
    streak: Sandbox, sync: Sync, dial: Dial
) -> None:
    streams, days = ("boxes", "box_comments", "box_changes", "box_documents", "organizations"), 5
    with clock_at(dial, TODAY):
        last = sync(*streams, recheck_days=days)
    again: dict[str, list[str]] = {stream: [] for stream in streams}
    for day in range(1, days + 1):
        with clock_at(dial, TODAY + day * DAY_MS):
            for hours in (0, 3):  # two syncs on that day
                streak.clear_log()
                before, last = last, sync(*streams, recheck_days=days, after=last)
                with_comments = {
                    key
                    for key in boxes_in(last, "boxes")
                    if streak.account.boxes[key].get("commentCount", 1)
                }
                assert boxes_in(last, "box_comments") == with_comments
                assert len(streak.requests("*/comments")) == len(with_comments)
                for path in ("*/timeline", "*/md"):  # without a counter each box is requested
                    assert len(streak.requests(path)) == len(boxes_in(last, "boxes"))
                assert not last.records["box_changes"], "entries that were delivered come once"
                assert bool(boxes_in(last, "boxes")) == (not hours), "their turn was this morning"
                for stream in streams:
                    keys = {
                        record.get("boxKey") or record["key"] for record in last.records[stream]
                    }
                    again[stream] += keys
                assert before.ok

    assert sorted(again["boxes"]) == sorted(streak.account.boxes)
    assert sorted(again["box_comments"]) == sorted(
        {box["key"] for box, _ in streak.account.all("comments")}
    )
    assert sorted(again["organizations"]) == sorted(
        row["key"] for rows in streak.account.organizations.values() for row in rows
    )


def test_a_comment_edit_that_changes_nothing_in_its_box_arrives_within_recheck_days(
    streak: Sandbox, sync: Sync, read: Read, dial: Dial
) -> None:
    with clock_at(dial, TODAY):
        first = sync("box_comments", recheck_days=3)
    box = some_boxes(streak)[3]
    comment = streak.account.comments[box["key"]][0]
    streak.account.edit_comment(box["key"], comment["key"], "Not at all")
    readings = [first]
    for day in range(4):
        with clock_at(dial, TODAY + day * DAY_MS):
            readings.append(sync("box_comments", recheck_days=3, after=readings[-1]))

    assert not readings[1].records
    assert_whole(*readings, fresh=read("box_comments"))


def test_with_0_recheck_days_nothing_is_ever_read_again(
    streak: Sandbox, sync: Sync, dial: Dial
) -> None:
    with clock_at(dial, TODAY):
        first = sync(*OF_BOXES, recheck_days=0)
    streak.clear_log()
    with clock_at(dial, TODAY + 4_000 * DAY_MS):
        second = sync(*OF_BOXES, recheck_days=0, after=first)

    assert not second.records
    assert asked(streak) == lists(streak)


# --- Changes --------------------------------------------------------------------------------------


def test_an_added_comment_causes_requests_only_for_the_children_of_its_box(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    first = sync(*OF_BOXES)
    box = some_boxes(streak, "taskTotal")[2]
    updated = box["lastUpdatedTimestamp"]
    added = streak.account.add_comment(box["key"], "New")
    streak.clear_log()
    second = sync(*OF_BOXES, after=first)

    assert box["lastUpdatedTimestamp"] == updated
    assert asked(streak) == lists(streak) + asked_for(streak, box)
    assert added["key"] in second.keys("box_comments")
    assert all(boxes_in(second, stream) <= {box["key"]} for stream in OF_BOXES)
    assert_whole(first, second, fresh=read(*OF_BOXES))


@pytest.mark.parametrize("moving", ["lastSavedTimestamp", "commentCount", "lastCommentTimestamp"])
def test_a_single_changed_timestamp_or_counter_makes_a_box_be_read_again(
    streak: Sandbox, sync: Sync, moving: str
) -> None:
    first = sync("box_comments")
    box = some_boxes(streak)[0]
    before = dict(box)
    streak.account.add_comment(box["key"], "New")
    after = box[moving]
    box.update(before)
    box[moving] = after
    second = sync("box_comments", after=first)

    assert after != before.get(moving)
    assert boxes_in(second, "box_comments") == {box["key"]}


def test_only_the_edited_and_created_boxes_are_delivered_and_requested(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    first = sync(*OF_BOXES)
    edited = list(streak.account.boxes.values())[20:120:10]
    for box in edited:
        streak.account.edit_box(box["key"], name=f"{box['name']} (edited)")
    sales = streak.account.pipeline_named("Sales")["key"]
    created = [streak.account.add_box(sales, f"New {number}") for number in range(2)]
    streak.account.add_task(created[0]["key"])
    streak.clear_log()
    second = sync(*OF_BOXES, after=first)

    assert sorted(second.keys("boxes")) == sorted(box["key"] for box in [*edited, *created])
    assert asked(streak) == lists(streak) + asked_for(streak, *edited, *created)
    assert_whole(first, second, fresh=read(*OF_BOXES))


def test_a_renamed_stage_redelivers_the_boxes_of_its_pipeline_without_child_requests(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    first = sync(*OF_BOXES)
    hiring = streak.account.pipeline_named(REFUSED)
    streak.account.rename_stage(hiring["key"], hiring["stageOrder"][0], "Applied at last")
    streak.clear_log()
    second = sync(*OF_BOXES, after=first)

    assert asked(streak) == lists(streak)
    assert boxes_in(second, "boxes") == {
        box["key"] for box in streak.account.boxes_of(hiring["key"])
    }
    assert "Applied at last" in {record["stageName"] for record in second.records["boxes"]}
    assert not set(CHILDREN) & second.records.keys()
    assert_whole(first, second, fresh=read(*OF_BOXES))


@pytest.mark.parametrize(
    "what", ["field renamed", "field added", "field deleted", "pipeline renamed"]
)
def test_a_changed_field_or_pipeline_name_redelivers_the_boxes_of_its_pipeline(
    streak: Sandbox, sync: Sync, read: Read, what: str
) -> None:
    first = sync(*OF_RECORDS)
    sales = streak.account.pipeline_named("Sales")["key"]
    if what == "field renamed":
        streak.account.rename_field(sales, "1001", "Worth")
    elif what == "field added":
        streak.account.add_field(sales, "Mood")
    elif what == "field deleted":
        streak.account.delete_field(sales, "1001")
    else:
        streak.account.edit_pipeline(sales, name="Vente")
    second = sync(*OF_RECORDS, after=first)

    assert_whole(first, second, fresh=read(*OF_RECORDS))
    assert boxes_in(second, "boxes") == {box["key"] for box in streak.account.boxes_of(sales)}


def test_a_box_that_lost_its_last_comment_is_delivered_despite_earlier_timestamps(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    box = next(box for box in some_boxes(streak, "taskTotal") if box.get("commentCount") == 1)
    comment = streak.account.comments[box["key"]][0]
    first = sync(*OF_BOXES)
    saved = box["lastSavedTimestamp"]
    streak.account.delete_comment(box["key"], comment["key"])
    streak.account.edit_box(
        box["key"],
        lastSavedTimestamp=saved - 5_000,
        lastUpdatedTimestamp=box["lastUpdatedTimestamp"] - 5_000,
    )
    streak.clear_log()
    second = sync(*OF_BOXES, after=first)

    (record,) = second.records["boxes"]
    assert (record["key"], record["commentCount"]) == (box["key"], 0)
    assert "lastCommentTimestamp" not in record
    once = Counter({f"v2/boxes/{box['key']}/comments": 1})  # counter 0, but a row was delivered
    assert asked(streak) == lists(streak) + asked_for(streak, box) + once
    assert_whole(first, second, fresh=read(*OF_BOXES))


def test_a_box_moved_without_a_new_timestamp_is_delivered_with_its_children(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    first = sync(*OF_BOXES)
    box = some_boxes(streak, "taskTotal")[1]
    stamps = {name: box[name] for name in ("lastUpdatedTimestamp", "lastSavedTimestamp")}
    support = streak.account.pipeline_named("Support 🎧")["key"]
    assert box["pipelineKey"] != support
    streak.account.move_box(box["key"], support, **stamps)
    streak.clear_log()
    second = sync(*OF_BOXES, after=first)

    assert [(record["key"], record["pipelineKey"]) for record in second.records["boxes"]] == [
        (box["key"], support)
    ]
    assert asked(streak) == lists(streak) + asked_for(streak, box)
    assert {record["pipelineKey"] for record in second.records["box_comments"]} == {support}
    assert_whole(first, second, fresh=read(*OF_BOXES))


def test_a_box_moved_away_and_back_unchanged_is_delivered_both_times(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    readings = [sync(*OF_BOXES)]
    box = some_boxes(streak)[1]
    as_it_was, home = dict(box), box["pipelineKey"]
    for pipeline in (streak.account.pipeline_named("Support 🎧")["key"], home):
        streak.account.move_box(box["key"], pipeline, lastUpdatedTimestamp=1, lastSavedTimestamp=1)
        if pipeline == home:
            box.update(as_it_was)
        readings.append(sync(*OF_BOXES, after=readings[-1]))
        assert readings[-1].keys("boxes") == [box["key"]]

    assert_whole(*readings, fresh=read(*OF_BOXES))


@pytest.mark.parametrize("meanwhile", ["refused", "left out by the settings"])
def test_a_box_moved_back_is_delivered_even_if_its_pipeline_was_unlisted_meanwhile(
    streak: Sandbox, sync: Sync, read: Read, meanwhile: str
) -> None:
    """The ledger of its pipeline has the box as it is now, but its rows name another pipeline."""
    readings = [sync(*OF_BOXES)]
    home = streak.account.pipeline_named(REFUSED)["key"]
    box = next(box for box in streak.account.boxes_of(home) if box.get("commentCount"))
    as_it_was = dict(box)
    streak.account.move_box(box["key"], streak.account.pipeline_named("Sales")["key"])
    if meanwhile == "refused":
        streak.moods.refused_pipelines = {home}
        readings.append(sync(*OF_BOXES, after=readings[-1]))
        streak.moods.refused_pipelines = set()
    else:
        readings.append(sync(*OF_BOXES, pipelines=["Sales"], after=readings[-1]))
    assert readings[-1].keys("boxes") == [box["key"]]
    streak.account.move_box(box["key"], home)
    box.update(as_it_was)
    readings.append(sync(*OF_BOXES, after=readings[-1]))

    assert_whole(*readings, fresh=read(*OF_BOXES))


def test_a_new_box_with_timestamps_of_last_year_is_delivered(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    first = sync(*OF_BOXES)
    sales = streak.account.pipeline_named("Sales")
    box = objects.box(70_001, "Shared with us now", sales, streak.account.me, TODAY - 365 * DAY_MS)
    streak.account.put_box(box)
    streak.account.put_children(
        "comments",
        box["key"],
        [objects.comment(box, 1, box["creatorKey"], TODAY - 365 * DAY_MS, "Old")],
    )
    streak.clear_log()
    second = sync(*OF_BOXES, after=first)

    assert second.keys("boxes") == [box["key"]]
    assert len(second.records["box_comments"]) == 1
    assert asked(streak) == lists(streak) + asked_for(streak, box)
    assert_whole(first, second, fresh=read(*OF_BOXES))


def test_a_box_edited_again_in_the_millisecond_of_its_last_edit_is_delivered(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    boxes = some_boxes(streak)[:2]
    for box in boxes:
        streak.account.edit_box(
            box["key"], notes="Before", lastUpdatedTimestamp=TODAY, lastSavedTimestamp=TODAY
        )
    first = sync(*OF_BOXES)
    streak.account.edit_box(
        boxes[0]["key"], notes="After", lastUpdatedTimestamp=TODAY, lastSavedTimestamp=TODAY
    )
    second = sync(*OF_BOXES, after=first)

    assert [(record["key"], record["notes"]) for record in second.records["boxes"]] == [
        (boxes[0]["key"], "After")
    ]
    assert_whole(first, second, fresh=read(*OF_BOXES))


def test_a_meeting_in_2096_hides_no_later_change(streak: Sandbox, sync: Sync, read: Read) -> None:
    far_away = 3_976_214_400_000
    box, other = some_boxes(streak)[:2]
    streak.account.add_meeting(box["key"], "In 2096", startTimestamp=far_away)
    readings = [sync(*OF_BOXES)]
    for change in (
        lambda: streak.account.add_meeting(box["key"], "Tomorrow"),
        lambda: streak.account.add_comment(box["key"], "Later"),
        lambda: streak.account.add_meeting(other["key"], "Also in 2096", startTimestamp=far_away),
        lambda: streak.account.edit_box(other["key"], name="Renamed"),
    ):
        change()
        readings.append(sync(*OF_BOXES, after=readings[-1]))
        assert len(readings[-1].records["boxes"]) == 1

    assert_whole(*readings, fresh=read(*OF_BOXES))


def test_a_change_during_a_sync_is_delivered_by_that_sync_or_the_next(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    boxes = some_boxes(streak)
    target = boxes[-1]

    def change(running: Sandbox) -> None:
        running.account.edit_box(target["key"], name="Renamed meanwhile")
        running.account.add_comment(target["key"], "Meanwhile")
        running.account.add_task(boxes[0]["key"], "Meanwhile")
        running.account.move_box(
            boxes[1]["key"], running.account.pipeline_named("Support 🎧")["key"]
        )
        running.account.delete_box(boxes[2]["key"])

    streak.on("v2/boxes/*/comments", change, after=10)
    first = sync(*OF_BOXES)
    second = sync(*OF_BOXES, after=first)

    assert first.ok
    assert second.ok
    assert_whole(first, second, fresh=read(*OF_BOXES))


def test_a_box_moved_to_a_pipeline_whose_list_fails_midway_is_not_lost(
    streak: Sandbox, read: Read, sync: Sync
) -> None:
    """The box is listed in its old pipeline, then in its new one.

    The new pipeline's list is refused at a later page, and read again at the end.
    """
    ideas = next(
        row["key"] for row in streak.account.pipelines.values() if row["name"].startswith("Ada")
    )
    hiring = streak.account.pipeline_named(REFUSED)["key"]
    (box,) = streak.account.boxes_of(ideas)
    streak.account.edit_box(
        box["key"], creationTimestamp=TODAY - 1
    )  # so that it is on the first page
    streak.moods.limit_cap = 5
    moved = threading.Event()

    def move(running: Sandbox) -> None:
        running.account.move_box(box["key"], hiring)
        moved.set()

    streak.on(f"v1/pipelines/{ideas}/boxes", move, before_answer=False)
    streak.on(f"v1/pipelines/{hiring}/boxes", lambda _: moved.wait(10))
    streak.fault(f"v1/pipelines/{hiring}/boxes", "status", status=401, where={"page": "1"})
    whole = read("boxes")

    assert whole.ok
    assert set(whole.keys("boxes")) == streak.account.boxes.keys()


# --- Fields and links -----------------------------------------------------------------------------


def test_a_cleared_custom_field_is_a_row_of_nulls_without_deletion_tracking(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    first = sync("box_field_values")
    box = next(
        box
        for box in streak.account.boxes.values()
        if {"1001", "1002"} <= box["fields"].keys() and box["fields"]["1001"]
    )
    streak.account.edit_box(box["key"], fields={"1001": None})
    second = sync("box_field_values", after=first, track_deletions=False)

    cleared = next(
        record for record in second.records["box_field_values"] if record["fieldKey"] == "1001"
    )
    definition = next(
        field
        for field in streak.account.pipelines[box["pipelineKey"]]["fields"]
        if field["key"] == "1001"
    )
    assert {name: value for name, value in cleared.items() if value is not None} == {
        "boxKey": box["key"],
        "pipelineKey": box["pipelineKey"],
        "fieldKey": "1001",
        "fieldName": definition["name"],
        "fieldType": definition["type"],
        CURSOR: cleared[CURSOR],
    }
    assert_whole(first, second, fresh=read("box_field_values"))


def test_a_first_sync_has_no_rows_for_unset_fields_and_a_new_box_has_its_set_field(
    streak: Sandbox, sync: Sync
) -> None:
    first = sync("box_field_values")
    box = streak.account.add_box(
        streak.account.pipeline_named("Sales")["key"], "New", fields={"1001": "5"}
    )
    second = sync("box_field_values", after=first)

    assert all(record.get("rawValue") is not None for record in first.records["box_field_values"])
    of_new_box = [one for one in second.records["box_field_values"] if one["boxKey"] == box["key"]]
    assert [one["fieldKey"] for one in of_new_box] == ["1001"]


def clear(streak: Sandbox, box: Row) -> None:
    streak.account.edit_box(box["key"], fields={"1001": None})


def killed_early(streak: Sandbox, sync: Sync, box: Row) -> Reading:
    """The first sync is killed before it writes a state after a record."""
    state, _ = cut_off(sync("box_field_values"), "box_field_values")
    clear(streak, box)
    return sync("box_field_values", state=state or None)


def state_damaged(streak: Sandbox, sync: Sync, box: Row) -> Reading:
    state = blob(sync("box_field_values"), "box_field_values")
    state["ledgers"][box["pipelineKey"]] = state["ledgers"][box["pipelineKey"]][:40]
    clear(streak, box)
    return sync("box_field_values", state=states_of(box_field_values=state))


def list_came_short(streak: Sandbox, sync: Sync, box: Row) -> Reading:
    """Streak counts the box, but does not list it for a while."""
    first, boxes = sync("box_field_values"), streak.account._boxes_of[box["pipelineKey"]]
    del boxes[box["key"]]
    streak.account._orders.clear()
    second = sync("box_field_values", after=first)
    assert warnings(second, "holds only")
    boxes[box["key"]] = box
    clear(streak, box)
    return sync("box_field_values", after=second)


def pipeline_out_of_sight_for_a_while(streak: Sandbox, sync: Sync, box: Row) -> Reading:
    """The pipeline is not refused, but missing from the list of pipelines."""
    first, pipeline = sync("box_field_values"), streak.account.pipelines.pop(box["pipelineKey"])
    second = sync("box_field_values", after=first)
    streak.account.pipelines[box["pipelineKey"]] = pipeline
    clear(streak, box)
    return sync("box_field_values", after=second)


def start_date_moved_to_and_fro(streak: Sandbox, sync: Sync, box: Row) -> Reading:
    reading = sync("box_field_values", after=sync("box_field_values"), start_date="2090-01-01")
    clear(streak, box)
    return sync("box_field_values", after=reading)


@pytest.mark.parametrize(
    "trouble",
    [
        killed_early,
        state_damaged,
        list_came_short,
        pipeline_out_of_sight_for_a_while,
        start_date_moved_to_and_fro,
    ],
)
def test_a_field_cleared_after_the_ledger_lost_track_leaves_no_value(
    streak: Sandbox, sync: Sync, trouble: Callable[[Sandbox, Sync, Row], Reading]
) -> None:
    """The destination still holds the field's row, whatever the ledger has forgotten."""
    sales = streak.account.pipeline_named("Sales")["key"]
    box = streak.account.add_box(sales, "Acme", fields={"1001": "5"})
    last = trouble(streak, sync, box)

    values = {
        (record["boxKey"], record["pipelineKey"], record["fieldKey"]): record.get("rawValue")
        for record in last.records["box_field_values"]
    }
    assert last.ok
    assert values.get((box["key"], sales, "1001"), "still as it was") is None


def test_a_removed_link_is_missing_from_the_next_read(streak: Sandbox, sync: Sync) -> None:
    box = next(
        box for box in streak.account.boxes.values() if len(box.get("linkedBoxKeys", [])) > 3
    )
    first = sync("box_links", "box_contacts")
    gone, *rest = box["linkedBoxKeys"]
    streak.account.edit_box(box["key"], linkedBoxKeys=rest, contacts=None)
    second = sync("box_links", "box_contacts", after=first)

    links = {
        reading: set(reading.keys("box_links", "boxKey", "linkedBoxKey"))
        for reading in (first, second)
    }
    assert links[first] - links[second] == {(box["key"], gone)}
    assert links[second] < links[first]
    assert first.records["box_contacts"]
    assert not second.records["box_contacts"]


# --- Pipelines ------------------------------------------------------------------------------------


def test_a_new_pipeline_is_delivered_whole(streak: Sandbox, sync: Sync, read: Read) -> None:
    first = sync(*OF_BOXES)
    new = streak.account.add_pipeline("New", boxes=7)["key"]
    streak.account.add_comment(streak.account.boxes_of(new)[0]["key"], "Hello")
    streak.clear_log()
    second = sync(*OF_BOXES, after=first)

    assert boxes_in(second, "boxes") == {box["key"] for box in streak.account.boxes_of(new)}
    assert asked(streak) == lists(streak) + asked_for(streak, *streak.account.boxes_of(new))
    assert_whole(first, second, fresh=read(*OF_BOXES))


def test_a_pipeline_added_to_the_settings_is_delivered_and_a_removed_one_remembered(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    sales, hiring = (streak.account.pipeline_named(name)["key"] for name in ("Sales", REFUSED))
    first = sync(*OF_BOXES, pipelines=["Sales"])
    second = sync(*OF_BOXES, pipelines=["Sales", hiring], after=first)
    changed = streak.account.boxes_of(sales)[0]["key"]
    streak.account.edit_box(changed, name="Changed while it was left out")
    third = sync(*OF_BOXES, pipelines=[hiring], after=second)
    fourth = sync(*OF_BOXES, pipelines=["Sales", hiring], after=third)

    assert {record["pipelineKey"] for record in first.records["boxes"]} == {sales}
    assert {record["pipelineKey"] for record in second.records["boxes"]} == {hiring}
    assert len(second.records["boxes"]) == len(streak.account.boxes_of(hiring))
    assert not third.records
    assert fourth.keys("boxes") == [changed]
    assert_whole(first, second, third, fourth, fresh=read(*OF_BOXES, pipelines=["Sales", hiring]))


def test_a_refused_pipeline_causes_a_warning_and_keeps_its_ledger_until_it_is_readable(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    hiring = streak.account.pipeline_named(REFUSED)["key"]
    first = sync(*OF_BOXES)
    streak.moods.refused_pipelines = {hiring}
    changed = streak.account.boxes_of(hiring)[1]["key"]
    streak.account.edit_box(changed, name="Changed behind the wall")
    elsewhere = streak.account.boxes_of(streak.account.pipeline_named("Sales")["key"])[0]["key"]
    streak.account.edit_box(elsewhere, name="Changed in front of it")
    second = sync(*OF_BOXES, after=first)

    assert second.ok
    assert set(second.statuses.values()) == {"COMPLETE"}
    assert second.keys("boxes") == [elsewhere]
    for stream in OF_BOXES:
        assert blob(second, stream)["ledgers"][hiring] == blob(first, stream)["ledgers"][hiring]
        assert (
            len(
                warnings(second, f"{stream}: ", f'"{REFUSED}"', "does not let this API key read it")
            )
            == 1
        )

    streak.moods.refused_pipelines = set()
    streak.clear_log()
    third = sync(*OF_BOXES, after=second)
    assert third.keys("boxes") == [changed]
    assert asked(streak) == lists(streak) + asked_for(streak, streak.account.boxes[changed])
    assert_whole(first, second, third, fresh=read(*OF_BOXES))


def test_a_pipeline_refused_at_first_and_granted_later_is_delivered_whole(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    hiring = streak.account.pipeline_named(REFUSED)["key"]
    streak.moods.refused_pipelines = {hiring}
    first = sync(*OF_BOXES)
    streak.moods.refused_pipelines = set()
    second = sync(*OF_BOXES, after=first)

    assert first.ok
    assert hiring not in {record["pipelineKey"] for record in first.records["boxes"]}
    assert hiring not in blob(first, "boxes")["ledgers"]
    assert boxes_in(second, "boxes") == {box["key"] for box in streak.account.boxes_of(hiring)}
    assert_whole(first, second, fresh=read(*OF_BOXES))


def test_a_pipeline_refused_at_first_but_granted_before_the_end_is_read_in_that_sync(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    hiring = streak.account.pipeline_named(REFUSED)["key"]
    first = sync("boxes", "box_comments")
    changed = next(box["key"] for box in streak.account.boxes_of(hiring) if box.get("commentCount"))
    streak.account.edit_box(changed, name="Changed")
    streak.fault(f"v1/pipelines/{hiring}/boxes", "status", status=401)
    second = sync("boxes", "box_comments", after=first)

    assert second.ok
    assert second.keys("boxes") == [changed]
    assert not warnings(second, "does not let")
    assert_whole(first, second, fresh=read("boxes", "box_comments"))


def test_a_deleted_pipeline_causes_no_records_and_no_warning(streak: Sandbox, sync: Sync) -> None:
    first = sync(*OF_BOXES)
    support = streak.account.pipeline_named("Support 🎧")["key"]
    streak.account.delete_pipeline(support)
    second = sync(*OF_BOXES, after=first)

    assert second.ok
    assert not second.records
    assert not warnings(second, '"level":"WARN"')


def test_a_failed_list_ends_its_stream_after_the_other_boxes_and_keeps_its_ledger(
    streak: Sandbox, sync: Sync
) -> None:
    hiring = streak.account.pipeline_named(REFUSED)["key"]
    first = sync("boxes", "organizations")
    elsewhere = streak.account.boxes_of(streak.account.pipeline_named("Sales")["key"])[0]["key"]
    streak.account.edit_box(elsewhere, name="Changed")
    streak.moods.empty_pipelines = {hiring}
    second = sync("boxes", "organizations", after=first)

    assert second.statuses["boxes"] == "INCOMPLETE"
    assert second.keys("boxes") == [elsewhere]
    assert blob(second, "boxes")["ledgers"][hiring] == blob(first, "boxes")["ledgers"][hiring]
    streak.moods.empty_pipelines = set()
    assert not sync("boxes", "organizations", after=second).records, (
        "the changed box was settled although the stream had failed"
    )


# --- The start date -------------------------------------------------------------------------------


def old_and_new(streak: Sandbox, start: int) -> tuple[set[str], set[str]]:
    """Keys of the boxes whose timestamps are all before a time, and of the other boxes."""
    old = {
        box["key"]
        for box in streak.account.boxes.values()
        if max(
            (v for k, v in box.items() if k.endswith(("Timestamp", "DueDate")) and type(v) is int),
            default=start,
        )
        < start
    }
    return old, streak.account.boxes.keys() - old


START = "2025-10-01"
START_MS = 1_759_276_800_000


@pytest.mark.parametrize("incremental", [False, True])
def test_the_start_date_leaves_out_boxes_with_only_older_timestamps_and_their_children(
    streak: Sandbox, read: Read, incremental: bool
) -> None:
    old, new = old_and_new(streak, START_MS)
    reading = read(*OF_BOXES, incremental=incremental, start_date=START)

    assert len(old) > 10
    assert len(new) > 10
    assert set(reading.keys("boxes")) == new
    expected = lists(streak) + asked_for(streak, *(streak.account.boxes[key] for key in new))
    assert asked(streak) == (expected if incremental else expected - Counter({"v1/users/me": 1}))
    assert all(boxes_in(reading, stream) <= new for stream in OF_BOXES)


def test_an_earlier_start_date_delivers_only_the_boxes_that_were_left_out(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    old, _ = old_and_new(streak, START_MS)
    streams = (*OF_BOXES, "contacts")
    first = sync(*streams, start_date=START)
    second = sync(*streams, start_date=START, after=first)
    third = sync(*streams, start_date="2005-01-01T00:00:00Z", after=second)

    assert not second.records
    assert set(third.keys("boxes")) == old
    assert_whole(first, second, third, fresh=read(*streams, start_date="2005-01-01"))


def test_removing_the_start_date_delivers_everything(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    streams = (*OF_BOXES, "contacts")
    first = sync(*streams, start_date=START)
    second = sync(*streams, after=first)

    assert_whole(first, second, fresh=read(*streams))


def test_a_box_before_the_start_date_is_delivered_once_it_changes(
    streak: Sandbox, sync: Sync
) -> None:
    old, _ = old_and_new(streak, START_MS)
    first = sync(*OF_BOXES, start_date=START)
    key = min(old)
    streak.account.add_comment(key, "After all")
    second = sync(*OF_BOXES, start_date=START, after=first)

    assert second.keys("boxes") == [key]
    assert boxes_in(second, "box_comments") == {key}


@pytest.mark.parametrize(
    ("start", "milliseconds"),
    [
        ("2025-10-01", START_MS),
        ("2025-10-01T00:00:00", START_MS),
        ("2025-10-01T00:00:00Z", START_MS),
        ("2025-10-01T00:00:00.000Z", START_MS),
        ("2025-10-01T02:00:00+02:00", START_MS),
        ("2025-09-30T17:30:00.500-06:30", START_MS + 500),
    ],
)
def test_a_start_date_can_be_a_date_or_a_time_with_or_without_zone(
    streak: Sandbox, read: Read, start: str, milliseconds: int
) -> None:
    sales = streak.account.pipeline_named("Sales")
    edge = {}
    for number, offset in enumerate((-1, 0), start=80_001):
        box = objects.box(
            number, f"At the edge {offset}", sales, streak.account.me, milliseconds + offset
        )
        streak.account.put_box(box)
        edge[offset] = box["key"]
    reading = read("boxes", "contacts", start_date=start)

    assert edge[0] in reading.keys("boxes")
    assert edge[-1] not in reading.keys("boxes")
    assert {entry.query["after"] for entry in streak.requests("*/contacts")} == {
        str(milliseconds // 1000)
    }


@pytest.mark.parametrize(
    "start",
    [
        "tomorrow",
        "2025-13-01",
        "2025-02-30",
        "01/02/2025",
        "12:30:00",
        "P3D",
        "2025-01-01/2025-02-01",
        "x" * 50,
    ],
)
def test_an_invalid_start_date_is_quoted_in_a_config_error(start: str) -> None:
    with pytest.raises(StreakError) as wrong:
        Config.from_settings({"api_key": "abc", "start_date": start})

    assert f'The setting "Start Date" is "{start}"' in wrong.value.sentence
    assert wrong.value.failure == "config_error"


# --- Boxes and endpoints that fail ----------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 422, 401])
def test_a_box_that_always_fails_is_set_aside_and_alone_requested_in_the_next_sync(
    streak: Sandbox, sync: Sync, status: int
) -> None:
    box = some_boxes(streak)[5]
    streak.fault(f"v2/boxes/{box['key']}/comments", "status", status=status, times=None)
    first = sync("boxes", "box_comments")
    streak.clear_log()
    second = sync("boxes", "box_comments", after=first)

    assert first.ok
    assert boxes_in(first, "box_comments") == {
        box["key"] for box, _ in streak.account.all("comments")
    } - {box["key"]}
    assert len(warnings(first, "box_comments: ", "refused or failed")) == 1
    assert {entry.path for entry in streak.requests("*/comments")} == {
        f"v2/boxes/{box['key']}/comments"
    }
    assert not second.records
    assert second.ok, second.errors and second.errors[0].message
    assert len(warnings(second, "box_comments: ", "refused or failed")) == 1

    streak.clear_faults()
    third = sync("boxes", "box_comments", after=second)
    assert third.ok
    assert boxes_in(third, "box_comments") == {box["key"]}
    assert not warnings(third, "refused or failed")


def test_a_box_deleted_while_it_is_read_is_no_failure_even_if_it_was_the_only_one(
    streak: Sandbox, sync: Sync
) -> None:
    box = some_boxes(streak)[5]
    first = sync("box_comments")
    streak.account.add_comment(box["key"], "The last one")
    streak.on(
        f"v2/boxes/{box['key']}/comments", lambda running: running.account.delete_box(box["key"])
    )
    second = sync("box_comments", after=first)

    assert second.ok, second.errors and second.errors[0].message
    assert warnings(second, "box_comments: ", "deleted")


def test_a_changed_box_that_fails_is_delivered_once_it_can_be_read(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    """A box with comments changes and fails; then it can be read."""
    box, *others = some_boxes(streak)
    first = sync("box_comments")
    streak.account.add_comment(box["key"], "Not now")
    for other in others[:8]:
        streak.account.add_comment(other["key"], "Now")
    streak.moods.failing_boxes = {box["key"]}
    second = sync("box_comments", after=first)
    streak.moods.failing_boxes = set()
    third = sync("box_comments", after=second)

    assert second.ok
    assert boxes_in(second, "box_comments") == {other["key"] for other in others[:8]}
    assert boxes_in(third, "box_comments") == {box["key"]}
    assert_whole(first, second, third, fresh=read("box_comments"))


def test_a_failing_endpoint_fails_its_stream_and_no_other(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    streak.fault("v1/boxes/*/files", "status", status=422, times=None)
    first = sync(*OF_BOXES)
    streak.clear_faults()
    streak.clear_log()
    second = sync(*OF_BOXES, after=first)

    assert {stream for stream, status in first.statuses.items() if status == "INCOMPLETE"} == {
        "box_files"
    }
    assert first.error_of("box_files").failure_type.value == "system_error"
    assert {stream for stream, records in second.records.items() if records} == {"box_files"}
    assert asked(streak) == lists(streak) + Counter(
        path for path in asked_for(streak, *streak.account.boxes.values()) if "files" in path
    )
    assert_whole(first, second, fresh=read(*OF_BOXES))


@pytest.mark.parametrize("streak", [{"boxes": 300}], indirect=True)
def test_boxes_before_the_start_date_do_not_make_a_failing_endpoint_look_healthy(
    streak: Sandbox, read: Read
) -> None:
    """Otherwise a full refresh would succeed and empty the destination."""
    start = sorted(
        box["lastSavedTimestamp"]
        for box in streak.account.boxes.values()
        if "lastSavedTimestamp" in box
    )[-9]
    for box in streak.account.boxes.values():
        for name in [name for name in box if name.endswith(("Timestamp", "DueDate"))]:
            box[name] = min(box[name] or 0, box.get("lastSavedTimestamp", start - 1))
    streak.fault("v2/boxes/*/comments", "status", status=422, times=None)
    reading = read("box_comments", start_date=iso_time(start))

    assert 1 <= len({entry.path for entry in streak.requests("*/comments")}) <= 10
    assert not reading.records
    assert reading.statuses["box_comments"] == "INCOMPLETE"


def test_boxes_read_before_an_endpoint_began_to_fail_are_not_requested_again(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    streak.fault("v2/boxes/*/comments", "status", status=422, times=None, after=15)
    first = sync("box_comments")
    streak.clear_faults()
    streak.clear_log()
    second = sync("box_comments", after=first)

    assert first.statuses["box_comments"] == "INCOMPLETE"
    assert len(boxes_in(first, "box_comments")) == 15
    assert not boxes_in(first, "box_comments") & boxes_in(second, "box_comments")
    assert len(streak.requests("*/comments")) == len(
        asked_for(streak, *some_boxes(streak))
    ) - 15 - missing_of_others(streak)
    assert_whole(first, second, fresh=read("box_comments"))


def missing_of_others(streak: Sandbox) -> int:
    """How many of the requests for children of these boxes are not for comments."""
    return sum("comments" not in path for path in asked_for(streak, *some_boxes(streak)))


# --- Contacts, organizations, newsfeed ------------------------------------------------------------


def after_of(streak: Sandbox, team: str) -> list[str | None]:
    """The `after` of each request for a team's contacts."""
    return [entry.query.get("after") for entry in streak.requests(f"v2/teams/{team}/contacts")]


def test_contacts_are_listed_whole_but_only_changed_ones_are_delivered_again(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    company, south = streak.account.teams
    streak.moods.v2_limit_cap = 2
    first = sync("contacts")
    edited = streak.account.contacts[company][3]["key"]
    streak.account.edit_contact(edited, givenName="Edited")
    created = streak.account.add_contact(south, givenName="New")["key"]
    streak.clear_log()
    second = sync("contacts", after=first)

    assert set(after_of(streak, company)) == {None}
    assert len(after_of(streak, company)) > 2
    assert sorted(second.keys("contacts")) == sorted([edited, created])
    assert_whole(first, second, fresh=read("contacts"))


def test_every_page_of_a_contact_list_is_requested_with_the_start_date_as_after(
    streak: Sandbox, sync: Sync
) -> None:
    company = next(iter(streak.account.teams))
    streak.moods.v2_limit_cap = 2
    reading = sync("contacts", start_date="2001-01-01")

    assert len(reading.records["contacts"]) > 4
    assert len(after_of(streak, company)) >= 2
    assert set(after_of(streak, company)) == {"978307200"}


def test_a_contact_list_that_fails_midway_is_read_by_the_next_sync(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    company, _ = streak.account.teams
    first = sync("contacts")
    for contact in list(streak.account.contacts[company]):
        streak.account.edit_contact(contact["key"], givenName="Edited")
    streak.moods.v2_limit_cap = 3
    streak.fault(f"v2/teams/{company}/contacts", "status", status=422, times=None, after=2)
    second = sync("contacts", after=first)
    streak.clear_faults()
    third = sync("contacts", after=second)

    assert second.statuses["contacts"] == "INCOMPLETE"
    assert (
        blob(second, "contacts")["ledgers"][company] == blob(first, "contacts")["ledgers"][company]
    )
    assert third.ok
    assert_whole(first, second, third, fresh=read("contacts"))


def test_a_refused_page_cursor_starts_the_list_again(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    company = next(iter(streak.account.teams))
    first = sync("contacts")
    for contact in list(streak.account.contacts[company]):
        streak.account.edit_contact(contact["key"], givenName="Edited")
    streak.moods.v2_limit_cap = 5
    streak.moods.forget_page_cursor = True
    second = sync("contacts", after=first)

    assert second.ok
    assert_whole(first, second, fresh=read("contacts"))


def test_contacts_edited_after_a_sync_with_a_clock_ahead_are_not_lost(
    streak: Sandbox, sync: Sync, read: Read, dial: Dial
) -> None:
    """A sync with a clock a month ahead, then syncs with a correct clock."""
    company = next(iter(streak.account.teams))
    streak.account.clock = lambda: TODAY
    with clock_at(dial, TODAY + 30 * DAY_MS):
        readings = [sync("contacts")]
    for day in (1, 2):
        streak.account.clock = lambda day=day: TODAY + day * DAY_MS
        streak.account.edit_contact(
            streak.account.contacts[company][day]["key"], givenName="Edited"
        )
        with clock_at(dial, TODAY + day * DAY_MS + 5_000):
            readings.append(sync("contacts", after=readings[-1]))

    assert_whole(*readings, fresh=read("contacts"))
    assert [reading.ok for reading in readings] == [True] * 3


def test_a_contact_without_a_last_saved_timestamp_is_delivered(streak: Sandbox, sync: Sync) -> None:
    company = next(iter(streak.account.teams))
    timeless = next(
        contact["key"]
        for contact in streak.account.contacts[company]
        if not contact["lastSavedTimestamp"]
    )
    first = sync("contacts")

    assert timeless in first.keys("contacts")


def test_only_changed_organizations_are_delivered_again(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    company, south = streak.account.teams
    first = sync("organizations")
    edited = streak.account.organizations[company][1]["key"]
    streak.account.edit_organization(edited, name="Renamed", lastSavedTimestamp=1)
    created = streak.account.add_organization(south, name="New")["key"]
    streak.clear_log()
    second = sync("organizations", after=first)

    assert sorted(second.keys("organizations")) == sorted([edited, created])
    assert asked(streak) == Counter(
        [
            "v1/users/me",
            "v2/users/me/teams",
            *(f"v2/teams/{team}/organizations" for team in (company, south)),
        ]
    )
    assert_whole(first, second, fresh=read("organizations"))


def test_an_organization_list_that_fails_midway_is_read_by_the_next_sync(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    company, _ = streak.account.teams
    streak.moods.v2_limit_cap = 3
    streak.fault(f"v2/teams/{company}/organizations", "status", status=422, times=None, after=1)
    first = sync("organizations")
    streak.clear_faults()
    second = sync("organizations", after=first)

    assert first.statuses["organizations"] == "INCOMPLETE"
    assert second.ok
    assert_whole(first, second, fresh=read("organizations"))


def test_an_organization_without_a_key_is_left_out_with_a_warning(
    streak: Sandbox, sync: Sync
) -> None:
    company, _ = streak.account.teams
    whole = len(sync("organizations").records["organizations"])
    rows = [*streak.account.organizations[company], {"name": "No key"}]
    streak.fault(
        f"v2/teams/{company}/organizations", "wrong_shape", times=None, body={"results": rows}
    )
    reading = sync("organizations")

    assert reading.ok
    assert len(reading.records["organizations"]) == whole
    assert warnings(reading, "left out: no key")


def test_only_new_newsfeed_events_are_delivered(streak: Sandbox, sync: Sync, read: Read) -> None:
    first = sync("newsfeed")
    box = some_boxes(streak)[0]
    streak.account.add_task(box["key"], "One")
    streak.account.add_meeting(box["key"], "Two")
    second = sync("newsfeed", after=first)

    assert len(second.records["newsfeed"]) == 2
    assert not warnings(second, "lost")
    assert_whole(first, second, fresh=read("newsfeed"))


def test_a_warning_names_the_times_between_which_newsfeed_events_were_lost(
    streak: Sandbox, sync: Sync
) -> None:
    sales = streak.account.pipeline_named("Sales")["key"]
    first = sync("newsfeed")
    newest = max(event["timestamp"] for event in streak.account.newsfeed[sales])
    box = streak.account.boxes_of(sales)[0]["key"]
    for number in range(55):
        streak.account.add_task(box, f"Task {number}")
    second = sync("newsfeed", after=first)

    oldest = streak.account.newsfeed[sales][-50]["timestamp"]
    assert (
        len([event for event in second.records["newsfeed"] if event["pipelineKey"] == sales]) == 50
    )
    assert len(warnings(second, '"Sales"', iso_time(newest), iso_time(oldest), "lost")) == 1
    assert second.ok


def test_no_newsfeed_state_is_ahead_of_the_delivered_events(streak: Sandbox, sync: Sync) -> None:
    """The clock forces a STATE after each record; the test resumes from each of them."""
    first = sync("newsfeed")
    sales = streak.account.pipeline_named("Sales")["key"]
    box = streak.account.boxes_of(sales)[0]["key"]
    for number in range(8):
        streak.account.add_task(box, f"Task {number}")
    second = sync("newsfeed", after=first, clock=HurryingClock(step=1_000.0))

    wanted = {event["key"] for event in second.records["newsfeed"] if event["pipelineKey"] == sales}
    assert len(wanted) >= 8
    seen: set[str] = set()
    tried = 0
    for message in second.messages:
        if message.record:
            seen.add(message.record.data["key"])
        elif message.state:
            tried += 1
            rest = sync("newsfeed", state=[message.state])
            assert wanted <= seen | set(rest.keys("newsfeed"))
    assert tried > 1


def test_a_newsfeed_refused_for_one_sync_loses_no_event(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    sales = streak.account.pipeline_named("Sales")["key"]
    first = sync("newsfeed")
    streak.account.add_task(streak.account.boxes_of(sales)[0]["key"], "Behind the wall")
    streak.moods.refused_pipelines = {sales}
    second = sync("newsfeed", after=first)
    streak.moods.refused_pipelines = set()
    third = sync("newsfeed", after=second)

    assert blob(second, "newsfeed")["events"][sales] == blob(first, "newsfeed")["events"][sales]
    assert_whole(first, second, third, fresh=read("newsfeed"))


# --- States ---------------------------------------------------------------------------------------

FOREIGN: dict[str, Any] = {
    "other version": {"version": 3, "readAt": "2026-01-01T00:00:00.000Z"},
    "foreign": {"lastUpdatedTimestamp": 1_780_000_000_000},
    "partitions of the low-code framework": {
        "use_global_cursor": False,
        "states": [{"partition": {}, "cursor": {}}],
    },
    "version 0.1.0": {
        "version": 1,
        "readAt": "2026-01-01T00:00:00.000Z",
        "ledgers": {"sales": {"settled": 3}},
    },
    "ledgers no object": {"version": 2, "ledgers": 7},
    "entry no object": {"version": 2, "ledgers": {"sales": "eJw="}},
}


@pytest.mark.parametrize("state", FOREIGN.values(), ids=FOREIGN.keys())
def test_an_unusable_state_causes_one_warning_per_stream_and_a_whole_read(
    streak: Sandbox, sync: Sync, state: Row
) -> None:
    first = sync(*SOME)
    streak.clear_log()
    second = sync(*SOME, state=states_of(**dict.fromkeys(SOME, state)))

    assert second.ok
    for stream in SOME:
        assert rows_of(first, stream) == [
            row
            for row in rows_of(second, stream)
            if stream != "box_field_values" or "rawValue" in row
        ]
        assert len(warnings(second, f"{stream}: ", "read again")) == 1
    assert not any("Traceback" in text for text in second.texts())
    assert not sync(*SOME, after=second).records


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda text: text[:40], id="cut off"),
        pytest.param(lambda text: text[:-1], id="one letter short"),
        pytest.param(lambda text: "", id="empty"),
        pytest.param(lambda text: "é" + text, id="no base64"),
        pytest.param(lambda text: 5, id="no text"),
    ],
)
def test_a_damaged_ledger_in_the_state_rereads_its_pipeline_and_no_other(
    streak: Sandbox, sync: Sync, damage: Callable[[str], Any]
) -> None:
    sales = streak.account.pipeline_named("Sales")["key"]
    first = sync(*SOME)
    damaged = {stream: blob(first, stream) for stream in SOME}
    for state in damaged.values():
        state["ledgers"][sales] = damage(state["ledgers"][sales])
    second = sync(*SOME, state=states_of(**damaged))

    assert second.ok
    assert {record["pipelineKey"] for stream in SOME for record in second.records[stream]} == {
        sales
    }
    assert boxes_in(second, "boxes") == {box["key"] for box in streak.account.boxes_of(sales)}
    for stream in SOME:
        assert len(warnings(second, f"{stream}: ", "damaged")) == 1
    assert not any("Traceback" in text for text in second.texts())


@pytest.mark.parametrize(
    "events", [5, [], {"team": "x"}, "1.", "x.AAAA", f"{10**19}.", "1.é"], ids=str
)
def test_damaged_newsfeed_events_in_the_state_are_ignored_and_all_events_are_read(
    streak: Sandbox, sync: Sync, events: Any
) -> None:
    first = sync("newsfeed")
    state = blob(first, "newsfeed")
    state["events"] = dict.fromkeys(state["events"], events) if isinstance(events, str) else events
    second = sync("newsfeed", state=states_of(newsfeed=state))

    assert second.ok, second.errors and second.errors[0].message
    assert rows_of(second, "newsfeed") == rows_of(first, "newsfeed")


def global_state(*states: AirbyteStateMessage, **shared: Any) -> Row:
    """The states of all streams in one GLOBAL message, as some clients keep them."""
    streams = [AirbyteStateMessageSerializer.dump(state)["stream"] for state in states]
    return {"type": "GLOBAL", "global": {"stream_states": streams, **shared}}


@pytest.mark.parametrize(
    "shared",
    [{}, {"shared_state": None}, {"shared_state": {}}, {"shared_state": {"cdc": {"lsn": 5}}}],
    ids=str,
)
def test_a_global_state_is_read_as_the_states_of_the_streams_in_it(
    streak: Sandbox, sync: Sync, shared: Row
) -> None:
    first = sync(*SOME, "contacts")
    changed = some_boxes(streak)[0]["key"]
    streak.account.edit_box(changed, name="Changed")

    second = sync(
        *SOME,
        "contacts",
        state=[AirbyteStateMessageSerializer.load(global_state(*first.last_states, **shared))],
    )

    assert second.ok
    assert boxes_in(second, "boxes") == {changed}
    assert not second.records["contacts"]
    assert not warnings(second, "read again")


def test_states_of_several_types_in_one_list_are_all_read(streak: Sandbox, sync: Sync) -> None:
    first = sync("boxes", "contacts", "organizations")
    boxes, contacts, organizations = first.last_states
    legacy = AirbyteStateMessage(
        type=AirbyteStateType.LEGACY,
        data={"organizations": vars(organizations.stream.stream_state)},
    )

    second = sync(
        *("boxes", "contacts", "organizations"),
        state=[
            AirbyteStateMessageSerializer.load(global_state(contacts)),
            AirbyteStateMessage(type=AirbyteStateType.STREAM),
            boxes,
            legacy,
        ],
    )

    assert second.ok
    assert not second.records


HANDED_IN: dict[str, Callable[[list[Row]], Any]] = {
    "a list of streams": lambda streams: [
        {"type": "STREAM", "stream": stream} for stream in streams
    ],
    "a list of streams without type": lambda streams: [{"stream": stream} for stream in streams],
    "a list of one global": lambda streams: [
        {"type": "GLOBAL", "global": {"shared_state": {}, "stream_states": streams}}
    ],
    "a global alone": lambda streams: {"type": "GLOBAL", "global": {"stream_states": streams}},
    "legacy": lambda streams: {
        "type": "LEGACY",
        "data": {one["stream_descriptor"]["name"]: one["stream_state"] for one in streams},
    },
    "legacy without type": lambda streams: {
        one["stream_descriptor"]["name"]: one["stream_state"] for one in streams
    },
}


@pytest.mark.parametrize("form", HANDED_IN)
def test_a_state_file_in_any_known_form_is_read(
    streak: Sandbox, sync: Sync, tmp_path: Path, form: str
) -> None:
    first = sync("boxes", "contacts")
    streams = [AirbyteStateMessageSerializer.dump(state)["stream"] for state in first.last_states]
    (tmp_path / "state.json").write_text(json.dumps(HANDED_IN[form](streams)))

    second = sync("boxes", "contacts", state=SourceStreak.read_state(str(tmp_path / "state.json")))

    assert second.ok
    assert not second.records


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[]",
        "null",
        '{"boxes": null}',
        '[{"type": "STREAM"}]',
        "[5]",
        '"x"',
        '[{"type": "GLOBAL"}]',
        "[[]]",
        "7",
    ],
)
def test_a_state_file_that_holds_no_state_causes_a_whole_read(
    streak: Sandbox, sync: Sync, tmp_path: Path, content: str
) -> None:
    (tmp_path / "state.json").write_text(content)

    reading = sync("boxes", state=SourceStreak.read_state(str(tmp_path / "state.json")))

    assert reading.ok
    assert boxes_in(reading, "boxes") == set(streak.account.boxes)


def test_ledgers_of_unknown_pipelines_in_the_state_do_no_harm(streak: Sandbox, sync: Sync) -> None:
    first = sync("boxes")
    state = blob(first, "boxes")
    state["ledgers"] = {
        f"gone{number}": entry for number, entry in enumerate(state["ledgers"].values())
    }
    second = sync("boxes", state=states_of(boxes=state))

    assert second.ok
    assert rows_of(second, "boxes") == rows_of(first, "boxes")
    assert blob(second, "boxes")["ledgers"].keys() >= {
        key for key in streak.account.pipelines if streak.account.boxes_of(key)
    }


def test_an_incremental_sync_accepts_the_state_of_a_full_refresh(
    streak: Sandbox, read: Read, sync: Sync
) -> None:
    whole = read(*INCREMENTAL)
    second = sync(*INCREMENTAL, after=whole)

    assert second.ok
    assert not warnings(second, "read again")
    assert_whole(whole, second, fresh=read(*INCREMENTAL))


def test_the_cursor_keeps_growing_when_the_clock_goes_back(
    streak: Sandbox, sync: Sync, read: Read, dial: Dial
) -> None:
    readings = []
    box = some_boxes(streak)[0]["key"]
    for day in (3, 1, 2):
        streak.account.edit_box(box, name=f"Day {day}")
        with clock_at(dial, TODAY + day * DAY_MS):
            readings.append(sync("boxes", after=readings[-1] if readings else None, recheck_days=0))

    times = [blob(reading, "boxes")["readAt"] for reading in readings]
    assert times == sorted(set(times))
    assert_whole(*readings, fresh=read("boxes"))


@pytest.mark.parametrize("streak", [{"boxes": 2_000}], indirect=True)
def test_log_messages_about_an_incoming_state_stay_short(
    streak: Sandbox, read: Read, sync: Sync
) -> None:
    first = sync("boxes")
    assert len(orjson.dumps(blob(first, "boxes"))) > 10_000
    for debug in (False, True):
        second = read("boxes", incremental=True, state=first.last_states, debug=debug)
        assert max(map(len, warnings(second, "Setting state of"))) < 400
        assert all(
            len(text) < 3_000 for text in second.texts() if '"LOG"' in text or '"DEBUG"' in text
        )


# --- Killed before the first state ----------------------------------------------------------------


def cut_off(reading: Reading, stream: str) -> tuple[State, Reading]:
    """The state and the records of a read that was killed before its first STATE after a record."""
    state: State = []
    cut = copy.copy(reading)
    cut.records = {stream: []}
    for message in reading.messages:
        if message.record:
            cut.records[stream].append(dict(message.record.data))
        elif message.state and cut.records[stream]:
            break
        elif message.state:
            state = [message.state]
    return state, cut


@pytest.mark.parametrize("stream", ["boxes", "box_comments", "organizations", "contacts"])
def test_a_change_undone_after_an_early_kill_is_undone_in_the_destination(
    streak: Sandbox, sync: Sync, read: Read, stream: str
) -> None:
    """The killed sync delivered the change, but no state that covers it.

    The state of the sync before describes the rows as they are again after the undo.
    """
    account = streak.account
    hiring = account.pipeline_named(REFUSED)
    box = next(box for box in account.boxes_of(hiring["key"]) if box.get("commentCount"))
    company = next(iter(account.teams))
    contact, organization = account.contacts[company][0], account.organizations[company][0]
    before = [dict(row) for row in (box, contact, organization)]
    first = sync(stream)
    account.move_box(box["key"], account.pipeline_named("Sales")["key"])
    account.edit_organization(organization["key"], name="Other")
    account.edit_contact(contact["key"], givenName="Other")
    state, second = cut_off(sync(stream, after=first), stream)
    account.move_box(box["key"], hiring["key"])
    for row, as_it_was in zip((box, organization), (before[0], before[2]), strict=True):
        row.clear()
        row.update(as_it_was)
    account.edit_contact(contact["key"], givenName=before[1]["givenName"])
    third = sync(stream, state=state or first.last_states)

    assert second.records[stream]
    assert_whole(first, second, third, fresh=read(stream))


def test_a_stage_renamed_back_after_a_kill_has_its_old_name_in_the_destination(
    streak: Sandbox, sync: Sync, read: Read
) -> None:
    sales = streak.account.pipeline_named("Sales")
    stage, name = sales["stageOrder"][0], sales["stages"][sales["stageOrder"][0]]["name"]
    first = sync("boxes")
    streak.account.rename_stage(sales["key"], stage, "Other")
    state, second = cut_off(sync("boxes", after=first), "boxes")
    streak.account.rename_stage(sales["key"], stage, name)
    third = sync("boxes", state=state or first.last_states)

    assert "Other" in {record["stageName"] for record in second.records["boxes"]}
    assert_whole(first, second, third, fresh=read("boxes"))


# --- STATE while time passes ----------------------------------------------------------------------


@pytest.fixture
def fast_clock(mocker: MockerFixture) -> HurryingClock:
    """A clock that advances 10 seconds at each look, with looks in quick succession."""
    for module in (heartbeat, fetching):
        mocker.patch.object(module, "LOOK_EVERY", 0.001)
    return HurryingClock(step=10.0)


def held_back_until(condition: Callable[[], bool]) -> Callable[[Sandbox], None]:
    """An action for Sandbox.on that holds the response back until a condition is true."""

    def wait(_: Sandbox) -> None:
        for _ in range(20_000):
            if condition():
                return
            threading.Event().wait(0.001)
        raise AssertionError("it never came to that")

    return wait


def written(reading: Reading, stream: str) -> int:
    """The number of STATE messages; asserts that all are of that stream."""
    assert {state.stream.stream_descriptor.name for state in reading.states} == {stream}
    return len(reading.states)


WAITING = (
    "boxes",
    "box_links",
    "box_comments",
    "teams",
    "pipelines",
    "users",
    "contacts",
    "organizations",
    "snippets",
    "newsfeed",
)


@pytest.mark.parametrize("incremental", [True, False])
@pytest.mark.parametrize("stream", WAITING)
def test_state_is_written_while_waiting_for_a_response(
    streak: Sandbox, read: Read, fast_clock: HurryingClock, stream: str, incremental: bool
) -> None:
    """The first request hangs until an hour has passed by the clock."""
    streak.on("*", held_back_until(lambda: fast_clock.seconds > 3_600))
    reading = read(stream, incremental=incremental, clock=fast_clock)

    assert reading.ok
    assert written(reading, stream) >= 3_600 / 300


@pytest.mark.parametrize("incremental", [True, False])
def test_state_is_written_while_responses_hold_no_records(
    streak: Sandbox, read: Read, fast_clock: HurryingClock, incremental: bool
) -> None:
    streak.fault("v2/boxes/*/comments", "empty", times=None)
    reading = read("box_comments", incremental=incremental, clock=fast_clock)

    assert reading.ok
    assert not reading.records
    assert written(reading, "box_comments") >= fast_clock.seconds / 300 - 2


@pytest.mark.parametrize("incremental", [True, False])
@pytest.mark.parametrize("stream", ["boxes", "box_comments", "box_users", "contacts"])
def test_state_is_written_while_records_flow(
    streak: Sandbox, read: Read, fast_clock: HurryingClock, stream: str, incremental: bool
) -> None:
    """By this clock each record takes at least ten seconds."""
    for number in range(40):
        streak.account.add_contact(next(iter(streak.account.teams)), givenName=str(number))
    reading = read(stream, incremental=incremental, clock=fast_clock)

    longest = run = 0
    for message in reading.messages:
        run = run + 1 if message.record else 0 if message.state else run
        longest = max(longest, run)
    assert reading.ok
    assert len(reading.records[stream]) > 35
    assert longest <= 30, f"{longest} records, ten seconds or more for each, and no STATE"


# --- State is never ahead -------------------------------------------------------------------------


@pytest.mark.parametrize("stream", sorted(INCREMENTAL))
def test_a_sync_from_any_intermediate_state_delivers_all_later_records(
    streak: Sandbox, sync: Sync, stream: str
) -> None:
    """The clock forces a STATE after each record; the test resumes from a sample of them."""
    reading = sync(stream, clock=HurryingClock(step=1_000.0))
    columns = Destination().keys[stream]
    everything = set(reading.keys(stream, *columns))
    states = [place for place, message in enumerate(reading.messages) if message.state]
    assert len(states) >= min(4, len(everything))

    for place in states[1 :: len(states) // 6 + 1]:
        before = reading.messages[: place + 1]
        seen = {
            tuple(message.record.data[column] for column in columns)
            for message in before
            if message.record
        }
        rest = sync(stream, state=[before[-1].state])
        assert everything <= seen | set(rest.keys(stream, *columns)), (
            f"after {len(seen)} of {len(everything)} records"
        )
