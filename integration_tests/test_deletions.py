"""Rows deleted in Streak are deleted from the destination, and no others are."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airbyte_cdk.models import (
    AirbyteStateMessage,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    SyncMode,
)
from airbyte_cdk.test import entrypoint_wrapper
from airbyte_cdk.test.models.scenario import ExpectedOutcome
from conftest import Read, Reading, secrets_of
from destination import DELETED_AT, Destination
from quick import QuickClock, StoppedClock
from streak_sandbox import Sandbox

from source_streak import SourceStreak
from source_streak.api.clock import Clock

Sync = Callable[..., Reading]
HIRING, SUPPORT = "Hiring – Bewerbungen", "Support 🎧"  # noqa: RUF001
TABLES = ("boxes_sales", "boxes_hiring_bewerbungen", "boxes_support")
ONE_BOX = "v1/boxes/*"


@pytest.fixture
def streak(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(**getattr(request, "param", {"boxes": 60})) as sandbox:
        yield sandbox


@pytest.fixture
def sync(streak: Sandbox, read: Read) -> Sync:
    """Reads boxes and the pipeline tables, or the streams named, incrementally.

    Afterwards the sandbox's log holds only the requests of that read.
    """
    catalog = SourceStreak().discover(logging.getLogger("airbyte"), {"api_key": streak.key})
    streams = {stream.name: stream for stream in catalog.streams}

    def incremental(
        *names: str,
        after: Reading | None = None,
        state: list[AirbyteStateMessage] | None = None,
        clock: Clock | None = None,
        **settings: Any,
    ) -> Reading:
        configured = [
            ConfiguredAirbyteStream(
                streams[name],
                SyncMode.incremental,
                DestinationSyncMode.append_dedup,
                primary_key=None,
            )
            for name in names or ("boxes", *TABLES)
        ]
        config = {"api_key": streak.key, **settings}
        streak.clear_log()
        output = entrypoint_wrapper.read(
            SourceStreak(clock or QuickClock()),
            config,
            ConfiguredAirbyteCatalog(configured),
            after.last_states if after else state,
            expected_outcome=ExpectedOutcome.ALLOW_ANY,
        )
        return Reading(output, secrets_of(streak.key))

    return incremental


def pipeline(streak: Sandbox, name: str) -> str:
    return streak.account.pipeline_named(name)["key"]


def boxes_of(streak: Sandbox, name: str) -> list[str]:
    return [box["key"] for box in streak.account.boxes_of(pipeline(streak, name))]


def tombstones(reading: Reading, stream: str = "boxes") -> list[str]:
    """The keys that a read reports deleted; asserts that the records hold nothing else."""
    column, cursor = ("key", "readAt") if stream == "boxes" else ("box_key", "read_at")
    found = [record for record in reading.records[stream] if record.get(DELETED_AT)]
    assert all(
        record.keys() == {column, cursor, DELETED_AT} and record[DELETED_AT] == record[cursor]
        for record in found
    )
    return sorted(record[column] for record in found)


def live(reading: Reading, stream: str = "boxes") -> list[str]:
    column = "key" if stream == "boxes" else "box_key"
    return [record[column] for record in reading.records[stream] if not record.get(DELETED_AT)]


def none_deleted(reading: Reading) -> bool:
    return not any(tombstones(reading, stream) for stream in ("boxes", *TABLES))


def kept(*readings: Reading) -> dict[str, set[str]]:
    """The keys that each table of the destination holds after these reads.

    Asserts that no read has both a row and its deletion.
    """
    destination = Destination()
    for reading in readings:
        for stream in ("boxes", *TABLES):
            assert not set(tombstones(reading, stream)) & set(live(reading, stream)), (
                f"{stream}: a row and its deletion in one read"
            )
            destination.take(stream, reading.records[stream])
    return {stream: {key for (key,) in destination.rows(stream)} for stream in ("boxes", *TABLES)}


def there(streak: Sandbox) -> dict[str, set[str]]:
    """The keys that each table must hold: those in the account."""
    names = dict(zip(TABLES, ("Sales", HIRING, SUPPORT), strict=True))
    return {
        "boxes": set(streak.account.boxes),
        **{table: set(boxes_of(streak, name)) for table, name in names.items()},
    }


def asked_by_key(streak: Sandbox) -> list[str]:
    return [entry.path.rpartition("/")[2] for entry in streak.requests(ONE_BOX)]


# --- Deleted boxes --------------------------------------------------------------------------------


def test_a_deleted_box_is_deleted_from_boxes_and_its_table(streak: Sandbox, sync: Sync):
    first = sync()
    gone = boxes_of(streak, "Sales")[3]
    streak.account.delete_box(gone)

    second = sync(after=first)

    assert tombstones(second) == tombstones(second, "boxes_sales") == [gone]
    assert not tombstones(second, "boxes_support")
    assert kept(first, second) == there(streak)
    assert second.ok


def test_no_box_is_requested_by_key_when_none_is_missing(streak: Sandbox, sync: Sync):
    first = sync()
    streak.account.add_box(pipeline(streak, "Sales"), "New")

    sync(after=first)

    assert asked_by_key(streak) == []


def test_a_deletion_is_reported_once(streak: Sandbox, sync: Sync):
    first = sync()
    streak.account.delete_box(boxes_of(streak, "Sales")[3])
    second = sync(after=first)

    third = sync(after=second)

    assert none_deleted(third)
    assert asked_by_key(streak) == []


def test_a_new_box_deleted_between_a_kill_and_the_next_sync_is_reported_deleted(
    streak: Sandbox, sync: Sync
):
    """The killed sync left only its first state, which comes before the first row."""
    first = sync("boxes")
    new = streak.account.add_box(pipeline(streak, "Sales"), "New")["key"]
    killed = sync("boxes", after=first)
    assert new in live(killed)
    streak.account.delete_box(new)

    third = sync("boxes", state=[killed.states[0]])

    assert tombstones(third) == [new]


def test_a_deletion_is_reported_again_if_the_state_of_its_sync_was_lost(
    streak: Sandbox, sync: Sync
):
    first = sync("boxes")
    gone = boxes_of(streak, "Sales")[3]
    streak.account.delete_box(gone)
    killed = sync("boxes", after=first)

    again = sync("boxes", after=first)

    assert tombstones(killed) == tombstones(again) == [gone]


def test_a_deletion_wins_over_the_earlier_row_even_if_the_clock_was_set_back(
    streak: Sandbox, sync: Sync
):
    first = sync("boxes")
    streak.account.delete_box(boxes_of(streak, "Sales")[3])

    second = sync("boxes", after=first, clock=StoppedClock(1_600_000_000_000))

    assert kept(first, second)["boxes"] == set(streak.account.boxes)


def test_a_restored_box_is_delivered_again(streak: Sandbox, sync: Sync):
    first = sync()
    box = streak.account.boxes[boxes_of(streak, "Sales")[3]]
    streak.account.delete_box(box["key"])
    second = sync(after=first)
    streak.account.put_box(box)

    third = sync(after=second)

    assert kept(first, second, third) == there(streak)


def test_a_key_issue_error_counts_as_a_deletion_like_a_404(streak: Sandbox, sync: Sync):
    first = sync("boxes")
    gone = boxes_of(streak, "Sales")[3]
    streak.account.delete_box(gone)
    words = {"error": "Illegal Argument Exception in GetEntities, usually a key issue"}
    streak.fault(f"v1/boxes/{gone}", "status", status=400, body=words, times=None)

    assert tombstones(sync("boxes", after=first)) == [gone]


@pytest.mark.parametrize("streak", [{"boxes": 160}], indirect=True)
def test_a_pipeline_whose_last_boxes_were_deleted_is_empty_in_the_destination(
    streak: Sandbox, sync: Sync
):
    first = sync()
    for key in boxes_of(streak, SUPPORT):
        streak.account.delete_box(key)

    second = sync(after=first)

    assert kept(first, second) == there(streak)


def test_a_full_refresh_reports_no_deletions_and_requests_no_box_by_key(
    streak: Sandbox, read: Read, sync: Sync
):
    first = sync("boxes")
    streak.account.delete_box(boxes_of(streak, "Sales")[3])
    streak.clear_log()

    whole = read("boxes", state=first.last_states)

    assert none_deleted(whole)
    assert asked_by_key(streak) == []


# --- Moved boxes ----------------------------------------------------------------------------------


def test_a_moved_box_is_deleted_from_its_old_table_but_not_from_boxes(streak: Sandbox, sync: Sync):
    first = sync()
    moved = boxes_of(streak, "Sales")[3]
    streak.account.move_box(moved, pipeline(streak, SUPPORT))

    second = sync(after=first)

    assert tombstones(second, "boxes_sales") == [moved]
    assert not tombstones(second)
    assert moved in live(second, "boxes_support")
    assert kept(first, second) == there(streak)
    assert asked_by_key(streak) == []


def test_a_box_that_moves_away_and_back_ends_up_in_its_table(streak: Sandbox, sync: Sync):
    readings = [sync()]
    moved = boxes_of(streak, "Sales")[3]
    for target in (SUPPORT, "Sales"):
        streak.account.move_box(moved, pipeline(streak, target))
        readings.append(sync(after=readings[-1]))

    assert kept(*readings) == there(streak)


def test_a_box_deleted_after_a_move_is_deleted_from_boxes_and_its_new_table(
    streak: Sandbox, sync: Sync
):
    readings = [sync()]
    moved = boxes_of(streak, "Sales")[3]
    streak.account.move_box(moved, pipeline(streak, SUPPORT))
    readings.append(sync(after=readings[-1]))
    streak.account.delete_box(moved)
    readings.append(sync(after=readings[-1]))

    assert tombstones(readings[-1]) == tombstones(readings[-1], "boxes_support") == [moved]
    assert not tombstones(readings[-1], "boxes_sales")
    assert kept(*readings) == there(streak)


def test_a_box_that_moved_to_a_refused_pipeline_is_reported_deleted(streak: Sandbox, sync: Sync):
    readings = [sync("boxes")]
    moved = boxes_of(streak, "Sales")[3]
    streak.account.move_box(moved, pipeline(streak, SUPPORT))
    streak.moods.refused_pipelines = {pipeline(streak, SUPPORT)}
    readings.append(sync("boxes", after=readings[-1]))
    assert tombstones(readings[-1]) == [moved], "the key sees it no longer"
    streak.moods.refused_pipelines = set()
    streak.account.delete_box(moved)
    readings.append(sync("boxes", after=readings[-1]))

    assert none_deleted(readings[-1])
    assert kept(*readings)["boxes"] == set(streak.account.boxes)


# --- Hidden boxes and failed requests -------------------------------------------------------------


def hide_by_refusal(streak: Sandbox) -> None:
    streak.moods.refused_pipelines = {pipeline(streak, "Sales")}


def hide_by_failure(streak: Sandbox) -> None:
    streak.fault(f"v1/pipelines/{pipeline(streak, 'Sales')}/boxes", "html", times=None)


def hide_by_an_empty_list(streak: Sandbox) -> None:
    streak.moods.empty_pipelines = {pipeline(streak, "Sales")}


def hide_by_an_empty_list_without_count(streak: Sandbox) -> None:
    streak.moods.empty_pipelines = {pipeline(streak, "Sales")}
    streak.moods.box_count_absent = True


def hide_by_a_404_of_the_list(streak: Sandbox) -> None:
    streak.fault(
        f"v1/pipelines/{pipeline(streak, 'Sales')}/boxes", "status", status=404, times=None
    )


@pytest.mark.parametrize(
    "hide",
    [
        hide_by_refusal,
        hide_by_failure,
        hide_by_an_empty_list,
        hide_by_an_empty_list_without_count,
        hide_by_a_404_of_the_list,
    ],
)
def test_a_hidden_list_deletes_nothing_and_its_deletions_are_reported_once_it_is_back(
    streak: Sandbox, sync: Sync, hide: Callable[[Sandbox], None]
):
    first = sync()
    gone = boxes_of(streak, "Sales")[3]
    streak.account.delete_box(gone)
    hide(streak)
    streak.fault(ONE_BOX, "status", status=404, times=None)
    second = sync(after=first)
    assert none_deleted(second)

    streak.moods.refused_pipelines = streak.moods.empty_pipelines = set()
    streak.moods.box_count_absent = False
    streak.clear_faults()
    third = sync(after=second)

    assert tombstones(third) == tombstones(third, "boxes_sales") == [gone]
    assert kept(first, second, third) == there(streak)


def test_a_box_that_moved_to_a_pipeline_hidden_by_404_is_not_taken_for_deleted(
    streak: Sandbox, sync: Sync
):
    """A case found by tools/chaos.py.

    Its old list is complete, a request for it by key is a 404, and every other box is found.
    """
    first = sync("boxes")
    key = boxes_of(streak, "Sales")[3]
    streak.account.move_box(key, pipeline(streak, SUPPORT))
    streak.moods.refused_pipelines = {pipeline(streak, SUPPORT)}
    streak.moods.hidden_is_404 = True

    second = sync("boxes", after=first)

    assert none_deleted(second)
    assert any(
        "1 no longer in any list, but Streak gave no reliable answer" in line
        for line in second.logs
    )

    streak.moods.refused_pipelines = set()
    streak.account.delete_box(key)
    third = sync("boxes", after=second)

    assert tombstones(third) == [key]


def test_a_list_shorter_than_streaks_count_deletes_nothing(streak: Sandbox, sync: Sync):
    first = sync("boxes")
    sales = streak.account.pipelines[pipeline(streak, "Sales")]
    streak.account.delete_box(boxes_of(streak, "Sales")[3])
    sales["boxCount"] += 1

    second = sync("boxes", after=first)

    assert none_deleted(second)
    assert asked_by_key(streak) == []


def test_a_404_for_every_box_deletes_nothing(streak: Sandbox, sync: Sync):
    first = sync("boxes")
    streak.account.delete_box(boxes_of(streak, "Sales")[3])
    streak.fault(ONE_BOX, "status", status=404, times=None)

    second = sync("boxes", after=first)

    assert none_deleted(second)
    assert second.ok
    assert any(
        "1 no longer in any list, but Streak gave no reliable answer" in line
        for line in second.logs
    )


@pytest.mark.parametrize("kind", ["html", "reset", "half_body", "wrong_shape", "empty"])
def test_a_box_whose_look_up_fails_is_kept_and_looked_up_in_the_next_sync(
    streak: Sandbox, sync: Sync, kind: str
):
    first = sync("boxes")
    gone = boxes_of(streak, "Sales")[3]
    streak.account.delete_box(gone)
    streak.fault(f"v1/boxes/{gone}", kind, times=None)
    second = sync("boxes", after=first)
    assert none_deleted(second)
    assert second.ok

    streak.clear_faults()

    assert tombstones(sync("boxes", after=second)) == [gone]


@pytest.mark.parametrize("status", [410, 422, 405])
def test_other_error_statuses_for_a_box_are_no_deletion(streak: Sandbox, sync: Sync, status: int):
    first = sync("boxes")
    gone = boxes_of(streak, "Sales")[3]
    streak.account.delete_box(gone)
    streak.fault(f"v1/boxes/{gone}", "status", status=status, times=None)

    second = sync("boxes", after=first)

    assert none_deleted(second)
    assert second.ok


def test_selecting_fewer_pipelines_deletes_nothing(streak: Sandbox, sync: Sync):
    first = sync()
    streak.account.delete_box(boxes_of(streak, SUPPORT)[0])

    second = sync("boxes", "boxes_sales", after=first, pipelines=["Sales"])

    assert none_deleted(second)
    assert asked_by_key(streak) == []


def test_a_pipeline_that_is_no_longer_listed_deletes_nothing_in_the_next_sync(
    streak: Sandbox, sync: Sync
):
    first = sync("boxes")
    streak.account.delete_pipeline(pipeline(streak, SUPPORT))

    second = sync("boxes", after=first)

    assert none_deleted(second)
    assert second.ok


# --- Many boxes missing at once -------------------------------------------------------------------


@pytest.mark.parametrize("streak", [{"boxes": 400}], indirect=True)
def test_many_boxes_missing_at_once_are_reported_deleted_an_hour_later(streak: Sandbox, sync: Sync):
    readings = [sync()]
    for key in boxes_of(streak, "Sales")[:60]:
        streak.account.delete_box(key)
    readings.append(sync(after=readings[-1]))
    assert none_deleted(readings[-1])
    assert asked_by_key(streak) == []
    assert any('60 boxes of "Sales" are missing at once' in line for line in readings[-1].logs)
    readings.append(sync(after=readings[-1]))
    assert none_deleted(readings[-1])

    readings.append(sync(after=readings[-1], clock=QuickClock(hours=1.1)))

    assert len(tombstones(readings[-1])) == 60
    assert kept(*readings) == there(streak)


@pytest.mark.parametrize("streak", [{"boxes": 400}], indirect=True)
def test_many_missing_boxes_that_are_back_an_hour_later_are_not_reported_deleted(
    streak: Sandbox, sync: Sync
):
    readings = [sync("boxes")]
    rows = [streak.account.boxes[key] for key in boxes_of(streak, "Sales")[:60]]
    for row in rows:
        streak.account.delete_box(row["key"])
    readings.append(sync("boxes", after=readings[-1]))
    for row in rows:
        streak.account.put_box(row)
    readings.append(sync("boxes", after=readings[-1], clock=QuickClock(hours=1.1)))
    for row in rows:
        streak.account.delete_box(row["key"])
    readings.append(sync("boxes", after=readings[-1], clock=QuickClock(hours=2.0)))

    assert all(none_deleted(reading) for reading in readings)


@pytest.mark.parametrize("streak", [{"boxes": 400}], indirect=True)
def test_a_control_box_is_requested_between_the_two_requests_for_each_100_boxes(
    streak: Sandbox, sync: Sync
):
    first = sync("boxes")
    gone = boxes_of(streak, "Sales")[:120]
    for key in gone:
        streak.account.delete_box(key)

    second = sync("boxes", after=first)
    third = sync("boxes", after=second, clock=QuickClock(hours=1.1))

    asked = asked_by_key(streak)
    assert tombstones(third) == sorted(gone)
    assert [position for position, key in enumerate(asked) if key not in gone] == [100, 221]
    assert Counter(asked).most_common(120)[-1][1] == 2


# --- State ----------------------------------------------------------------------------------------


def blob(reading: Reading, stream: str = "boxes") -> dict[str, Any]:
    state = next(
        state for state in reading.last_states if state.stream.stream_descriptor.name == stream
    )
    return json.loads(json.dumps(vars(state.stream.stream_state)))


def changed(reading: Reading, **properties: Any) -> list[AirbyteStateMessage]:
    """The states of a read with some properties replaced; None removes a property."""
    for state in reading.last_states:
        for name, value in properties.items():
            if value is None:
                vars(state.stream.stream_state).pop(name, None)
            else:
                vars(state.stream.stream_state)[name] = value
    return reading.last_states


def test_a_state_without_keys_starts_to_remember_them_without_a_warning(
    streak: Sandbox, sync: Sync
):
    first = sync("boxes")
    streak.account.delete_box(boxes_of(streak, "Sales")[3])
    second = sync("boxes", state=changed(first, keys=None))
    assert none_deleted(second)
    assert not [line for line in second.logs if "state" in line and "damaged" in line]

    gone = boxes_of(streak, "Sales")[3]
    streak.account.delete_box(gone)

    assert tombstones(sync("boxes", after=second)) == [gone]


@pytest.mark.parametrize("keys", [5, "x", ["x"], {"a": 5}, {"a": "x"}], ids=repr)
def test_unreadable_keys_in_the_state_cause_a_warning_and_are_remembered_anew(
    streak: Sandbox, sync: Sync, keys: Any
):
    first = sync("boxes")
    if keys == {"a": "x"}:
        keys = dict.fromkeys(streak.account.pipelines, "no base64 at all")

    second = sync("boxes", state=changed(first, keys=keys))

    assert second.ok
    assert not live(second), "the ledger is as good as before"
    assert any("deletions before this sync may not be reported" in line for line in second.logs)
    with_boxes = {key for key in streak.account.pipelines if streak.account.boxes_of(key)}
    assert blob(second)["keys"].keys() >= with_boxes


def test_without_deletion_tracking_nothing_is_looked_up_or_reported_but_keys_are_kept(
    streak: Sandbox, sync: Sync
):
    first = sync()
    streak.account.delete_box(boxes_of(streak, "Sales")[3])

    second = sync(after=first, track_deletions=False)

    assert none_deleted(second)
    assert asked_by_key(streak) == []
    assert blob(second)["keys"] == blob(first)["keys"]


@pytest.mark.parametrize("streak", [{"boxes": 5_000}], indirect=True)
def test_the_keys_of_5_000_boxes_take_less_than_100_kb_of_state(streak: Sandbox, sync: Sync):
    """test_room.py tests ten times as many."""
    first = sync("boxes")

    assert len(json.dumps(blob(first)["keys"])) < 100_000
    gone = boxes_of(streak, "Sales")[3]
    streak.account.delete_box(gone)
    assert tombstones(sync("boxes", after=first)) == [gone]


def test_keys_that_exceed_the_state_limit_are_given_up_with_one_warning(
    streak: Sandbox, sync: Sync, give_room: Callable[[int], None]
):
    give_room(3_000)
    first = sync("boxes")
    streak.account.delete_box(boxes_of(streak, "Sales")[3])

    second = sync("boxes", after=first)

    assert none_deleted(second)
    assert second.ok
    assert "keys" not in blob(second)
    assert len([line for line in second.logs if "deletions are not reported" in line]) == 1


def test_an_outage_during_look_ups_ends_the_stream_and_the_next_sync_reports_deletions(
    streak: Sandbox, sync: Sync
) -> None:
    first = sync("boxes")
    gone = sorted(boxes_of(streak, "Sales")[:2])
    for key in gone:
        streak.account.delete_box(key)
    streak.on(ONE_BOX, lambda sandbox: sandbox.fault("*", "reset", times=None))
    second = sync("boxes", after=first)
    asked = len(streak.log)
    streak.clear_faults()

    third = sync("boxes", after=second)

    assert second.error_of("boxes").failure_type.value == "transient_error"
    assert none_deleted(second)
    assert asked < 60
    assert tombstones(third) == gone


# --- Private data in the log ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble", ["none", "hidden", "failing", "unknown", "a refused list", "too many at once"]
)
def test_no_log_line_names_a_box_or_a_person_whatever_happens_to_missing_boxes(
    streak: Sandbox, sync: Sync, trouble: str
) -> None:
    first = sync()
    crm = streak.account
    private = {
        *(box[name] for box in crm.boxes.values() for name in ("key", "name")),
        *(user[name] for user in crm.users.values() for name in ("key", "email", "displayName")),
        *(contact["key"] for contacts in crm.contacts.values() for contact in contacts),
    }
    for key in (
        boxes_of(streak, "Sales")[:3]
        if trouble != "too many at once"
        else boxes_of(streak, "Sales")
    ):
        crm.delete_box(key)
    crm.move_box(
        boxes_of(streak, "Sales" if trouble != "too many at once" else HIRING)[0],
        pipeline(streak, SUPPORT),
    )
    fault = {"hidden": {"status": 401}, "failing": {"status": 500}, "unknown": {"status": 422}}.get(
        trouble
    )
    if fault:
        streak.fault(ONE_BOX, "status", times=None, **fault)
    if trouble == "a refused list":
        streak.moods.refused_pipelines = {pipeline(streak, SUPPORT)}

    second = sync(after=first)

    said = "\n".join(
        [
            *second.logs,
            *(
                f"{error.message}{error.internal_message}{error.stack_trace}"
                for error in second.errors
            ),
        ]
    )
    assert len(private) > 100
    assert not [text for text in private if text and len(text) > 3 and text in said]
    assert "@" not in said
