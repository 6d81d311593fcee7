"""What the state holds, and what it must not hang on: clocks, the settings, the room there is."""

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


def test_one_sync_with_a_clock_years_ahead_does_not_switch_recheck_days_off(
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


def test_one_sync_with_a_clock_an_hour_ahead_loses_nothing(streak: Sandbox) -> None:
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


def test_what_was_suspected_with_a_clock_years_ahead_is_done_an_hour_later(
    streak: Sandbox,
) -> None:
    connection = synced(streak, "boxes")
    streak.account.delete_pipeline(pipeline(streak, SUPPORT))
    assert nothing_told(connection.sync(20 * YEAR))
    connection.hours = 0.0
    assert nothing_told(connection.sync()), "a time in the future counts as now"

    connection.sync(HOUR)

    assert exact(connection)


def test_what_is_asked_for_since_the_last_sync_does_not_hang_on_a_wrong_clock() -> None:
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


def test_clocks_through_the_command(streak: Sandbox, tmp_path: Path) -> None:
    """Two sights of a pipeline that is gone, an hour apart; between them a clock set back."""
    box = a_box_with_everything(streak)
    connection = Connection(streak, "boxes", "box_comments", "box_field_values")
    catalog = {"streams": [configured(one, SyncMode.incremental) for one in connection.streams]}
    files = {"config": {"api_key": streak.key, "requests_per_second": 20}, "catalog": catalog}
    with Copies(tmp_path) as copies:

        def sync(hours: float) -> list[dict[str, Any]]:
            """What it tells is deleted."""
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


def test_an_event_that_arrives_late_with_an_older_time_is_delivered(streak: Sandbox) -> None:
    connection = synced(streak, "newsfeed")
    feed = streak.account.newsfeed[pipeline(streak, HIRING)]
    late = feed[0] | {"key": feed[0]["key"][:-2] + "AA", "timestamp": feed[0]["timestamp"] - 9_999}
    late["newsfeedItemKey"] = late["key"]
    feed.insert(0, late)

    second = connection.sync()

    assert [row["key"] for row in second.records["newsfeed"]] == [late["key"]]
    assert not connection.sync().records["newsfeed"]


def test_events_of_a_busy_hour_come_once_each(streak: Sandbox) -> None:
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


def test_turned_off_nothing_is_told_and_what_is_unset_is_a_null_row(streak: Sandbox) -> None:
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
    assert [row["rawValue"] for row in cleared] == [None]
    assert "keys" in connection.state("boxes")


def test_turned_on_again_it_tells_what_went_meanwhile(streak: Sandbox) -> None:
    """Also of boxes that have not changed since."""
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


def test_turned_on_again_a_whole_account_is_not_read_anew(streak: Sandbox) -> None:
    connection = synced(streak, *OF_BOXES)
    connection.sync(track_deletions=False)

    third = connection.sync()

    assert not any(third.records.values())
    assert not [path for path in third.requests if path.endswith(CHILDREN)]


def test_no_deletion_is_told_of_a_row_that_never_was(streak: Sandbox) -> None:
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


# --- Room -----------------------------------------------------------------------------------------


ORDER = ("box_threads", "box_files", "box_meetings", "box_tasks", "box_comments")
ORDER += ("box_stage_history", "box_field_values", "boxes_sales", "boxes")
GIVEN_UP = "have no room in the state"


@pytest.mark.parametrize("total", [6_000, 15_000, 30_000])
def test_keys_that_have_no_room_are_given_up_with_one_warning_a_stream(
    streak: Sandbox, give_room: Callable[[int], None], total: int
) -> None:
    """In which order: unit_tests/test_room.py."""
    give_room(total)
    connection = Connection(streak, *ORDER)
    first = connection.sync()

    given_up = [
        name for name in ORDER if said(first, f"{name}: so many rows that their keys {GIVEN_UP}")
    ]

    assert len(said(first, GIVEN_UP)) == len(given_up)
    assert given_up == [name for name in ORDER if "keys" not in connection.state(name)]
    assert "box_threads" in given_up
    assert ("boxes" in given_up) == (total == 6_000)
    assert sum(len(orjson.dumps(connection.state(name))) for name in ORDER) < total + 4_000
    assert exact(connection)


def test_small_accounts_have_room_for_everything(streak: Sandbox) -> None:
    connection = synced(streak, *ORDER)

    assert not [name for name in ORDER if "keys" not in connection.state(name)]


def test_what_was_given_up_once_stays_so_until_the_stream_is_refreshed(
    streak: Sandbox, give_room: Callable[[int], None]
) -> None:
    """Otherwise deletions of what came meanwhile would be told in part, and nobody knew."""
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


def test_changes_arrive_where_keys_are_given_up(
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
    assert all(rows[one.key]["rawValue"] is None for one in unset), "null rows instead of deletions"


# --- A state that is not whole --------------------------------------------------------------------


def test_keys_that_are_damaged_are_said_and_begun_anew(streak: Sandbox) -> None:
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


def test_a_state_of_version_0_1_0_is_read_whole_once(streak: Sandbox) -> None:
    connection = synced(streak, "boxes")
    vars(connection.states["boxes"].stream.stream_state)["version"] = 1

    second = connection.sync()

    assert len(second.live("boxes")) == len(streak.account.boxes)
    assert said(second, "The state is of version 0.1.0")
    assert exact(connection)


def test_an_unchanged_second_sync_is_the_lists_and_no_more(streak: Sandbox) -> None:
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
