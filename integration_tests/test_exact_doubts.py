"""Doubtful responses delete nothing: one test per guard, which fails without the guard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from connection import Connection
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
from pytest_mock import MockerFixture
from streak_sandbox import Moods, Sandbox

PEOPLE = ("contacts", "organizations")
UNKNOWN = "gave no reliable answer when asked by key"


@pytest.fixture
def streak(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(**getattr(request, "param", SMALL)) as sandbox:
        yield sandbox


# --- Look-ups: two equal refusals around a control that answers -----------------------------------


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_single_flaky_refusal_is_no_deletion(streak: Sandbox, status: int) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.archive_box(box)
    streak.fault(f"v1/boxes/{box}", "status", status=status)

    second = connection.sync()

    assert nothing_told(second)
    assert asked(second, box) == 2
    assert said(second, "boxes: 0 delivered, 0 deleted, 0 suspected, 1 unlisted.")


def test_a_401_followed_by_a_404_is_no_deletion(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.archive_box(box)
    for status in (401, 404):
        streak.fault(f"v1/boxes/{box}", "status", status=status)

    second = connection.sync()

    assert nothing_told(second)
    assert said(second, UNKNOWN)


@pytest.mark.parametrize("status", [401, 404])
def test_refusals_of_every_request_by_key_are_no_deletion(streak: Sandbox, status: int) -> None:
    """As a proxy might: requests for control boxes are refused as well."""
    connection = synced(streak, *OF_BOXES)
    streak.account.delete_box(boxes_of(streak)[3])
    for pattern in (
        "boxes/*",
        *(f"pipelines/{key}" for key in streak.account.pipelines),
        "users/???*",
    ):
        streak.fault(f"v1/{pattern}", "status", status=status, times=None)

    second = connection.sync()

    assert nothing_told(second)
    assert said(second, UNKNOWN)


def test_the_last_box_of_an_account_is_reported_deleted_with_its_pipeline_as_control(
    streak: Sandbox,
) -> None:
    for box in [key for key in streak.account.boxes if key != boxes_of(streak)[0]]:
        streak.account.delete_box(box)
    (last,) = streak.account.boxes
    connection = synced(streak, *OF_BOXES)
    streak.account.delete_box(last)

    second = connection.sync()

    assert told(second, "boxes") == [(last,)]
    assert sum(
        path.startswith("v1/pipelines/") and path.count("/") == 2 for path in second.requests
    )
    assert exact(connection)


def test_the_last_box_of_an_account_is_not_reported_deleted_without_a_control(
    streak: Sandbox,
) -> None:
    for box in [key for key in streak.account.boxes if key != boxes_of(streak)[0]]:
        streak.account.delete_box(box)
    (last,) = streak.account.boxes
    connection = synced(streak, "boxes")
    streak.account.delete_box(last)
    for key in (*streak.account.pipelines, streak.account.my_key):
        streak.fault(f"v1/*/{key}", "status", status=404, times=None)

    assert nothing_told(connection.sync())


def test_a_404_for_a_box_is_no_deletion_while_a_pipeline_answers_404(streak: Sandbox) -> None:
    """The box may have moved to that pipeline."""
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.move_box(box, pipeline(streak, SUPPORT))
    streak.moods.refused_pipelines = {pipeline(streak, SUPPORT)}
    streak.moods.hidden_is_404 = True

    second = connection.sync()

    assert (box,) not in told(second, "boxes")
    streak.moods.refused_pipelines = set()
    connection.sync()
    assert exact(connection)


@pytest.mark.parametrize("kind", ["html", "reset", "half_body", "wrong_shape", "empty"])
def test_a_box_whose_look_up_fails_is_kept_and_looked_up_in_the_next_sync(
    streak: Sandbox, kind: str
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.delete_box(box)
    streak.fault(f"v1/boxes/{box}", kind, times=None)
    second = connection.sync()
    assert nothing_told(second)
    assert second.ok
    streak.clear_faults()

    assert told(connection.sync(), "boxes") == [(box,)]
    assert exact(connection)


@pytest.mark.parametrize("status", [410, 422])
def test_other_error_statuses_for_a_box_are_no_deletion(streak: Sandbox, status: int) -> None:
    connection = synced(streak, "boxes")
    gone = boxes_of(streak)[3]
    streak.account.delete_box(gone)
    streak.fault(f"v1/boxes/{gone}", "status", status=status, times=None)

    second = connection.sync()

    assert nothing_told(second)
    assert second.ok


def test_a_sync_that_reaches_its_look_up_limit_leaves_the_rest_to_the_next_syncs(
    streak: Sandbox, mocker: MockerFixture
) -> None:
    mocker.patch("source_streak.api.look_up.MOST_QUESTIONS", 3)
    connection = synced(streak, *OF_BOXES)
    gone = boxes_of(streak)[:8]
    for box in gone:
        streak.account.delete_box(box)

    syncs = [connection.sync() for _ in range(3)]

    assert [len(told(sync, "boxes")) for sync in syncs] == [3, 3, 2]
    for sync in syncs:
        assert told(sync, "boxes") == told(sync, "boxes_sales"), "the same ones in each stream"
    assert said(syncs[0], "boxes: 5 no longer in any list, but Streak gave no reliable answer")
    assert exact(connection)


# --- Lists ----------------------------------------------------------------------------------------


def refuse(streak: Sandbox) -> None:
    streak.moods.refused_pipelines = {pipeline(streak)}


def refuse_by_404(streak: Sandbox) -> None:
    refuse(streak)
    streak.moods.hidden_is_404 = True


def fail(streak: Sandbox) -> None:
    streak.fault(f"v1/pipelines/{pipeline(streak)}/boxes", "html", times=None)


def empty(streak: Sandbox) -> None:
    streak.moods.empty_pipelines = {pipeline(streak)}


def empty_without_count(streak: Sandbox) -> None:
    empty(streak)
    streak.moods.box_count_absent = True


def end_early(streak: Sandbox) -> None:
    streak.moods.box_count_absent = True
    streak.moods.limit_cap = 10
    streak.moods.page_ignored = "first"


@pytest.mark.parametrize(
    "hide", [refuse, refuse_by_404, fail, empty, empty_without_count, end_early]
)
def test_a_refused_failed_empty_or_short_list_deletes_nothing(streak: Sandbox, hide: Any) -> None:
    """Once the list can be read again, deletions in the meantime are reported."""
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.delete_box(box)
    hide(streak)
    streak.fault(ONE_BOX, "status", status=404, times=None)
    second = connection.sync()
    assert nothing_told(second)
    assert not asked(second, box)

    streak.clear_faults()
    streak.moods.become(**Moods().as_json())
    third = connection.sync()

    assert told(third, "boxes") == [(box,)]
    assert exact(connection)


def test_a_refused_pipeline_deletes_nothing_and_is_read_again_once_it_is_back(
    streak: Sandbox,
) -> None:
    connection = synced(streak, *OF_BOXES)
    refuse(streak)
    for hours in (0.0, HOUR):
        second = connection.sync(hours)
        assert second.ok
        assert nothing_told(second)
    streak.account.edit_box(boxes_of(streak)[0], name="Meanwhile")
    streak.moods.refused_pipelines = set()

    fourth = connection.sync()

    assert len(fourth.live("boxes")) == 1
    assert exact(connection)


def test_an_unselected_pipeline_deletes_nothing(streak: Sandbox) -> None:
    connection = synced(streak, "boxes", "box_comments")
    streak.account.delete_box(boxes_of(streak, SUPPORT)[0])

    for hours in (0.0, HOUR):
        second = connection.sync(hours, pipelines=[SALES])
        assert nothing_told(second)
        assert not [path for path in second.requests if path.startswith("v1/boxes/")]
    connection.sync()
    assert exact(connection)


def miscount(streak: Sandbox, by: int) -> None:
    streak.account.pipelines[pipeline(streak)]["boxCount"] += by


def test_a_list_shorter_than_streaks_count_deletes_nothing_for_an_hour(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.delete_box(box)
    miscount(streak, 1)

    second, third, fourth = connection.sync(), connection.sync(0.003), connection.sync(HOUR)

    assert nothing_told(second)
    assert nothing_told(third), "ten seconds later"
    assert told(fourth, "boxes") == [(box,)]
    assert exact(connection)


def test_a_count_that_becomes_wrong_by_another_number_delays_deletions_another_hour(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.delete_box(box)
    for _ in range(3):
        miscount(streak, 1)
        assert nothing_told(connection.sync(HOUR))

    assert told(connection.sync(HOUR), "boxes") == [(box,)]


def test_a_count_that_has_been_wrong_for_long_delays_no_deletion(streak: Sandbox) -> None:
    """The connector learns the error while no box is missing, and stops reading the list twice."""
    miscount(streak, 1)
    connection = synced(streak, "boxes", "box_comments")
    second, third = connection.sync(), connection.sync(HOUR)
    assert len(third.requests) <= len(second.requests)
    assert sum(path == f"v1/pipelines/{pipeline(streak)}/boxes" for path in third.requests) == 1
    box = boxes_of(streak)[0]
    streak.account.delete_box(box)

    assert told(connection.sync(), "boxes") == [(box,)]


@pytest.mark.parametrize("tracked", [True, False])
def test_an_empty_list_that_contradicts_its_count_is_believed_after_an_hour(
    streak: Sandbox, tracked: bool
) -> None:
    """For example, all boxes of a pipeline are archived, but Streak still counts them."""
    connection = synced(streak, "boxes", "box_comments", track_deletions=tracked)
    for box in boxes_of(streak, SUPPORT):
        streak.account.archive_box(box, counted=True)

    first, second, third = connection.sync(), connection.sync(0.003), connection.sync(HOUR)

    assert not first.ok
    assert not second.ok, "ten seconds later"
    assert third.ok
    assert nothing_told(third)


def test_a_child_list_shorter_than_its_counter_deletes_nothing_for_an_hour(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *CHILDREN)
    gone = streak.account.comments[box][0]["key"]
    streak.account.delete_comment(box, gone)
    streak.account.boxes[box]["commentCount"] = 2

    syncs = [connection.sync(hours) for hours in (0.0, 0.003, HOUR)]

    assert [told(sync, "box_comments") for sync in syncs] == [[], [], [(box, gone)]]
    assert said(syncs[0], "box_comments: 1 delivered, 0 deleted, 1 suspected")
    assert exact(connection)


def test_a_child_list_that_is_empty_only_once_deletes_nothing(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *CHILDREN)
    streak.account.edit_box(box, lastCommentTimestamp=streak.account.now())
    streak.fault(f"v2/boxes/{box}/comments", "empty", times=2)

    assert nothing_told(connection.sync())
    assert nothing_told(connection.sync())
    assert exact(connection)


def test_a_child_list_that_is_empty_only_once_deletes_nothing_without_a_counter(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    streak.moods.counters_absent = True
    connection = synced(streak, *CHILDREN)
    streak.account.edit_box(box, name="Moved its stamp")
    streak.fault(f"v2/boxes/{box}/comments", "empty")

    assert nothing_told(connection.sync())
    assert nothing_told(connection.sync(HOUR))
    assert exact(connection)


def test_a_child_list_that_ended_early_deletes_nothing(streak: Sandbox) -> None:
    """Streak announces another page, but sends nothing new."""
    box = a_box_with_everything(streak)
    connection = synced(streak, "box_tasks")
    streak.account.edit_box(box, name="Moved its stamp", taskTotal=None)
    endless = {"results": streak.account.tasks[box][:1], "hasNextPage": True}
    streak.fault(f"v2/boxes/{box}/tasks", "wrong_shape", times=None, body=endless)

    for hours in (0.0, 0.003, HOUR):
        sync = connection.sync(hours)
        assert sync.ok
        assert nothing_told(sync)
        assert said(sync, "box_tasks: 1 delivered, 0 deleted, 1 suspected")
    assert not connection.sync().records["box_tasks"], "it is not read for ever"
    streak.clear_faults()
    streak.account.delete_task(box, streak.account.tasks[box][0]["key"])
    connection.sync()
    assert exact(connection)


def test_a_refused_child_list_deletes_nothing(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *CHILDREN)
    streak.account.delete_comment(box, streak.account.comments[box][0]["key"])
    streak.fault(f"v2/boxes/{box}/comments", "status", status=404, times=None)

    assert nothing_told(connection.sync())
    streak.clear_faults()
    assert len(told(connection.sync(), "box_comments")) == 1
    assert exact(connection)


# --- Many boxes missing at once -------------------------------------------------------------------


@pytest.mark.parametrize("streak", [{"boxes": 400}], indirect=True)
def test_deletions_of_more_than_a_tenth_of_a_list_are_reported_an_hour_later(
    streak: Sandbox,
) -> None:
    connection = synced(streak, "boxes", "boxes_sales")
    gone = boxes_of(streak)[:60]
    for box in gone:
        streak.account.delete_box(box)
    streak.clear_log()

    second, third = connection.sync(), connection.sync(0.003)

    assert nothing_told(second)
    assert nothing_told(third), "ten seconds later"
    assert said(second, '60 boxes of "Sales" are missing at once')
    assert said(second, "boxes: 0 delivered, 0 deleted, 60 suspected, 0 unlisted.")
    assert not [
        path for path in (*second.requests, *third.requests) if path.startswith("v1/boxes/")
    ]
    assert told(connection.sync(HOUR), "boxes") == sorted((key,) for key in gone)
    assert exact(connection)


@pytest.mark.parametrize("streak", [{"boxes": 400}], indirect=True)
def test_a_second_mass_deletion_waits_another_hour(streak: Sandbox) -> None:
    connection = synced(streak, "boxes")
    for hours in (0.0, HOUR):
        for box in boxes_of(streak)[:60] if not hours else ():
            streak.account.delete_box(box)
        connection.sync(hours)
    for box in boxes_of(streak)[:60]:
        streak.account.delete_box(box)

    assert nothing_told(connection.sync())
    assert len(told(connection.sync(HOUR), "boxes")) == 60
    assert exact(connection)


@pytest.mark.parametrize("streak", [{"boxes": 400}], indirect=True)
def test_many_missing_boxes_that_are_back_in_the_next_sync_are_not_delivered_again(
    streak: Sandbox,
) -> None:
    connection = synced(streak, "boxes")
    rows = [streak.account.boxes[key] for key in boxes_of(streak)[:60]]
    for hours in (0.0, HOUR):
        for row in rows:
            streak.account.delete_box(row["key"])
        assert nothing_told(connection.sync(hours))
        for row in rows:
            streak.account.put_box(row)
        fine = connection.sync()
        assert nothing_told(fine)
        assert not fine.records["boxes"], "their ledger was left alone"


@pytest.mark.parametrize("streak", [{"boxes": 400}], indirect=True)
def test_a_mass_deletion_with_a_wrong_box_count_is_reported_in_the_second_sync(
    streak: Sandbox,
) -> None:
    connection = synced(streak, "boxes")
    for box in boxes_of(streak)[:60]:
        streak.account.delete_box(box)
    miscount(streak, 1)

    assert nothing_told(connection.sync())
    assert len(told(connection.sync(HOUR), "boxes")) == 60
    assert exact(connection)


# --- The key, the schema, the settings ------------------------------------------------------------


def of_another_user(streak: Sandbox) -> None:
    account = streak.account
    account.my_key = next(key for key in account.users if key != account.my_key)


def test_the_first_sync_with_another_users_key_deletes_nothing(streak: Sandbox) -> None:
    box, other = a_box_with_everything(streak), a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.delete_box(box)
    of_another_user(streak)
    streak.account.delete_comment(other, streak.account.comments[other][0]["key"])

    second = connection.sync()

    assert nothing_told(second)
    assert len(
        said(second, "the API key belongs to a different user than in the last sync")
    ) == len(OF_BOXES)
    assert told(connection.sync(), "boxes") == [(box,)]
    assert exact(connection)


def test_a_retried_first_sync_with_another_users_key_deletes_nothing(
    streak: Sandbox,
) -> None:
    """Ten seconds after the killed first sync, with the states that it left."""
    box = a_box_with_everything(streak)
    connection = synced(streak, "boxes", "box_comments")
    streak.account.delete_box(box)
    of_another_user(streak)
    killed = connection.read()
    last = next(place for place, message in enumerate(killed.messages) if message.state and place)
    connection.take(killed.until(last + 1))

    assert nothing_told(connection.sync(0.003))


def test_boxes_suspected_under_another_users_key_wait_for_a_new_hour(streak: Sandbox) -> None:
    """Each user sees other pipelines, so the second user must miss the boxes twice."""
    connection = synced(streak, "boxes")
    streak.account.delete_pipeline(pipeline(streak, SUPPORT))
    connection.sync()
    of_another_user(streak)

    assert nothing_told(connection.sync(HOUR))
    assert nothing_told(connection.sync(0.003))
    assert told(connection.sync(HOUR), "boxes")
    assert exact(connection)


def test_a_configured_schema_without_the_deletion_column_deletes_nothing_and_warns(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    for stream in connection.streams:
        stream.json_schema = dict(stream.json_schema)
        stream.json_schema["properties"] = {
            name: column
            for name, column in stream.json_schema["properties"].items()
            if name != "_ab_cdc_deleted_at"
        }
    streak.account.delete_box(box)

    second = connection.sync()

    assert nothing_told(second)
    assert len(said(second, "the configured schema has no column _ab_cdc_deleted_at")) == len(
        OF_BOXES
    )
    assert all("_ab_cdc_deleted_at" not in row for rows in second.records.values() for row in rows)


def test_a_later_start_date_keeps_reading_the_boxes_already_delivered(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    row = streak.account.boxes[box]
    for name in list(row):
        if name.endswith(("Timestamp", "DueDate")):
            row[name] = 1_400_000_000_000
    connection = synced(streak, *OF_BOXES)
    row["name"] = "Changed, and no stamp has moved"

    second = connection.sync(start_date="2026-01-01")

    assert nothing_told(second)
    assert [one["name"] for one in second.live("boxes")] == [row["name"]]
    streak.account.delete_box(box)
    assert told(connection.sync(start_date="2026-01-01"), "boxes") == [(box,)]


def test_incremental_syncs_leave_out_boxes_older_than_the_start_date(
    streak: Sandbox,
) -> None:
    connection = synced(streak, *OF_BOXES, start_date="2026-06-01")
    assert exact(connection)
    first = len(connection.destination.rows("boxes"))
    assert 0 < first < len(streak.account.boxes)

    second = connection.sync()

    assert not any(second.records.values())
    assert exact(connection)


# --- Boxes that share a ledger entry --------------------------------------------------------------


@pytest.fixture
def shared(mocker: MockerFixture) -> None:
    """A state limit so low that dozens of boxes share a ledger entry."""
    from source_streak.incremental.room import Share

    mocker.patch("source_streak.reading.plan.Plan.share_of", return_value=Share(4, 4_000_000))


@pytest.mark.usefixtures("shared")
def test_boxes_that_share_a_ledger_entry_are_distinguished(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.delete_box(box)
    moved = boxes_of(streak)[0]
    streak.account.move_box(moved, pipeline(streak, HIRING))

    second = connection.sync()

    assert told(second, "boxes") == [(box,)]
    assert told(second, "boxes_sales") == sorted([(box,), (moved,)])
    assert exact(connection)


@pytest.mark.usefixtures("shared")
def test_an_unlisted_box_that_shares_a_ledger_entry_is_no_deletion(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.archive_box(box)

    assert nothing_told(connection.sync())
    streak.account.unarchive_box(box)
    connection.sync()
    assert exact(connection)


@pytest.mark.usefixtures("shared")
def test_a_box_before_the_start_date_that_shares_a_ledger_entry_is_left_out(
    streak: Sandbox,
) -> None:
    connection = synced(streak, *OF_BOXES, start_date="2026-06-01")
    streak.account.edit_box(
        next(key for (key,) in connection.destination.rows("boxes")), name="New"
    )

    connection.sync()

    assert exact(connection)


# --- Other shapes of an account -------------------------------------------------------------------


def test_a_contact_that_moved_to_a_team_with_a_refused_list_is_no_deletion(streak: Sandbox) -> None:
    connection = synced(streak, *PEOPLE)
    first, second = streak.account.teams
    contact = streak.account.contacts[first].pop(1)
    contact["teamKey"] = second
    streak.account.contacts[second].append(contact)
    streak.account.edit_team(first)
    streak.fault(f"v2/teams/{second}/contacts", "status", status=401, times=None)

    assert nothing_told(connection.sync())
    streak.clear_faults()
    connection.sync()
    assert exact(connection)


MOODS: tuple[dict[str, Any], ...] = (
    {"counters_absent": True},
    {"box_count_absent": True},
    {"limit_cap": 37},
    {"limit_cap": 7, "v2_limit_cap": 3},
    {"flag_absent": True, "box_list_shape": "array"},
    {"pages_disordered": True, "limit_cap": 11},
    {"v2_pipelines_missing": True, "box_list_shape": "envelope"},
)


@pytest.mark.parametrize("moods", MOODS, ids="+".join)
def test_syncs_are_exact_under_every_list_shape(streak: Sandbox, moods: dict[str, Any]) -> None:
    streak.moods.become(**moods)
    box = a_box_with_everything(streak)
    other = a_box_with_everything(streak, HIRING)
    connection = Connection(streak, *OF_BOXES, *PEOPLE)
    connection.sync()
    account = streak.account
    account.delete_box(box)
    account.delete_comment(other, account.comments[other][0]["key"])
    account.delete_file(other, account.files[other][1]["key"])
    account.move_box(boxes_of(streak)[0], pipeline(streak, SUPPORT))
    account.delete_contact(account.contacts[next(iter(account.teams))][1]["key"])
    account.delete_team_field("contacts", next(iter(account.teams)), "1001", with_values=True)

    connection.sync()

    assert exact(connection)
    third = connection.sync()
    assert not any(third.records.values())
