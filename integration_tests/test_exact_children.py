"""Syncs are exact for the children, custom field values and stage history of boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from exact import (
    CHILDREN,
    DAY,
    HIRING,
    HOUR,
    KINDS,
    SALES,
    SMALL,
    SUPPORT,
    a_box_with_everything,
    boxes_of,
    exact,
    nothing_told,
    pipeline,
    synced,
    told,
)
from streak_sandbox import Sandbox


@pytest.fixture
def streak(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(**getattr(request, "param", SMALL)) as sandbox:
        yield sandbox


# --- Deleted comments, meetings, tasks, files and threads -----------------------------------------


def delete(streak: Sandbox, kind: str, box: str, place: int) -> str:
    row = streak.account.children[kind][box][place]
    {
        "comments": streak.account.delete_comment,
        "meetings": streak.account.delete_meeting,
        "tasks": streak.account.delete_task,
        "threads": streak.account.delete_thread,
        "files": streak.account.delete_file,
    }[kind](box, row["key"])
    return str(row["key"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_deleted_comment_meeting_task_file_or_thread_is_reported_once(
    streak: Sandbox, kind: str
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *CHILDREN)
    gone = delete(streak, kind, box, 0)

    second = connection.sync()

    assert told(second, f"box_{kind}") == [(box, gone)]
    assert exact(connection)
    assert nothing_told(connection.sync())


@pytest.mark.parametrize("kind", KINDS)
def test_a_box_that_loses_its_last_children_has_their_list_requested_once(
    streak: Sandbox, kind: str
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, f"box_{kind}")
    gone = [delete(streak, kind, box, 0) for _ in range(2)]

    second = connection.sync()
    third = connection.sync()

    assert told(second, f"box_{kind}", "key") == sorted((key,) for key in gone)
    assert sum(path.endswith(f"{box}/{kind}") for path in second.requests) == 1
    assert not [path for path in third.requests if path.endswith(kind)]
    assert exact(connection)


def test_a_comment_deleted_and_replaced_at_once_is_reported_deleted(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, "box_comments")
    gone = delete(streak, "comments", box, 0)
    streak.account.add_comment(box, "another one")

    assert told(connection.sync(), "box_comments") == [(box, gone)]
    assert exact(connection)


def test_a_deletion_that_changes_nothing_in_its_box_is_reported_at_the_recheck(
    streak: Sandbox,
) -> None:
    """Nothing in the box changes, so it is read only in its recheck slot."""
    box = a_box_with_everything(streak)
    connection = synced(streak, "box_tasks", recheck_days=3)
    rows = streak.account.tasks.keep(box)
    gone = rows.pop(0)["key"]
    rows.append(rows[0] | {"key": rows[0]["key"][:-2] + "AA"})

    assert nothing_told(connection.sync())
    later = [connection.sync(DAY) for _ in range(3)]

    assert [key for sync in later for key in told(sync, "box_tasks")] == [(box, gone)]
    assert exact(connection)


def test_the_children_of_a_box_move_with_it(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *CHILDREN)
    streak.account.move_box(box, pipeline(streak, SUPPORT))

    second = connection.sync()

    assert nothing_told(second)
    assert {row["pipelineKey"] for row in second.records["box_comments"]} == {
        pipeline(streak, SUPPORT)
    }
    assert exact(connection)


def test_a_comment_deleted_while_its_box_moves_is_reported(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *CHILDREN)
    streak.account.move_box(box, pipeline(streak, SUPPORT))
    gone = delete(streak, "comments", box, 1)

    assert told(connection.sync(), "box_comments") == [(box, gone)]
    assert exact(connection)


# --- Deleted custom fields, stages, values and history entries ------------------------------------


@pytest.mark.parametrize("value", [None, "", []], ids=repr)
def test_a_cleared_custom_field_is_reported_deleted(streak: Sandbox, value: object) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, "box_field_values")
    streak.account.edit_box(box, fields={"1001": value})

    second = connection.sync()

    assert told(second, "box_field_values") == [(box, pipeline(streak), "1001")]
    assert [row["fieldKey"] for row in second.live("box_field_values")] == ["1003"]
    assert exact(connection)


def test_the_values_of_a_deleted_custom_field_are_reported_deleted(streak: Sandbox) -> None:
    connection = synced(streak, "box_field_values")
    held = sorted(
        key for key in boxes_of(streak) if streak.account.boxes[key]["fields"].get("1001")
    )
    streak.account.delete_field(pipeline(streak), "1001", with_values=True)

    second = connection.sync()

    assert told(second, "box_field_values", "boxKey", "fieldKey") == [(key, "1001") for key in held]
    assert exact(connection)


def test_values_that_outlive_their_custom_field_are_named_after_its_key(streak: Sandbox) -> None:
    connection = synced(streak, "box_field_values")
    streak.account.delete_field(pipeline(streak), "1001")

    second = connection.sync()

    assert nothing_told(second)
    names = {
        row["fieldName"] for row in second.records["box_field_values"] if row["fieldKey"] == "1001"
    }
    assert names == {"1001"}
    assert exact(connection)


def test_a_deleted_custom_field_without_values_causes_no_deletion(streak: Sandbox) -> None:
    connection = synced(streak, "box_field_values")
    field = streak.account.add_field(pipeline(streak), "New")["key"]
    connection.sync()
    streak.account.delete_field(pipeline(streak), field, with_values=True)

    assert nothing_told(connection.sync())
    assert exact(connection)


def test_the_history_entries_of_a_deleted_stage_are_reported_deleted(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    stage = streak.account.boxes[box]["stageHistoryEntries"][0]["stageKey"]
    for other in boxes_of(streak):
        if streak.account.boxes[other]["stageKey"] == stage:
            streak.account.edit_box(other, stageKey="5004")
    connection = synced(streak, "box_stage_history")
    held = sorted(
        key
        for key in boxes_of(streak)
        for entry in streak.account.boxes[key].get("stageHistoryEntries", ())
        if entry["stageKey"] == stage
    )
    streak.account.delete_stage(pipeline(streak), stage, with_history=True)

    second = connection.sync()

    assert told(second, "box_stage_history", "boxKey", "stageKey") == [(key, stage) for key in held]
    assert exact(connection)


def test_a_missing_history_entry_is_reported_deleted(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, "box_stage_history")
    entry = streak.account.boxes[box]["stageHistoryEntries"].pop(0)
    streak.account.edit_box(box)

    second = connection.sync()

    assert told(second, "box_stage_history") == [(box, pipeline(streak), entry["stageKey"])]
    assert exact(connection)


# --- A box moved to another pipeline: rows under the old pipelineKey -----------------------------


@pytest.mark.parametrize("stream", ["box_field_values", "box_stage_history"])
def test_the_values_and_history_of_a_moved_box_are_deleted_under_its_old_pipeline(
    streak: Sandbox, stream: str
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, stream)
    streak.account.move_box(box, pipeline(streak, HIRING))

    second = connection.sync()

    assert {key[:2] for key in told(second, stream)} == {(box, pipeline(streak, SALES))}
    assert len(told(second, stream)) == 2
    assert {row["pipelineKey"] for row in second.live(stream)} == {pipeline(streak, HIRING)}
    assert exact(connection)


def test_every_stream_stays_exact_while_a_box_moves_away_and_back(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak)
    for target in (HIRING, SALES):
        streak.account.move_box(box, pipeline(streak, target))
        connection.sync()
        assert exact(connection)


# --- Changes that show in some rows only ----------------------------------------------------------


def opened(streak: Sandbox, box: str) -> None:
    row = streak.account.boxes[box]
    row["totalNumberOfSentEmailsViews"] = row.get("totalNumberOfSentEmailsViews", 0) + 1
    row["totalNumberOfLastSentEmailLinksClicks"] = 7
    row["mostRecentSentEmailsViewsTimestamp"] = streak.account.now()


def test_an_opened_mail_updates_the_box_and_its_table_without_child_requests(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak)
    opened(streak, box)

    second = connection.sync()

    delivered = {name: len(records) for name, records in second.records.items() if records}
    assert delivered == {"boxes": 1, "boxes_sales": 1}
    assert not [path for path in second.requests if path.endswith(KINDS)]
    assert exact(connection)


def rename_stage(streak: Sandbox) -> None:
    streak.account.rename_stage(pipeline(streak), "5001", "Renamed")


def rename_field(streak: Sandbox) -> None:
    streak.account.rename_field(pipeline(streak), "1001", "Renamed")


def rename_option(streak: Sandbox) -> None:
    streak.account.rename_option(pipeline(streak), "1002", "9001", "Renamed")


def delete_option(streak: Sandbox) -> None:
    streak.account.delete_option(pipeline(streak), "1002", "9001")


def rename_pipeline(streak: Sandbox) -> None:
    streak.account.edit_pipeline(pipeline(streak), name="Renamed")


def let_a_day_pass(streak: Sandbox) -> None:
    """Values that change only because time passes."""
    for box in streak.account.boxes.values():
        box["freshness"] = 0.5
        for entry in box.get("stageHistoryEntries", ()):
            entry["timeInStageMs"] += 86_400_000


@pytest.mark.parametrize(
    "change",
    [rename_stage, rename_field, rename_option, delete_option, rename_pipeline, let_a_day_pass],
)
def test_a_changed_name_updates_the_rows_that_show_it_without_child_requests(
    streak: Sandbox, change: Callable[[Sandbox], None]
) -> None:
    connection = synced(streak)
    change(streak)

    second = connection.sync()

    assert nothing_told(second)
    assert exact(connection)
    assert not [path for path in second.requests if path.endswith(KINDS)]
    assert any(second.records.values()) != (change is let_a_day_pass)


# --- Short lists and wrong counters ---------------------------------------------------------------


def test_a_child_list_that_is_empty_despite_its_counter_is_read_again_in_the_next_sync(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    streak.fault(f"v2/boxes/{box}/comments", "empty", times=2)
    connection = synced(streak, "box_comments")
    assert box not in {
        row["boxKey"] for row in connection.destination.rows("box_comments").values()
    }

    connection.sync()

    assert exact(connection)


def test_a_permanently_wrong_counter_stops_causing_requests_after_an_hour(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    streak.account.boxes[box]["commentCount"] = 3
    connection = synced(streak, "box_comments")
    asked = [
        sum(path.endswith("/comments") for path in connection.sync(hours).requests)
        for hours in (0.0, HOUR, HOUR)
    ]

    assert asked == [1, 1, 0]
    assert exact(connection)
