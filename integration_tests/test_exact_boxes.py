"""Syncs are exact for deleted, merged, moved and archived boxes, and their rows in all streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest
from connection import Connection, Sync, discover
from exact import (
    CHILDREN,
    HIRING,
    HOUR,
    OF_BOXES,
    ONE_BOX,
    SALES,
    SMALL,
    SUPPORT,
    a_box_with_everything,
    asked,
    boxes_of,
    exact,
    nothing_told,
    pipeline,
    said,
    synced,
    told,
)
from streak_sandbox import Sandbox


@pytest.fixture
def streak(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(**getattr(request, "param", SMALL)) as sandbox:
        yield sandbox


KEY_ISSUE = {"error": "Illegal Argument Exception in GetEntities, usually a key issue"}


def rows_told(sync: Sync) -> dict[str, int]:
    return {name: len(sync.deleted(name)) for name in sync.records if sync.deleted(name)}


EVERYTHING = {"boxes": 1, "boxes_sales": 1, "box_field_values": 2, "box_stage_history": 2}
EVERYTHING |= dict.fromkeys(CHILDREN, 2)


# --- A box deleted, or moved where the key cannot see it ------------------------------------------


def delete(streak: Sandbox, box: str) -> None:
    streak.account.delete_box(box)


def merge(streak: Sandbox, box: str) -> None:
    streak.account.merge_boxes(boxes_of(streak)[0], box)


def move_out_of_sight(streak: Sandbox, box: str) -> None:
    streak.account.hide_pipeline(pipeline(streak, SUPPORT))
    streak.account.move_box(box, pipeline(streak, SUPPORT))


def delete_with_a_key_issue(streak: Sandbox, box: str) -> None:
    streak.account.delete_box(box)
    streak.fault(f"v1/boxes/{box}", "status", status=400, body=KEY_ISSUE, times=None)


def delete_with_a_403(streak: Sandbox, box: str) -> None:
    streak.account.delete_box(box)
    streak.fault(f"v1/boxes/{box}", "status", status=403, times=None)


WAYS = (delete, merge, move_out_of_sight, delete_with_a_key_issue, delete_with_a_403)


@pytest.mark.parametrize("go", WAYS)
def test_a_box_deleted_merged_or_moved_out_of_sight_is_deleted_from_every_stream(
    streak: Sandbox, go: Callable[[Sandbox, str], None]
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    go(streak, box)

    second = connection.sync()
    if go is move_out_of_sight:  # the boxes of the hidden pipeline are deleted an hour later
        connection.sync(HOUR)

    told_of_it = {
        name: len([key for key in told(second, name) if key[0] == box]) for name in EVERYTHING
    }
    assert told_of_it == EVERYTHING
    assert exact(connection)
    assert nothing_told(connection.sync())


def test_a_deleted_box_is_looked_up_once_for_all_streams(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.delete_box(box)
    streak.clear_log()

    second = connection.sync()

    assert asked(second, box) == 2, "two refusals"
    assert len(streak.requests(ONE_BOX)) == 3, "around one answer for a box that lives"


def test_a_deletion_record_holds_only_the_key_the_cursor_and_the_deletion_time(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.delete_box(box)

    second = connection.sync()

    (row,) = second.deleted("boxes")
    assert row.keys() == {"key", "readAt", "_ab_cdc_deleted_at"}
    assert row["readAt"] == row["_ab_cdc_deleted_at"]
    for name in CHILDREN:
        assert all(
            row.keys() == {"boxKey", "key", "readAt", "_ab_cdc_deleted_at"}
            for row in second.deleted(name)
        )


def test_a_restored_box_is_delivered_again_with_its_children(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    row, children = streak.account.boxes[box], {}
    for kind, rows in streak.account.children.items():
        children[kind] = list(rows[box])
    streak.account.delete_box(box)
    connection.sync()
    streak.account.put_box(row)
    for kind, rows in children.items():
        streak.account.children[kind].keep(box)[:] = rows

    third = connection.sync()

    assert {name: len(third.live(name)) for name in EVERYTHING} == EVERYTHING
    assert exact(connection)


def test_no_box_is_requested_by_key_when_none_is_missing(streak: Sandbox) -> None:
    connection = synced(streak, *OF_BOXES)
    streak.account.add_box(pipeline(streak), "New")
    streak.clear_log()

    connection.sync()

    assert not [entry for entry in streak.requests(ONE_BOX) if entry.path.count("/") == 2]


# --- A box moved to another pipeline --------------------------------------------------------------


def test_a_moved_box_is_deleted_from_its_old_table_with_its_old_values_and_history(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.move_box(box, pipeline(streak, SUPPORT))

    second = connection.sync()

    assert rows_told(second) == {"boxes_sales": 1, "box_field_values": 2, "box_stage_history": 2}
    assert len(second.live("boxes_support")) == 1
    assert exact(connection)
    assert not asked(second, box)


def test_a_table_synced_alone_deletes_a_box_that_moved_away(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, "boxes_sales")
    streak.account.move_box(box, pipeline(streak, SUPPORT))

    second = connection.sync()

    assert told(second, "boxes_sales") == [(box,)]
    assert exact(connection)


def test_a_moved_unlisted_box_is_delivered_from_its_response_by_key(
    streak: Sandbox,
) -> None:
    """No list has the box, and its response by key names another pipeline."""
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.archive_box(box)
    streak.account.move_box(box, pipeline(streak, SUPPORT))

    second = connection.sync()

    assert rows_told(second) == {"boxes_sales": 1, "box_field_values": 2, "box_stage_history": 2}
    assert [row["pipelineKey"] for row in second.live("boxes")] == [pipeline(streak, SUPPORT)]
    assert len(second.live("box_comments")) == 2
    third, fourth = connection.sync(), connection.sync()
    assert asked(third, box) == 1, "it is in no list of its new pipeline either"
    assert not asked(fourth, box)
    assert not any(third.records.values())
    streak.account.unarchive_box(box)
    connection.sync()
    assert exact(connection)
    streak.account.delete_box(box)
    connection.sync()
    assert exact(connection)


def test_a_moved_unlisted_box_leaves_no_row_once_it_is_deleted(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.archive_box(box)
    streak.account.move_box(box, pipeline(streak, SUPPORT))
    connection.sync()
    streak.account.delete_box(box)

    connection.sync()

    assert exact(connection)


# --- A box moved to an unselected pipeline --------------------------------------------------------


def test_a_box_that_moved_to_an_unselected_pipeline_is_deleted_from_every_stream(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    streams = [
        name for name in OF_BOXES if name not in ("boxes_support", "boxes_hiring_bewerbungen")
    ]
    connection = synced(streak, *streams, pipelines=[SALES])
    streak.account.move_box(box, pipeline(streak, SUPPORT))

    second = connection.sync()

    assert rows_told(second) == EVERYTHING
    assert exact(connection)
    assert nothing_told(connection.sync())


def test_two_connections_that_split_an_account_hold_each_box_once(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    streams = ("boxes", "box_field_values", *CHILDREN)
    connections = [synced(streak, *streams, pipelines=[name]) for name in (SALES, SUPPORT)]
    for target in (SUPPORT, SALES):
        streak.account.move_box(box, pipeline(streak, target))
        for connection in connections:
            connection.sync()
            assert exact(connection)


# --- Unlisted boxes: they answer by key, but no list has them -------------------------------------


@pytest.mark.parametrize("counted", [False, True])
def test_an_unlisted_box_that_still_answers_by_key_keeps_its_rows(
    streak: Sandbox, counted: bool
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.archive_box(box, counted)

    syncs = [connection.sync(hours) for hours in (0.0, HOUR, 0.0)]

    for sync in syncs:
        assert not any(sync.records.values())
    assert sum(asked(sync, box) for sync in syncs) == 1
    assert said(syncs[-1], "boxes: 0 delivered, 0 deleted, 0 suspected, 1 unlisted.")
    assert (box,) in connection.destination.rows("boxes")
    assert len([key for key in connection.destination.rows("box_comments") if key[0] == box]) == 2


def test_12_unlisted_boxes_cause_no_records_and_no_requests_in_the_third_sync(
    streak: Sandbox,
) -> None:
    connection = synced(streak, *OF_BOXES)
    for box in boxes_of(streak)[:12]:
        streak.account.archive_box(box)
    connection.sync()
    streak.clear_log()

    third = connection.sync()

    assert not any(third.records.values())
    assert not [path for path in third.requests if path.startswith("v1/boxes/")]
    assert not said(third, "missing at once")
    assert said(third, "boxes: 0 delivered, 0 deleted, 0 suspected, 12 unlisted.")


def test_an_unlisted_box_is_requested_again_in_its_recheck_slot(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, "boxes", recheck_days=5)
    streak.account.archive_box(box)
    connection.sync()

    days = [asked(connection.sync(24.0), box) for _ in range(5)]

    assert sum(days) == 1


def test_an_unlisted_box_is_requested_every_30_days_without_rechecks(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, "boxes", recheck_days=0)
    streak.account.archive_box(box)
    connection.sync()

    days = [asked(connection.sync(10 * 24.0), box) for _ in range(3)]

    assert sum(days) == 1


def test_an_unlisted_box_that_is_deleted_is_reported_in_its_recheck_slot(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES, recheck_days=3)
    streak.account.archive_box(box)
    connection.sync()
    streak.account.delete_box(box)

    for _ in range(3):
        connection.sync(24.0)

    assert exact(connection)


def test_a_box_that_is_listed_again_is_delivered_only_if_it_changed(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    row = streak.account.boxes[box]
    before = dict(row)
    streak.account.archive_box(box)
    connection.sync()
    streak.account.unarchive_box(box)
    row.update(before)
    third = connection.sync()
    assert not any(third.records.values())
    streak.account.archive_box(box)
    connection.sync()
    streak.account.unarchive_box(box)
    streak.account.edit_box(box, name="Back again")

    connection.sync()

    assert exact(connection)


@pytest.mark.parametrize("streak", [{"boxes": 1_200, "pipelines": 1}], indirect=True)
def test_1000_unlisted_boxes_are_not_requested_twice_on_the_same_day(
    streak: Sandbox,
) -> None:
    connection = synced(streak, "boxes")
    archived = Random(1).sample(boxes_of(streak), 1_000)
    for box in archived:
        streak.account.archive_box(box)
    second = connection.sync()
    assert said(second, "missing at once")
    third = connection.sync(HOUR)
    assert sum(path.startswith("v1/boxes/") for path in third.requests) == 1_000

    fourth = connection.sync()

    assert not [path for path in fourth.requests if path.startswith("v1/boxes/")]
    assert not any(fourth.records.values())
    assert not said(fourth, "missing at once")
    assert said(fourth, "0 suspected, 1,000 unlisted.")


# --- The log, and the first sync ------------------------------------------------------------------


def test_the_log_counts_delivered_and_deleted_rows_at_the_end_of_each_stream(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.delete_box(box)
    streak.account.edit_box(boxes_of(streak)[0], name="Another")

    second = connection.sync()

    assert said(second, "boxes: 1 delivered, 1 deleted, 0 suspected, 0 unlisted.")
    assert said(second, "box_comments: ")
    assert len(said(second, "unlisted.")) == len(OF_BOXES)


def test_a_full_refresh_holds_the_remaining_boxes_and_requests_no_box_by_key(
    streak: Sandbox,
) -> None:
    connection = Connection(streak, *OF_BOXES, catalog=discover(streak))
    connection.sync()
    streak.account.delete_box(boxes_of(streak)[0])
    streak.clear_log()

    whole = connection.whole()

    assert len(whole.rows("boxes")) == len(streak.account.boxes)
    assert not [
        entry for entry in streak.log if entry.path.count("/") == 2 and "boxes/" in entry.path
    ]


def test_a_moved_box_older_than_the_start_date_is_still_read(streak: Sandbox) -> None:
    """It was delivered before; its move changes no timestamp here."""
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES, start_date="2020-01-01")
    row = streak.account.boxes[box]
    old = {
        name: None
        for name in list(row)
        if name.endswith(("Timestamp", "DueDate")) and name != "creationTimestamp"
    }
    streak.account.move_box(
        box, pipeline(streak, HIRING), **old, creationTimestamp=1_400_000_000_000
    )

    second = connection.sync()

    assert [row["pipelineName"] for row in second.live("boxes")] == [HIRING]
    assert {row["pipelineKey"] for row in second.live("box_comments")} == {pipeline(streak, HIRING)}
    assert {row["pipelineKey"] for row in second.live("box_field_values")} == {
        pipeline(streak, HIRING)
    }
