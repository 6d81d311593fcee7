"""Syncs are exact for contacts and organizations, and for pipelines and teams that come and go."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from connection import Connection
from exact import (
    CHILDREN,
    DAY,
    HIRING,
    HOUR,
    OF_BOXES,
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

PEOPLE = ("contacts", "organizations")
TABLE = "boxes_support"


@pytest.fixture
def streak(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(**getattr(request, "param", SMALL)) as sandbox:
        yield sandbox


def of_team(streak: Sandbox, kind: str, team: int = 0) -> list[str]:
    rows = getattr(streak.account, kind)[list(streak.account.teams)[team]]
    return [row["key"] for row in rows]


# --- A contact or organization deleted or merged --------------------------------------------------


@pytest.mark.parametrize("kind", PEOPLE)
def test_a_deleted_contact_or_organization_is_reported_once(streak: Sandbox, kind: str) -> None:
    connection = synced(streak, *PEOPLE)
    gone = of_team(streak, kind)[1]
    getattr(streak.account, f"delete_{kind[:-1]}")(gone)

    second = connection.sync()

    assert told(second, kind) == [(gone,)]
    assert exact(connection)
    assert nothing_told(connection.sync())


@pytest.mark.parametrize("kind", PEOPLE)
def test_a_contact_or_organization_merged_into_another_is_reported_deleted(
    streak: Sandbox, kind: str
) -> None:
    """A request for its key returns the one that it was merged into."""
    connection = synced(streak, *PEOPLE)
    kept, gone = of_team(streak, kind)[:2]
    getattr(streak.account, f"merge_{kind}")(kept, gone)

    second = connection.sync()

    assert told(second, kind) == [(gone,)]
    assert exact(connection)


def test_a_contact_that_comes_back_is_delivered_again(streak: Sandbox) -> None:
    connection = synced(streak, *PEOPLE)
    team = next(iter(streak.account.teams))
    row = streak.account.contacts[team][1]
    streak.account.delete_contact(row["key"])
    connection.sync()
    streak.account.contacts[team].append(row)
    streak.account.edit_team(team)  # so that the sandbox rebuilds its lists

    assert [one["key"] for one in connection.sync().live("contacts")] == [row["key"]]
    assert exact(connection)


def test_every_sync_lists_all_contacts_and_organizations_once(
    streak: Sandbox,
) -> None:
    streak.moods.v2_limit_cap = 4
    connection = synced(streak, *PEOPLE)
    row = streak.account.contacts[next(iter(streak.account.teams))][2]
    row["familyName"] = "Changed by Streak, which saved nothing"
    streak.account.edit_team(next(iter(streak.account.teams)))  # so that lists are rebuilt

    second = connection.sync()

    assert [one["key"] for one in second.live("contacts")] == [row["key"]]
    lists = [path for path in second.requests if path.endswith(PEOPLE)]
    assert len(lists) <= 3 + 2 + 2 * 2, "a page each for 4, and what ends a list"
    assert exact(connection)


# --- Names of custom fields and options -----------------------------------------------------------


def rename_field(streak: Sandbox, kind: str, team: str) -> None:
    streak.account.rename_team_field(kind, team, "1001", "Renamed")


def rename_option(streak: Sandbox, kind: str, team: str) -> None:
    streak.account.rename_team_option(kind, team, "1001", "9002", "Renamed")


def delete_field(streak: Sandbox, kind: str, team: str) -> None:
    streak.account.delete_team_field(kind, team, "1001")


def delete_field_with_values(streak: Sandbox, kind: str, team: str) -> None:
    streak.account.delete_team_field(kind, team, "1001", with_values=True)


@pytest.mark.parametrize("kind", PEOPLE)
@pytest.mark.parametrize(
    "change", [rename_field, rename_option, delete_field, delete_field_with_values]
)
def test_a_changed_custom_field_updates_its_contacts_or_organizations(
    streak: Sandbox, kind: str, change: Callable[[Sandbox, str, str], None]
) -> None:
    connection = synced(streak, *PEOPLE)
    change(streak, kind, next(iter(streak.account.teams)))

    second = connection.sync()

    assert second.live(kind)
    assert nothing_told(second)
    assert exact(connection)


# --- Leaving a team -------------------------------------------------------------------------------


def test_leaving_a_team_deletes_its_contacts_and_organizations_an_hour_later(
    streak: Sandbox,
) -> None:
    connection = synced(streak, *PEOPLE)
    team = list(streak.account.teams)[1]
    held = {kind: of_team(streak, kind, 1) for kind in PEOPLE}
    streak.account.leave_team(team)

    second, third = connection.sync(), connection.sync(HOUR)

    assert nothing_told(second)
    assert {kind: told(third, kind) for kind in PEOPLE} == {
        kind: [(key,) for key in keys] for kind, keys in held.items()
    }
    assert exact(connection)
    streak.account.rejoin_team(team)
    connection.sync()
    assert exact(connection)


def test_leaving_the_last_team_deletes_all_contacts_an_hour_later(streak: Sandbox) -> None:
    """No team or contact is left to serve as the control, so the API key's own user does."""
    connection = synced(streak, *PEOPLE)
    for team in list(streak.account.teams):
        streak.account.leave_team(team)

    second, third = connection.sync(), connection.sync(HOUR)

    assert nothing_told(second)
    assert len(told(third, "contacts")) == sum(map(len, streak.account.contacts.values()))
    assert exact(connection)


def test_a_team_that_is_back_an_hour_later_loses_nothing(streak: Sandbox) -> None:
    connection = synced(streak, *PEOPLE)
    team = list(streak.account.teams)[1]
    streak.account.leave_team(team)
    connection.sync()
    streak.account.rejoin_team(team)

    third = connection.sync(HOUR)

    assert not third.records["contacts"]
    assert exact(connection)


def test_the_last_contact_of_a_team_is_reported_deleted_an_hour_later(streak: Sandbox) -> None:
    """An empty list without a count is doubtful, but only for an hour."""
    connection = synced(streak, *PEOPLE)
    (gone,) = of_team(streak, "contacts", 1)
    streak.account.delete_contact(gone)

    assert nothing_told(connection.sync())
    assert told(connection.sync(HOUR), "contacts") == [(gone,)]
    assert exact(connection)


# --- Contacts before the start date ---------------------------------------------------------------


def test_a_later_start_date_neither_deletes_nor_requests_older_contacts(streak: Sandbox) -> None:
    connection = synced(streak, *PEOPLE)
    late = "2026-08-15"  # only the newest lie after it

    second = connection.sync(start_date=late)
    third = connection.sync(HOUR, start_date=late)

    for sync in (second, third):
        assert nothing_told(sync)
        assert not sync.records["contacts"]
        assert not [path for path in sync.requests if path.startswith("v2/contacts/")]
        assert not said(sync, "missing at once")


def test_a_deleted_contact_before_the_start_date_is_reported_in_its_recheck_slot(
    streak: Sandbox,
) -> None:
    connection = synced(streak, *PEOPLE, recheck_days=3)
    gone = of_team(streak, "contacts")[0]
    connection.sync(start_date="2026-08-15")
    streak.account.delete_contact(gone)

    later = [connection.sync(DAY, start_date="2026-08-15") for _ in range(3)]

    assert [key for sync in later for key in told(sync, "contacts")] == [(gone,)]


# --- A pipeline deleted, or no longer shown to the key --------------------------------------------


def delete_emptied_first(streak: Sandbox) -> None:
    streak.account.empty_pipeline(pipeline(streak, SUPPORT))
    streak.account.delete_emptied_pipeline(pipeline(streak, SUPPORT))


def delete_with_its_boxes(streak: Sandbox) -> None:
    streak.account.delete_pipeline(pipeline(streak, SUPPORT))


def hide(streak: Sandbox) -> None:
    streak.account.hide_pipeline(pipeline(streak, SUPPORT))


def hide_by_404(streak: Sandbox) -> None:
    hide(streak)
    streak.moods.hidden_is_404 = True


@pytest.mark.parametrize("go", [delete_emptied_first, delete_with_its_boxes, hide, hide_by_404])
def test_a_deleted_or_hidden_pipeline_deletes_its_boxes_an_hour_later(
    streak: Sandbox, go: Callable[[Sandbox], None]
) -> None:
    box = a_box_with_everything(streak, SUPPORT)
    connection = synced(streak, *OF_BOXES)
    held = boxes_of(streak, SUPPORT)
    go(streak)

    second, third = connection.sync(), connection.sync(HOUR)

    assert nothing_told(second)
    assert told(third, "boxes") == told(third, TABLE) == sorted((key,) for key in held)
    assert all(
        (box, 2) == (box, len([key for key in told(third, name) if key[0] == box]))
        for name in CHILDREN
    )
    assert not [path for path in third.requests if path.startswith("v1/boxes/")], (
        "no box was asked for"
    )
    assert exact(connection)


def test_boxes_moved_out_of_a_deleted_pipeline_are_deleted_from_its_table_only(
    streak: Sandbox,
) -> None:
    connection = synced(streak, *OF_BOXES)
    streak.account.empty_pipeline(pipeline(streak, SUPPORT), into=pipeline(streak, HIRING))
    streak.account.delete_emptied_pipeline(pipeline(streak, SUPPORT))

    second = connection.sync()

    assert not told(second, "boxes")
    assert len(told(second, TABLE)) == len(second.live("boxes_hiring_bewerbungen"))
    assert exact(connection)


def test_a_pipeline_that_comes_back_is_delivered_again_with_children(streak: Sandbox) -> None:
    a_box_with_everything(streak, SUPPORT)
    connection = synced(streak, *OF_BOXES)
    hide(streak)
    connection.sync()
    connection.sync(HOUR)
    streak.account.show_pipeline(pipeline(streak, SUPPORT))

    connection.sync()

    assert exact(connection)
    assert any(
        key[0] in boxes_of(streak, SUPPORT) for key in connection.destination.rows("box_files")
    )


def test_a_pipeline_that_is_missing_for_less_than_an_hour_loses_nothing(streak: Sandbox) -> None:
    connection = synced(streak, *OF_BOXES)
    for hours in (0.0, 0.9):
        hide(streak)
        assert nothing_told(connection.sync(hours))
    streak.account.show_pipeline(pipeline(streak, SUPPORT))

    fourth = connection.sync()

    assert not any(fourth.records.values())
    assert exact(connection)


def test_a_pipeline_that_goes_missing_and_comes_back_repeatedly_loses_nothing(
    streak: Sandbox,
) -> None:
    """The hour starts again each time the pipeline goes missing."""
    connection = synced(streak, *OF_BOXES)
    for _ in range(3):
        hide(streak)
        assert nothing_told(connection.sync(HOUR))
        streak.account.show_pipeline(pipeline(streak, SUPPORT))
        assert nothing_told(connection.sync(HOUR))


def test_an_unlisted_pipeline_that_answers_by_key_loses_nothing(streak: Sandbox) -> None:
    connection = synced(streak, *OF_BOXES)
    key = pipeline(streak, SUPPORT)
    row = streak.account.pipelines[key]
    listed = {name: one for name, one in streak.account.pipelines.items() if name != key}
    everything = streak.account.visible
    streak.account.visible = lambda rows: everything(listed if key in rows else rows)  # type: ignore[method-assign]

    assert nothing_told(connection.sync())
    third = connection.sync(HOUR)

    assert nothing_told(third)
    assert asked(third, key) == 1
    assert row["key"] == key


def test_boxes_of_a_deleted_pipeline_are_looked_up_while_another_list_is_refused(
    streak: Sandbox,
) -> None:
    """The boxes may have moved to the refused pipeline."""
    connection = synced(streak, *OF_BOXES)
    streak.moods.refused_pipelines = {pipeline(streak, HIRING)}
    held = boxes_of(streak, SUPPORT)
    streak.account.delete_pipeline(pipeline(streak, SUPPORT))

    connection.sync()
    third = connection.sync(HOUR)

    assert told(third, "boxes") == sorted((key,) for key in held)
    assert {asked(third, key) for key in held} == {2}
    streak.moods.refused_pipelines = set()
    connection.sync()
    assert exact(connection)


def test_deleting_every_pipeline_deletes_every_box(streak: Sandbox) -> None:
    connection = synced(streak, "boxes", *CHILDREN)
    for key in list(streak.account.pipelines):
        streak.account.delete_pipeline(key)

    assert nothing_told(connection.sync())
    connection.sync(HOUR)

    assert not connection.destination.rows("boxes")
    assert exact(connection)


def test_the_state_drops_the_ledger_of_a_deleted_pipeline(streak: Sandbox) -> None:
    """Also the ledger of a stream without rows of that pipeline."""
    key = streak.account.add_pipeline("Without children", boxes=3)["key"]
    connection = synced(streak, *OF_BOXES)
    assert all(key in connection.state(name)["ledgers"] for name in ("boxes", *CHILDREN))
    streak.account.delete_pipeline(key)

    for hours in (0.0, HOUR, 0.0):
        connection.sync(hours)

    for name in ("boxes", *CHILDREN):
        assert key not in str(connection.state(name))


# --- A table whose pipeline was deleted -----------------------------------------------------------


def test_a_table_whose_pipeline_was_deleted_deletes_its_rows_without_an_error(
    streak: Sandbox,
) -> None:
    connection = synced(streak, TABLE)
    held = boxes_of(streak, SUPPORT)
    delete_with_its_boxes(streak)

    second, third = connection.sync(), connection.sync(HOUR)

    assert second.ok
    assert third.ok
    assert nothing_told(second)
    assert told(third, TABLE) == sorted((key,) for key in held)
    assert said(third, "no longer exists")
    assert exact(connection)


def test_a_table_whose_pipeline_was_deleted_fails_without_a_state(
    streak: Sandbox,
) -> None:
    new = Connection(streak, TABLE)
    delete_with_its_boxes(streak)

    assert "no longer exists" in new.sync().failed[TABLE]


def test_a_table_taken_over_by_a_new_pipeline_deletes_the_old_pipelines_rows(
    streak: Sandbox,
) -> None:
    """For example, after a schema refresh: a new pipeline has the old one's name."""
    connection = synced(streak, TABLE)
    held = boxes_of(streak, SUPPORT)
    streak.account.edit_pipeline(pipeline(streak, SUPPORT), name="Old")
    streak.account.add_pipeline(SUPPORT, boxes=2)
    connection.streams = Connection(streak, TABLE).streams

    second = connection.sync()

    assert told(second, TABLE) == sorted((key,) for key in held)
    assert exact(connection)


def test_a_renamed_pipeline_keeps_filling_its_table(streak: Sandbox) -> None:
    connection = synced(streak, TABLE)
    streak.account.edit_pipeline(pipeline(streak, SUPPORT), name="Another name")
    streak.account.delete_box(boxes_of(streak, "Another name")[0])

    second = connection.sync()

    assert second.ok
    assert len(told(second, TABLE)) == 1
    assert exact(connection)


def test_a_table_reports_no_deletions_of_other_pipelines(streak: Sandbox) -> None:
    connection = synced(streak, TABLE)
    streak.account.delete_box(boxes_of(streak, SALES)[0])

    assert nothing_told(connection.sync())


def test_a_retired_organizations_endpoint_does_not_fail_contacts(streak: Sandbox) -> None:
    """Although both share the state limit."""
    streak.fault("v2/teams/*/organizations", "status", status=410, times=None)

    sync = Connection(streak, "contacts", "organizations").sync()

    assert sync.failed.keys() - {""} == {"organizations"}
    assert sync.live("contacts")
