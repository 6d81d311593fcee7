"""The CRM in memory: what it holds, how it is read, and the clock by which it changes.

Objects are plain dicts as the API answers them. account.py has what can happen to them.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from . import keys, objects, timelines
from .objects import CHILD_KINDS, Row

Method = TypeVar("Method", bound=Callable[..., Any])


def change(method: Method) -> Method:
    """A method that changes the account: one at a time, and it clears the remembered orders."""

    @functools.wraps(method)
    def locked(account: Crm, *args: Any, **kwargs: Any) -> Any:
        with account.lock:
            account._orders.clear()
            return method(account, *args, **kwargs)

    return locked  # type: ignore[return-value]


def wall_clock() -> int:
    """Now in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class OfBoxes(Mapping[str, list[Any]]):
    """Lists by box key. The list of an untouched box is made again on each access."""

    def __init__(self, boxes: dict[str, Row], make: Callable[[Row], list[Any]]) -> None:
        self._boxes, self._make = boxes, make
        self._kept: dict[str, list[Any]] = {}

    def __getitem__(self, box_key: str) -> list[Any]:
        if box_key in self._kept:
            return self._kept[box_key]
        return self._make(self._boxes[box_key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._boxes)

    def __len__(self) -> int:
        return len(self._boxes)

    def keep(self, box_key: str) -> list[Any]:
        """The list of a box that is about to change. It is kept in memory from now on."""
        return self._kept.setdefault(box_key, self[box_key])

    def forget(self, box_key: str) -> None:
        self._kept.pop(box_key, None)


class Crm:
    """What one API key can see. A new one holds only the key's own user."""

    def __init__(self, clock: Callable[[], int] = wall_clock) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        me = objects.user(1, "ada@example.com", "Ada Example")
        self.my_key: str = me["key"]
        self.users: dict[str, Row] = {me["key"]: me}
        self.teams: dict[str, Row] = {}
        self.pipelines: dict[
            str, Row
        ] = {}  # as v2 has them; objects.pipeline_as_v1 gives the other shape
        self.boxes: dict[str, Row] = {}  # archived ones too
        self.children: dict[str, OfBoxes] = {kind: self._children(kind) for kind in CHILD_KINDS}
        self.changes = OfBoxes(self.boxes, timelines.untouched)  # timelines.Entry, oldest first
        self.contacts: dict[str, list[Row]] = {}  # by team
        self.organizations: dict[str, list[Row]] = {}  # by team
        self.snippets: list[Row] = []
        self.newsfeed: dict[str, list[Row]] = {}  # by pipeline, oldest first
        self.hidden: set[str] = (
            set()
        )  # teams and pipelines that exist, and that this API key cannot see
        self.archived: dict[
            str, bool
        ] = {}  # boxes that are in no list; True: boxCount still counts them
        self.merged: dict[str, str] = {}  # merged key -> key of what it was merged into
        self._boxes_of: dict[str, dict[str, Row]] = {}  # by pipeline, those that its list shows
        self._orders: dict[Any, list[Row]] = {}
        self._last_number = 0
        self._latest = objects.TODAY

    def _children(self, kind: str) -> OfBoxes:
        return OfBoxes(self.boxes, functools.partial(objects.untouched_children, kind))

    # --- reading ----------------------------------------------------------------------------------

    @property
    def me(self) -> Row:
        return self.users[self.my_key]

    @property
    def comments(self) -> OfBoxes:
        return self.children["comments"]

    @property
    def meetings(self) -> OfBoxes:
        return self.children["meetings"]

    @property
    def tasks(self) -> OfBoxes:
        return self.children["tasks"]

    @property
    def threads(self) -> OfBoxes:
        return self.children["threads"]

    @property
    def files(self) -> OfBoxes:
        return self.children["files"]

    def boxes_of(self, pipeline_key: str) -> list[Row]:
        """The boxes that a pipeline's list shows, in the order in which they came into it."""
        return list(self._boxes_of.get(pipeline_key, {}).values())

    def all(self, kind: str) -> Iterator[tuple[Row, Row]]:
        """(box, row) for every comment, meeting, task, thread or file there is."""
        for box in list(self.boxes.values()):
            for row in self.children[kind][box["key"]]:
                yield box, row

    def pipeline_named(self, name: str) -> Row:
        return next(row for row in self.pipelines.values() if row["name"] == name)

    def visible(self, rows: dict[str, Row]) -> list[Row]:
        """The teams or pipelines that this API key can see."""
        return [row for key, row in rows.items() if key not in self.hidden]

    def ordered(self, name: Any, make: Callable[[], list[Row]]) -> list[Row]:
        """A sorted list, kept until something changes: 100,000 rows are read in 200 pages."""
        with self.lock:
            if name not in self._orders:
                self._orders[name] = make()
            return self._orders[name]

    def child(self, kind: str, key: str) -> Row | None:
        """One comment, meeting, task, thread or file by its own key."""
        box_key = self.kept_key(keys.box_of_child(key) or "")
        rows = self.children[kind][box_key] if box_key in self.boxes else []
        return next((row for row in rows if row["key"] == key), None)

    def directory_entry(self, kind: str, key: str) -> Row:
        """A contact or organization by its key, or what it was merged into; KeyError if none."""
        key = self.kept_key(key)
        for rows in getattr(self, kind).values():
            for row in rows:
                if row["key"] == key:
                    return row
        raise KeyError(key)

    def kept_key(self, key: str) -> str:
        """The key itself, or that of the box, contact or organization that it was merged into."""
        while key in self.merged:
            key = self.merged[key]
        return key

    def timeline(self, box_key: str) -> list[timelines.Entry]:
        """Everything that happened to a box, oldest first."""
        children = {kind: self.children[kind][box_key] for kind in CHILD_KINDS}
        entries = [*self.changes[box_key], *timelines.of_children(children)]
        return sorted(entries, key=lambda entry: entry.at)

    # --- the clock --------------------------------------------------------------------------------

    def number(self) -> int:
        """A number that no other object of this account has."""
        self._last_number += 1
        return self._last_number

    def now(self) -> int:
        """Now in epoch milliseconds, but never the same twice and never before the seeded data."""
        self._latest = max(self._latest + 1, self.clock())
        return self._latest

    def _stamps(self) -> Row:
        now = self.now()
        return {"lastUpdatedTimestamp": now, "lastSavedTimestamp": now}


def update(row: Row, properties: Row) -> None:
    """Sets properties. None removes one, since v1 omits what has no value."""
    for name, value in properties.items():
        if value is None:
            row.pop(name, None)
        else:
            row[name] = value


def without_none(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}
