"""The CRM in memory, and everything that can happen to it.

Objects are plain dicts as the API answers them. Read them freely; change them through the methods, which move
counters and stamps as Streak is thought to (API notes, section 19), and which any thread may call while the sandbox
serves.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from . import keys, objects
from .objects import CHILD_KINDS, TALLIES, Row

Method = TypeVar("Method", bound=Callable[..., Any])

# Children added later get numbers from here on, far from those of the untouched ones (1, 2, 3, …).
FIRST_ADDED_CHILD = 500_000


def change(method: Method) -> Method:
    """Marks a method that changes the account: one at a time, and remembered orders are forgotten."""

    @functools.wraps(method)
    def locked(account: Account, *args: Any, **kwargs: Any) -> Any:
        with account.lock:
            account._orders.clear()
            return method(account, *args, **kwargs)

    return locked  # type: ignore[return-value]


def wall_clock() -> int:
    """Now in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Children(Mapping[str, list[Row]]):
    """The rows of one kind by box key. Rows of a box that nobody has touched are made anew at each asking."""

    def __init__(self, kind: str, boxes: dict[str, Row]) -> None:
        self._kind, self._boxes = kind, boxes
        self._kept: dict[str, list[Row]] = {}

    def __getitem__(self, box_key: str) -> list[Row]:
        if box_key in self._kept:
            return self._kept[box_key]
        return objects.untouched_children(self._kind, self._boxes[box_key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._boxes)

    def __len__(self) -> int:
        return len(self._boxes)

    def keep(self, box_key: str) -> list[Row]:
        """The rows of a box that is about to be changed: from now on they are held."""
        return self._kept.setdefault(box_key, self[box_key])

    def forget(self, box_key: str) -> None:
        self._kept.pop(box_key, None)


class Account:
    """What one API key can see. New, it holds nothing but the key's own user."""

    def __init__(self, clock: Callable[[], int] = wall_clock) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        me = objects.user(1, "ada@example.com", "Ada Example")
        self.my_key: str = me["key"]
        self.users: dict[str, Row] = {me["key"]: me}
        self.teams: dict[str, Row] = {}
        self.pipelines: dict[str, Row] = {}  # as v2 has them; objects.pipeline_as_v1 gives the other face
        self.boxes: dict[str, Row] = {}
        self.children: dict[str, Children] = {kind: Children(kind, self.boxes) for kind in CHILD_KINDS}
        self.contacts: dict[str, list[Row]] = {}  # by team
        self.organizations: dict[str, list[Row]] = {}  # by team
        self.snippets: list[Row] = []
        self.newsfeed: dict[str, list[Row]] = {}  # by pipeline, oldest first
        self._boxes_of: dict[str, dict[str, Row]] = {}  # by pipeline
        self._orders: dict[Any, list[Row]] = {}
        self._last_number = 0
        self._latest = objects.TODAY

    # --- reading ----------------------------------------------------------------------------------------------------

    @property
    def me(self) -> Row:
        return self.users[self.my_key]

    @property
    def comments(self) -> Children:
        return self.children["comments"]

    @property
    def meetings(self) -> Children:
        return self.children["meetings"]

    @property
    def tasks(self) -> Children:
        return self.children["tasks"]

    @property
    def threads(self) -> Children:
        return self.children["threads"]

    @property
    def files(self) -> Children:
        return self.children["files"]

    def boxes_of(self, pipeline_key: str) -> list[Row]:
        """The boxes of one pipeline, in the order they came into it."""
        return list(self._boxes_of.get(pipeline_key, {}).values())

    def all(self, kind: str) -> Iterator[tuple[Row, Row]]:
        """(box, row) for every comment, meeting, task, thread or file there is."""
        for box in list(self.boxes.values()):
            for row in self.children[kind][box["key"]]:
                yield box, row

    def pipeline_named(self, name: str) -> Row:
        return next(row for row in self.pipelines.values() if row["name"] == name)

    def ordered(self, name: Any, make: Callable[[], list[Row]]) -> list[Row]:
        """A sorted list, remembered until something changes: a list of 100,000 is read in 200 pages."""
        with self.lock:
            if name not in self._orders:
                self._orders[name] = make()
            return self._orders[name]

    def child(self, kind: str, key: str) -> Row | None:
        """One comment, meeting, task, thread or file by its own key."""
        box_key = keys.box_of_child(key)
        rows = self.children[kind][box_key] if box_key in self.boxes else []
        return next((row for row in rows if row["key"] == key), None)

    def number(self) -> int:
        """A number that no other object of this account has."""
        self._last_number += 1
        return self._last_number

    def now(self) -> int:
        """Now in epoch milliseconds, but never the same twice and never before what was seeded."""
        self._latest = max(self._latest + 1, self.clock())
        return self._latest

    # --- people -----------------------------------------------------------------------------------------------------

    @change
    def add_user(self, email: str, full_name: str, **properties: Any) -> Row:
        row = objects.user(len(self.users) + 1, email, full_name) | properties
        return self.users.setdefault(row["key"], row)

    @change
    def add_team(self, name: str, member_keys: list[str] | None = None, **properties: Any) -> Row:
        """A team of the users named; of the key's own user if none are."""
        now = self.now()
        people = [self.users[key] for key in member_keys or [self.my_key]]
        members = [objects.member(person, "Member" if place else "Owner", invited=now) for place, person in enumerate(people)]
        row = objects.team(len(self.teams) + 1, name, members, created=now) | properties
        self.contacts[row["key"]], self.organizations[row["key"]] = [], []
        return self.teams.setdefault(row["key"], row)

    @change
    def add_contact(self, team_key: str, **properties: Any) -> Row:
        row = objects.contact(self.number(), team_key, self.my_key, self.now()) | properties
        self.contacts[team_key].append(row)
        return row

    @change
    def edit_contact(self, contact_key: str, **properties: Any) -> Row:
        row = self.directory_entry("contacts", contact_key)
        now = self.now()
        row.update({"versionTimestamp": now, "lastSavedTimestamp": now} | properties)
        return row

    @change
    def delete_contact(self, contact_key: str) -> None:
        row = self.directory_entry("contacts", contact_key)
        self.contacts[row["teamKey"]].remove(row)

    @change
    def add_organization(self, team_key: str, **properties: Any) -> Row:
        row = objects.organization(self.number(), team_key, self.my_key, self.now()) | properties
        self.organizations[team_key].append(row)
        return row

    @change
    def edit_organization(self, organization_key: str, **properties: Any) -> Row:
        row = self.directory_entry("organizations", organization_key)
        now = self.now()
        row.update({"versionTimestamp": now, "lastSavedTimestamp": now} | properties)
        return row

    def directory_entry(self, kind: str, key: str) -> Row:
        """A contact or organization by its key; KeyError if there is none."""
        for rows in getattr(self, kind).values():
            for row in rows:
                if row["key"] == key:
                    return row
        raise KeyError(key)

    # --- pipelines --------------------------------------------------------------------------------------------------

    @change
    def add_pipeline(
        self,
        name: str,
        boxes: int = 0,
        fields: tuple[Row, ...] | list[Row] = (),
        stages: tuple[str, ...] | list[str] = ("Lead", "Talking", "Won", "Lost"),
        **properties: Any,
    ) -> Row:
        """A pipeline with so many plain boxes; `fields` as objects.field() makes them, `stages` by their names."""
        team_key = next(iter(self.teams), None)
        row = objects.pipeline(self.number(), name, self.me, team_key, self.now())
        row["fields"] = list(fields)
        row["stages"] = {str(5001 + place): objects.stage(str(5001 + place), label) for place, label in enumerate(stages)}
        row["stageOrder"] = list(row["stages"])
        row.update(properties)
        self.pipelines[row["key"]] = row
        self._boxes_of[row["key"]], self.newsfeed[row["key"]] = {}, []
        for place in range(boxes):
            self.add_box(row["key"], f"{name} {place + 1}")
        return row

    @change
    def edit_pipeline(self, pipeline_key: str, **properties: Any) -> Row:
        row = self.pipelines[pipeline_key]
        row.update(self._stamps() | properties)
        return row

    @change
    def delete_pipeline(self, pipeline_key: str) -> None:
        """With all its boxes, as the old documentation says."""
        for box in self.boxes_of(pipeline_key):
            self.delete_box(box["key"])
        del self.pipelines[pipeline_key], self._boxes_of[pipeline_key]
        self.newsfeed.pop(pipeline_key, None)

    @change
    def rename_stage(self, pipeline_key: str, stage_key: str, name: str) -> Row:
        """Moves the pipeline's stamps, and nothing on its boxes."""
        self.edit_pipeline(pipeline_key)
        stage = self.pipelines[pipeline_key]["stages"][stage_key]
        stage["name"] = name
        return stage

    @change
    def add_field(self, pipeline_key: str, name: str, kind: str = "TEXT_INPUT", options: tuple[str, ...] | list[str] = ()) -> Row:
        fields = self.edit_pipeline(pipeline_key)["fields"]
        number = max((int(row["key"]) for row in fields), default=1000) + 1
        fields.append(objects.field(str(number), name, kind, tuple(options)))
        return fields[-1]

    @change
    def rename_field(self, pipeline_key: str, field_key: str, name: str) -> Row:
        fields = self.edit_pipeline(pipeline_key)["fields"]
        row = next(row for row in fields if row["key"] == field_key)
        row.update(name=name, lastUpdatedTimestamp=self.now())
        return row

    @change
    def delete_field(self, pipeline_key: str, field_key: str) -> None:
        """The values stay on the boxes, now without a definition."""
        row = self.edit_pipeline(pipeline_key)
        row["fields"] = [field for field in row["fields"] if field["key"] != field_key]

    # --- boxes ------------------------------------------------------------------------------------------------------

    @change
    def add_box(self, pipeline_key: str, name: str, **properties: Any) -> Row:
        box = objects.box(self.number(), name, self.pipelines[pipeline_key], self.me, self.now()) | properties
        box["stageHistoryEntries"][0]["stageKey"] = box["stageKey"]
        self.put_box(box)
        self._tell(box, "NEW_BOX")
        return box

    @change
    def put_box(self, box: Row) -> None:
        """Takes a box in just as it is, without any news of it."""
        self.boxes[box["key"]] = box
        self._boxes_of[box["pipelineKey"]][box["key"]] = box
        self._count(box, +1)

    @change
    def edit_box(self, box_key: str, **properties: Any) -> Row:
        """Sets properties; a value of None takes one away. `fields` changes only the fields it names.

        Both stamps move, unless they are among the properties.
        """
        box = self.boxes[box_key]
        stamps = self._stamps()
        if properties.get("stageKey", box["stageKey"]) != box["stageKey"]:
            self._enter_stage(box, properties["stageKey"], stamps["lastUpdatedTimestamp"])
        if "fields" in properties:
            properties["fields"] = _without_none(box["fields"] | properties["fields"])
        _update(box, stamps | properties)
        return box

    @change
    def move_box(self, box_key: str, pipeline_key: str, **properties: Any) -> Row:
        """To another pipeline under the same key, into a stage that exists there."""
        box = self.boxes[box_key]
        stages = self.pipelines[pipeline_key]["stageOrder"]
        self._count(box, -1)
        del self._boxes_of[box["pipelineKey"]][box_key]
        box["pipelineKey"] = pipeline_key
        if box["stageKey"] not in stages:
            box["stageKey"] = stages[0]
        self._boxes_of[pipeline_key][box_key] = box
        self._count(box, +1)
        for kind in CHILD_KINDS:
            for row in self.children[kind].keep(box_key):
                if "pipelineKey" in row:
                    row["pipelineKey"] = pipeline_key
        _update(box, self._stamps() | properties)
        return box

    @change
    def delete_box(self, box_key: str) -> None:
        box = self.boxes.pop(box_key)
        del self._boxes_of[box["pipelineKey"]][box_key]
        self._count(box, -1)
        for kind in CHILD_KINDS:
            self.children[kind].forget(box_key)

    @change
    def drift(self) -> None:
        """A day in which nobody does anything: what Streak reckons anew by itself changes, and no stamp does."""
        for box in self.boxes.values():
            if "freshness" in box:
                box["freshness"] = round(box["freshness"] * 0.97, 6)
            for entry in box.get("stageHistoryEntries", [])[-1:]:
                entry["timeInStageMs"] += objects.DAY
            if "totalNumberOfSentEmailsViews" in box:
                box["totalNumberOfSentEmailsViews"] += 1

    # --- what hangs on a box ----------------------------------------------------------------------------------------

    @change
    def add_comment(self, box_key: str, message: str, **properties: Any) -> Row:
        box, number, now = self.boxes[box_key], self._child_number(), self.now()
        return self._add_child("comments", objects.comment(box, number, self.my_key, now, message) | properties)

    @change
    def add_meeting(self, box_key: str, notes: str = "", **properties: Any) -> Row:
        """A call log, unless meetingType says something else."""
        box, number, now = self.boxes[box_key], self._child_number(), self.now()
        self._tell(box, "ADD_MEETING", MEETING_NOTES=notes)
        return self._add_child("meetings", objects.meeting(box, number, self.my_key, now, notes, **properties))

    @change
    def add_task(self, box_key: str, text: str = "Call back", **properties: Any) -> Row:
        box, number, now = self.boxes[box_key], self._child_number(), self.now()
        self._tell(box, "ADD_TASK", TASK_TEXT=text)
        return self._add_child("tasks", objects.task(box, number, objects.user_brief(self.me), now, text, **properties))

    @change
    def add_thread(self, box_key: str, subject: str = "Offer", **properties: Any) -> Row:
        box, number, now = self.boxes[box_key], self._child_number(), self.now()
        row = objects.thread(box, number, now, subject, "buyer@example.org") | {"creatorKey": self.my_key}
        return self._add_child("threads", row | properties)

    @change
    def add_file(self, box_key: str, name: str = "offer.pdf", **properties: Any) -> Row:
        box, number, now = self.boxes[box_key], self._child_number(), self.now()
        return self._add_child("files", objects.file(box, number, self.my_key, now, name) | properties)

    @change
    def edit_comment(self, box_key: str, comment_key: str, message: str) -> Row:
        return self.edit_child("comments", box_key, comment_key, message=message)

    @change
    def delete_comment(self, box_key: str, comment_key: str) -> None:
        self.delete_child("comments", box_key, comment_key)

    @change
    def edit_child(self, kind: str, box_key: str, key: str, **properties: Any) -> Row:
        """Moves the row's own stamp. The box hears of it only if a counter or stamp it holds is another now."""
        row = next(row for row in self.children[kind].keep(box_key) if row["key"] == key)
        row.update({"lastSavedTimestamp": self.now()} | properties)
        box = self.boxes[box_key]
        before = dict(box)
        self._recount(box, kind)
        if box != before:
            box["lastSavedTimestamp"] = self.now()
        return row

    @change
    def delete_child(self, kind: str, box_key: str, key: str) -> None:
        rows = self.children[kind].keep(box_key)
        rows.remove(next(row for row in rows if row["key"] == key))
        self._child_changed(kind, box_key)

    @change
    def put_children(self, kind: str, box_key: str, rows: list[Row]) -> None:
        """Takes rows in just as they are; the box's counters follow, its own stamps do not."""
        self.children[kind].keep(box_key).extend(rows)
        self._recount(self.boxes[box_key], kind)

    def _add_child(self, kind: str, row: Row) -> Row:
        self.children[kind].keep(row["boxKey"]).append(row)
        self._child_changed(kind, row["boxKey"])
        return row

    def _child_changed(self, kind: str, box_key: str) -> None:
        """A child that comes or goes moves the box's counters and lastSavedTimestamp, not lastUpdatedTimestamp (19)."""
        box = self.boxes[box_key]
        self._recount(box, kind)
        box["lastSavedTimestamp"] = self.now()

    def _recount(self, box: Row, kind: str) -> None:
        _update(box, TALLIES[kind](self.children[kind][box["key"]]))

    # --- helpers ----------------------------------------------------------------------------------------------------

    def _child_number(self) -> int:
        return FIRST_ADDED_CHILD + self.number()

    def _stamps(self) -> Row:
        now = self.now()
        return {"lastUpdatedTimestamp": now, "lastSavedTimestamp": now}

    def _count(self, box: Row, step: int) -> None:
        pipeline = self.pipelines[box["pipelineKey"]]
        pipeline["boxCount"] += step
        if box["stageKey"] in pipeline["stages"]:
            pipeline["stages"][box["stageKey"]]["boxCount"] += step

    def _enter_stage(self, box: Row, stage_key: str, now: int) -> None:
        self._count(box, -1)
        box["stageKey"] = stage_key
        box["lastStageChangeTimestamp"] = now
        # The last entry of each stage is kept, not every one.
        others = [entry for entry in box.get("stageHistoryEntries", []) if entry["stageKey"] != stage_key]
        entered = {"stageKey": stage_key, "lastEntryToStageTs": now, "timeInStageMs": 0}
        box["stageHistoryEntries"] = [*others, entered]
        self._count(box, +1)
        self._tell(box, "EDIT_STAGE", STAGE_KEY=stage_key)

    def _tell(self, box: Row, specific: str, **variables: str) -> None:
        """Puts an event into the pipeline's newsfeed."""
        known = {"BOX_NAME": box["name"], "STORY_AUTHOR_DISPLAY_NAME": self.me["displayName"]}
        item = objects.event(self.number(), box["pipelineKey"], self.my_key, self.now(), specific, **known | variables)
        self.newsfeed[box["pipelineKey"]].append(item | {"boxKey": box["key"]})


def _update(row: Row, properties: Row) -> None:
    """Sets properties; v1 omits what has no value, so None takes a property away."""
    for name, value in properties.items():
        if value is None:
            row.pop(name, None)
        else:
            row[name] = value


def _without_none(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}
