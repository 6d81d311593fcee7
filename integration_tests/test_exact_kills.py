"""A sync killed after any message and then resumed forgets no deletion and invents none.

Each test reads a sync to its end and cuts its output after each message, as if killed there. The
next sync starts from the last states before the cut. Of the killed sync, the destination keeps all
rows, or only those that a state covers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from copy import copy
from typing import Any

import pytest
from connection import Connection, Sync
from destination import DELETED_AT, Destination, differences
from exact import CHILDREN, HIRING, HOUR, KINDS, SUPPORT, a_box_with_everything, boxes_of, pipeline
from quick import QuickClock
from streak_sandbox import Sandbox

STREAMS = ("boxes", "boxes_sales", "boxes_support", "box_field_values", "box_stage_history")
STREAMS += ("box_comments", "box_tasks", "contacts", "organizations")


class RestlessClock(QuickClock):
    """Time passes at each look, so that a state comes between any two records."""

    def monotonic(self) -> float:
        self._mine.slept = self._slept + 0.2
        return super().monotonic()


@pytest.fixture
def streak(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(boxes=16) as sandbox:
        yield sandbox


# --- Changes before and after the kill ------------------------------------------------------------


class Scene:
    """One change of every kind: boxes and rows deleted, moved, cleared, added and edited."""

    def __init__(self, streak: Sandbox) -> None:
        self.streak, self.account = streak, streak.account
        self.deleted, self.moved, self.edited = (a_box_with_everything(streak) for _ in range(3))
        self.listed = boxes_of(streak)[5]
        self.rows: list[dict[str, Any]] = []
        self.children: dict[str, list[dict[str, Any]]] = {}

    def happen(self) -> None:
        account, streak = self.account, self.streak
        self.rows.append(dict(account.boxes[self.deleted]))
        for kind in KINDS:
            self.children[kind] = [dict(row) for row in account.children[kind][self.deleted]]
        account.delete_box(self.deleted)
        account.move_box(self.moved, pipeline(streak, SUPPORT))
        account.delete_comment(self.edited, account.comments[self.edited][0]["key"])
        account.edit_box(self.edited, fields={"1001": None}, name="Edited")
        account.add_task(self.edited, "one more")
        account.add_comment(account.add_box(pipeline(streak), "New")["key"], "new")
        team = next(iter(account.teams))
        self.contact = account.contacts[team][1]
        account.delete_contact(self.contact["key"])
        account.add_organization(team, name="New")
        account.archive_box(self.listed)

    def nothing(self) -> None:
        pass

    def undo(self) -> None:
        """Restore what was deleted, and move back what was moved."""
        account = self.account
        account.put_box(dict(self.rows[0]))
        for kind, rows in self.children.items():
            account.children[kind].keep(self.deleted)[:] = rows
        account.move_box(self.moved, pipeline(self.streak))
        account.edit_box(self.edited, fields={"1001": "a value"}, name="Everything")
        account.contacts[self.contact["teamKey"]].append(self.contact)
        account.unarchive_box(self.listed)

    def go_on(self) -> None:
        """Delete what was changed, and what was added before any sync has seen it."""
        account = self.account
        account.delete_box(self.edited)
        account.delete_box(self.moved)
        account.delete_box(account.boxes_of(pipeline(self.streak))[-1]["key"])
        account.delete_organization(account.organizations[self.contact["teamKey"]][-1]["key"])

    def move_on(self) -> None:
        account = self.account
        account.move_box(self.moved, pipeline(self.streak, HIRING))
        account.move_box(self.edited, pipeline(self.streak, HIRING))
        account.delete_comment(self.edited, account.comments[self.edited][0]["key"])


# --- The cuts -------------------------------------------------------------------------------------


def cuts(sync: Sync) -> dict[int, list[int]]:
    """Message counts to cut the output at, by the number of STATE messages before the cut."""
    found: dict[int, list[int]] = defaultdict(list)
    states = 0
    for count, message in enumerate(sync.messages):
        found[states].append(count)
        states += message.state is not None
    found[states].append(len(sync.messages))
    return found


def survives_every_kill(connection: Connection, killed: Sync, hours: float = 0.0) -> int:
    """Assert that resuming is exact wherever `killed` is cut. Returns the number of cuts."""
    right, before, count = connection.whole(), dict(connection.states), 0
    alive = {name: right.rows(name).keys() for name in connection.names}
    for places in cuts(killed).values():
        connection.states = before | killed.until(places[0]).states()
        resumed = [connection.read(hours)]
        connection.states |= resumed[0].states()
        if hours:
            resumed.append(connection.read(hours))
        for sync in resumed:
            assert sync.ok, sync.failed
            for name in connection.names:
                table = connection.destination.keys.get(name, ["box_key"])
                gone = {tuple(row[column] for column in table) for row in sync.deleted(name)}
                assert not gone & alive[name], "a deletion was invented"
        for place in places:
            cut = killed.until(place)
            for arrived in (cut, cut.covered()):
                assert not wrong(connection, [arrived, *resumed], right), f"killed after {place}"
                count += 1
    connection.states = before
    return count


def wrong(connection: Connection, syncs: list[Sync], right: Destination) -> list[object]:
    destination = copy(connection.destination)
    destination.tables = defaultdict(dict)
    for name, table in connection.destination.tables.items():
        destination.tables[name] = dict(table)
    for sync in syncs:
        for name, records in sync.records.items():
            destination.take(name, records)
    archived = connection.streak.account.archived
    found = differences(destination, right, connection.names)
    return [one for one in found if not (one.kind == "left behind" and one.key[0] in archived)]


@pytest.mark.parametrize("later", ["nothing", "undo", "go_on", "move_on"])
def test_a_sync_killed_at_any_message_is_exact_once_it_is_resumed(
    streak: Sandbox, later: str
) -> None:
    scene = Scene(streak)
    connection = Connection(streak, *STREAMS, clock=RestlessClock)
    connection.sync()
    scene.happen()
    killed = connection.read()
    assert [row for name in killed.records for row in killed.records[name] if row.get(DELETED_AT)]
    getattr(scene, later)()

    assert survives_every_kill(connection, killed) > 100


@pytest.mark.parametrize("later", ["nothing", "happen"])
def test_a_first_sync_killed_at_any_message_is_exact_once_it_is_resumed(
    streak: Sandbox, later: str
) -> None:
    scene = Scene(streak)
    streams = ("boxes", "boxes_sales", "box_field_values", "box_comments")
    connection = Connection(streak, *streams, clock=RestlessClock)
    killed = connection.read()
    getattr(scene, later)()

    assert survives_every_kill(connection, killed) > 100


@pytest.mark.parametrize("later", ["show_pipeline", "hide_pipeline"])
def test_a_sync_that_deletes_a_whole_pipeline_survives_a_kill_at_any_message(
    streak: Sandbox, later: str
) -> None:
    """The pipeline may be back before the next sync."""
    a_box_with_everything(streak, SUPPORT)
    connection = Connection(streak, "boxes", "box_field_values", *CHILDREN, clock=RestlessClock)
    connection.sync()
    key = pipeline(streak, SUPPORT)
    streak.account.hide_pipeline(key)
    connection.sync()
    killed = connection.read(HOUR)
    assert killed.deleted("boxes")
    getattr(streak.account, later)(key)

    assert survives_every_kill(connection, killed, hours=HOUR)
