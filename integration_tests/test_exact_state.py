"""What the state holds under wrong clocks, changed settings and the state limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from airbyte_cdk.models import SyncMode
from connection import Connection, configured
from copies import Copies
from destination import DELETED_AT
from exact import (
    CHILDREN,
    DAY,
    HIRING,
    HOUR,
    OF_BOXES,
    SMALL,
    SUPPORT,
    a_box_with_everything,
    boxes_of,
    exact,
    nothing_told,
    pipeline,
    said,
    synced,
    told,
)
from streak_sandbox import Sandbox

from source_streak.incremental.room import TOTAL

YEAR = 365 * DAY


@pytest.fixture
def streak(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(**getattr(request, "param", SMALL)) as sandbox:
        yield sandbox


# --- Clocks ---------------------------------------------------------------------------------------


def test_a_sync_with_a_clock_years_ahead_does_not_stop_later_rechecks(
    streak: Sandbox,
) -> None:
    connection = synced(streak, "box_comments", recheck_days=3)
    connection.sync(20 * YEAR)
    connection.hours = 0.0
    connection.sync()

    asked = [
        sum(path.endswith("/comments") for path in connection.sync(DAY).requests) for _ in range(3)
    ]

    boxes = len({key[0] for key in connection.destination.rows("box_comments")})
    assert all(asked)
    assert sum(asked) == boxes


def test_a_sync_with_a_clock_an_hour_ahead_loses_nothing(streak: Sandbox) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.edit_box(box, name="In the hour ahead")
    connection.sync(HOUR)
    streak.account.edit_box(box, name="After it")
    streak.account.delete_comment(box, streak.account.comments[box][0]["key"])
    gone = boxes_of(streak)[0]
    streak.account.delete_box(gone)

    connection.sync(-HOUR)

    assert exact(connection)


@pytest.mark.parametrize("back", [HOUR, 30 * YEAR])
def test_a_clock_that_was_set_back_loses_nothing(streak: Sandbox, back: float) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    read_at = connection.state("boxes")["readAt"]
    streak.account.edit_box(box, name="Another")
    gone = boxes_of(streak)[0]
    streak.account.delete_box(gone)

    second = connection.sync(-back)

    assert told(second, "boxes") == [(gone,)]
    assert connection.state("boxes")["readAt"] > read_at
    assert exact(connection)


def test_boxes_suspected_by_a_clock_years_ahead_are_deleted_an_hour_later(
    streak: Sandbox,
) -> None:
    connection = synced(streak, "boxes")
    streak.account.delete_pipeline(pipeline(streak, SUPPORT))
    assert nothing_told(connection.sync(20 * YEAR))
    connection.hours = 0.0
    assert nothing_told(connection.sync()), "a time in the future counts as now"

    connection.sync(HOUR)

    assert exact(connection)


def test_the_time_of_the_last_read_is_unknown_after_a_clock_years_ahead() -> None:
    from source_streak.incremental.state import StreamState

    def sync(saved: dict[str, Any], now: int) -> StreamState:
        return StreamState(orjson.loads(orjson.dumps(saved)), now, 30)

    now, hour = 1_795_284_000_000, 3_600_000
    ahead = sync(sync({}, now).as_dict(), now + 10 * 365 * 24 * hour)
    after = sync(ahead.as_dict(), now + hour)
    later = sync(after.as_dict(), now + 2 * hour)

    assert ahead.last_read == now
    assert after.last_read is None, "nobody knows"
    assert later.last_read == now + hour
    assert later.read_at > after.read_at > ahead.read_at


def test_the_command_deletes_a_pipeline_after_an_hour_although_the_clock_was_set_back(
    streak: Sandbox, tmp_path: Path
) -> None:
    """Two syncs an hour apart miss a pipeline; in between, one with the clock set back."""
    box = a_box_with_everything(streak)
    connection = Connection(streak, "boxes", "box_comments", "box_field_values")
    catalog = {"streams": [configured(one, SyncMode.incremental) for one in connection.streams]}
    files = {"config": {"api_key": streak.key, "requests_per_second": 20}, "catalog": catalog}
    with Copies(tmp_path) as copies:

        def sync(hours: float) -> list[dict[str, Any]]:
            """One run of `read`; returns the records that report deletions."""
            arguments = ["read"]
            for name, content in files.items():
                (tmp_path / name).write_bytes(orjson.dumps(content))
                arguments += [f"--{name}", name]
            environment = {"STREAK_API_URL": streak.url, "QUICK_HOURS": str(hours)}
            outcome = copies.type(*arguments, environment=environment)
            assert outcome.code == 0
            states = [message["state"] for message in outcome.of_type("STATE")]
            last = {state["stream"]["stream_descriptor"]["name"]: state for state in states}
            files["state"] = list(last.values())
            records = [message["record"] for message in outcome.of_type("RECORD")]
            for record in records:
                connection.destination.take(record["stream"], [record["data"]])
            return [record["data"] for record in records if record["data"].get(DELETED_AT)]

        sync(0.0)
        streak.account.delete_pipeline(pipeline(streak, SUPPORT))
        assert not sync(1.0)
        assert not sync(0.0)
        streak.account.delete_comment(box, streak.account.comments[box][0]["key"])
        assert sync(1.1)

    assert exact(connection)


# --- The newsfeed ---------------------------------------------------------------------------------


def test_a_newsfeed_event_that_arrives_late_with_an_older_time_is_delivered(
    streak: Sandbox,
) -> None:
    connection = synced(streak, "newsfeed")
    feed = streak.account.newsfeed[pipeline(streak, HIRING)]
    late = feed[0] | {"key": feed[0]["key"][:-2] + "AA", "timestamp": feed[0]["timestamp"] - 9_999}
    late["newsfeedItemKey"] = late["key"]
    feed.insert(0, late)

    second = connection.sync()

    assert [row["key"] for row in second.records["newsfeed"]] == [late["key"]]
    assert not connection.sync().records["newsfeed"]


def test_newsfeed_events_of_a_busy_hour_are_delivered_once_each(streak: Sandbox) -> None:
    connection = synced(streak, "newsfeed")
    delivered = [row["key"] for row in connection.destination.tables["newsfeed"].values()]
    for number in range(40):
        streak.account.add_box(pipeline(streak), f"New {number}")
        if number % 13 == 0:
            delivered += [row["key"] for row in connection.sync().records["newsfeed"]]
    delivered += [row["key"] for row in connection.sync(-HOUR).records["newsfeed"]]

    assert len(delivered) == len(set(delivered))
    assert len(delivered) == 51 + 40


# --- track_deletions ------------------------------------------------------------------------------


def test_without_deletion_tracking_nothing_is_deleted_and_a_cleared_field_is_a_null_row(
    streak: Sandbox,
) -> None:
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES, track_deletions=False)
    streak.account.edit_box(box, fields={"1001": None})
    streak.account.delete_comment(box, streak.account.comments[box][0]["key"])
    streak.account.delete_box(boxes_of(streak)[0])

    second = connection.sync()

    assert nothing_told(second)
    assert not [
        path for path in second.requests if path.startswith("v1/boxes/") and path.count("/") == 2
    ]
    cleared = [row for row in second.records["box_field_values"] if row["fieldKey"] == "1001"]
    assert [row.get("rawValue") for row in cleared] == [None]
    assert "keys" in connection.state("boxes")


def test_turning_deletion_tracking_on_again_reports_the_deletions_in_between(
    streak: Sandbox,
) -> None:
    """Also deletions in boxes that have not changed since."""
    box = a_box_with_everything(streak)
    other = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES, "contacts")
    account = streak.account
    account.edit_box(box, fields={"1001": None})
    account.delete_comment(box, account.comments[box][0]["key"])
    for _ in range(2):
        account.delete_file(box, account.files[box][0]["key"])
    account.delete_box(other)
    account.move_box(boxes_of(streak)[0], pipeline(streak, SUPPORT))
    account.delete_contact(account.contacts[next(iter(account.teams))][1]["key"])
    assert nothing_told(connection.sync(track_deletions=False))
    assert nothing_told(connection.sync(track_deletions=False))

    connection.sync()

    assert exact(connection)


def test_turning_deletion_tracking_on_again_does_not_reread_the_account(streak: Sandbox) -> None:
    connection = synced(streak, *OF_BOXES)
    connection.sync(track_deletions=False)

    third = connection.sync()

    assert not any(third.records.values())
    assert not [path for path in third.requests if path.endswith(CHILDREN)]


def test_no_deletion_is_reported_of_a_row_that_was_never_delivered(streak: Sandbox) -> None:
    connection = synced(streak, *OF_BOXES)
    destination = {name: set(connection.destination.tables[name]) for name in connection.names}
    account = streak.account
    for box in boxes_of(streak)[:3]:
        account.edit_box(box, fields=dict.fromkeys(("1001", "1006", "1009")))
        account.delete_box(box)
    account.delete_field(pipeline(streak), "1006", with_values=True)
    account.delete_stage(pipeline(streak), account.add_stage(pipeline(streak), "Never used")["key"])

    second = connection.sync()

    for name in connection.names:
        columns = connection.destination.keys.get(name, ["box_key"])
        keys = {tuple(row[column] for column in columns) for row in second.deleted(name)}
        assert keys <= destination[name]
    assert exact(connection)


# --- The state limit ------------------------------------------------------------------------------


ORDER = ("box_threads", "box_files", "box_meetings", "box_tasks", "box_comments")
ORDER += ("box_stage_history", "box_field_values", "boxes_sales", "boxes")
GIVEN_UP = "to keep their keys in the state"


@pytest.mark.parametrize("total", [6_000, 15_000, 30_000])
def test_keys_that_exceed_the_state_limit_are_given_up_with_one_warning_per_stream(
    streak: Sandbox, give_room: Callable[[int], None], total: int
) -> None:
    """unit_tests/test_room.py tests in which order streams give up their keys."""
    give_room(total)
    connection = Connection(streak, *ORDER)
    first = connection.sync()

    given_up = [name for name in ORDER if said(first, f"{name}: too many rows {GIVEN_UP}")]

    assert len(said(first, GIVEN_UP)) == len(given_up)
    assert given_up == [name for name in ORDER if "keys" not in connection.state(name)]
    assert "box_threads" in given_up
    assert ("boxes" in given_up) == (total == 6_000)
    assert sum(len(orjson.dumps(connection.state(name))) for name in ORDER) < total + 4_000
    assert exact(connection)


def test_a_small_account_keeps_the_keys_of_every_stream(streak: Sandbox) -> None:
    connection = synced(streak, *ORDER)

    assert not [name for name in ORDER if "keys" not in connection.state(name)]


def test_keys_once_given_up_stay_so_until_the_stream_is_refreshed(
    streak: Sandbox, give_room: Callable[[int], None]
) -> None:
    """Otherwise some later deletions would go unreported, and nobody would know."""
    box = a_box_with_everything(streak)
    give_room(3_000)
    connection = synced(streak, "box_comments")
    give_room(TOTAL)
    streak.account.delete_comment(box, streak.account.comments[box][0]["key"])

    second = connection.sync()

    assert nothing_told(second)
    assert len(said(second, GIVEN_UP)) == 1
    connection.states.clear()  # a refresh
    connection.destination.tables.clear()
    assert not said(connection.sync(), GIVEN_UP)
    streak.account.delete_comment(box, streak.account.comments[box][0]["key"])
    connection.sync()
    assert exact(connection)


def test_changes_are_delivered_in_streams_whose_keys_were_given_up(
    streak: Sandbox, give_room: Callable[[int], None]
) -> None:
    give_room(2_000)
    box = a_box_with_everything(streak)
    connection = synced(streak, *OF_BOXES)
    streak.account.edit_box(box, name="Another")
    streak.account.add_comment(box, "one more")
    other = streak.account.add_box(pipeline(streak), "New")["key"]
    streak.account.add_task(other, "new")

    connection.sync()

    unset = [one for one in connection.differences() if one.stream == "box_field_values"]
    rows = connection.destination.rows("box_field_values")
    assert connection.differences() == unset
    values = [rows[one.key].get("rawValue") for one in unset]
    assert not any(values), "null rows instead of deletions"


# --- Damaged and old states -----------------------------------------------------------------------


def test_damaged_keys_cause_a_warning_and_are_remembered_anew(streak: Sandbox) -> None:
    connection = synced(streak, "boxes", "box_comments")
    for state in connection.states.values():
        blob = vars(state.stream.stream_state)
        blob["keys"] = dict.fromkeys(blob["keys"], "no base64 at all")
    box = boxes_of(streak)[0]

    second = connection.sync()

    assert second.ok
    assert said(second, "deletions before this sync may not be reported")
    streak.account.delete_box(box)
    assert told(connection.sync(), "boxes") == [(box,)]


def test_a_state_of_version_0_1_0_causes_one_whole_read(streak: Sandbox) -> None:
    connection = synced(streak, "boxes")
    vars(connection.states["boxes"].stream.stream_state)["version"] = 1

    second = connection.sync()

    assert len(second.live("boxes")) == len(streak.account.boxes)
    assert said(second, "The state is from version 0.1.0")
    assert exact(connection)


def test_a_second_sync_of_an_unchanged_account_requests_only_lists(streak: Sandbox) -> None:
    connection = synced(streak, *OF_BOXES, "contacts", "organizations")

    second = connection.sync()

    lists = [f"v1/pipelines/{key}/boxes" for key in streak.account.pipelines]
    teams = [
        f"v2/teams/{key}/{kind}"
        for key in streak.account.teams
        for kind in ("contacts", "organizations")
    ]
    assert sorted(second.requests) == sorted(
        [*lists, *teams, "v1/users/me", "v2/pipelines", "v2/users/me/teams"]
    )
    assert not any(second.records.values())
